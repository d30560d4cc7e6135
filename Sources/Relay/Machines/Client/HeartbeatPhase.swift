/// When a page's heartbeats are due: at the instants of a phase that is a matter of chance.
///
/// An interval has a grid of at least a hundred phases, 50 ms apart at most, which are the same for all
/// pages. So heartbeats are spread over the interval, and those of one phase leave in one turn: twenty
/// wake-ups a second, each for many pages, in place of one for each heartbeat.
struct HeartbeatPhase: Equatable, Sendable {
    /// The longest time between two neighbouring phases.
    static let longestStep = Nanoseconds.milliseconds(50)
    /// The fewest phases of an interval, however short that is.
    static let fewestPhases: Int64 = 100

    private let offset: Int64

    /// Makes the phase of a page; the seed is the source of all chance.
    init(interval: Nanoseconds, seed: UInt64) {
        let length = max(1, interval.count)
        let phases = max(Self.fewestPhases, (length - 1) / Self.longestStep.count + 1)
        let chosen = Int64(seed % UInt64(phases))
        // Phases of an interval that is no multiple of their number are spread all the same.
        offset = phases.dividingFullWidth(length.multipliedFullWidth(by: chosen)).quotient
    }

    /// The first instant of the phase behind `now`: an interval later at the latest. A late turn of
    /// the loop shifts no later one.
    func next(after now: Instant, interval: Nanoseconds) -> Instant {
        let length = max(1, interval.count)
        var distance = (now.nanoseconds - offset) % length
        if distance < 0 { distance += length }
        return now + Nanoseconds(length - distance)
    }
}
