/// The requests for the metrics that wait until every event loop has left its figures.
struct MetricsGathering {
    /// The longest wait; what a loop left last is told in place of figures that have not come.
    static let limit = Nanoseconds.milliseconds(500)

    /// Where somebody asked.
    enum Asker: Equatable {
        /// On the pages' port.
        case client(SlotID)
        /// On the admin listener.
        case admin(SlotID)
    }

    /// Who asked, and in which format.
    var askers: [(asker: Asker, format: MetricsFormat)] = []
    /// The loops that have not answered.
    private(set) var missing: [Int] = []

    /// Begins to wait for these loops.
    mutating func begin(_ loops: [Int]) { missing = loops }

    /// The figures of a loop have come; returns whether they are the last.
    mutating func received(from loop: Int) -> Bool {
        guard let index = missing.firstIndex(of: loop) else { return false }
        missing.remove(at: index)
        return missing.isEmpty
    }

    /// Ends the wait: who asked, and who has not answered.
    mutating func end() -> (askers: [(asker: Asker, format: MetricsFormat)], missing: [Int]) {
        (take(&askers), take(&missing))
    }
}

/// The figures of one event loop, as it leaves them for the metrics.
struct LoopReport: Equatable, Sendable {
    /// What it has counted.
    var metrics = Metrics()
    /// What it has looked at.
    var reading = MetricsReading()
    /// Turns so far.
    var turns: UInt64 = 0
}
