/// How late a page's heartbeats are.
///
/// The relay sends a ping at each interval, in a phase of its own for each page, and one more in
/// answer to `init`. So between two pings lies an interval at most; what is more is lateness.
struct HeartbeatCheck: Equatable {
    let interval: Nanoseconds
    private var last: BootTime?

    init(interval: Nanoseconds) {
        self.interval = interval
    }

    /// Takes a ping; its lateness, or nil for the first one.
    mutating func received(at now: BootTime) -> Nanoseconds? {
        defer { last = now }
        return last.map { max(.zero, now - $0 - interval) }
    }

    /// The lateness of a ping that has not come by now; nil where none is overdue.
    func overdue(at now: BootTime) -> Nanoseconds? {
        guard let last, now - last > interval else { return nil }
        return now - last - interval
    }

    /// The connection has ended.
    mutating func endOfSession() {
        last = nil
    }
}
