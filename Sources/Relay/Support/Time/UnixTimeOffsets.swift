/// How far the wall clock was ahead of the boot clock, now and before.
///
/// The wall clock is set, by people and by time servers. What has happened between two points of
/// the boot clock is told in Unix time so that it is covered under each setting that was in force
/// meanwhile.
struct UnixTimeOffsets: Sendable {
    /// Settings that are remembered; of older ones the extremes are kept.
    static let limit = 32
    /// Differences that are no setting of the clock: drift, and the time between two readings.
    private static let drift = Nanoseconds.milliseconds(2)

    private struct Setting {
        let since: BootTime
        var lowest: Nanoseconds
        var highest: Nanoseconds
    }

    private var settings: [Setting] = []

    /// When both clocks were first looked at; ``BootTime/never`` before.
    var beganAt: BootTime { settings.first?.since ?? .never }

    /// Notes what both clocks say; `unixTime` is in nanoseconds since the Unix epoch.
    mutating func note(unixTime: Int64, at boot: BootTime) {
        let offset = Nanoseconds(unixTime) - Nanoseconds(boot.nanoseconds)
        if let last = settings.last, offset - Self.drift <= last.lowest,
            last.highest - Self.drift <= offset
        {
            settings[settings.count - 1].lowest = min(last.lowest, offset)
            settings[settings.count - 1].highest = max(last.highest, offset)
            return
        }
        settings.append(Setting(since: boot, lowest: offset, highest: offset))
        guard settings.count > Self.limit else { return }
        let oldest = settings.removeFirst()
        settings[0] = Setting(
            since: oldest.since, lowest: min(oldest.lowest, settings[0].lowest),
            highest: max(oldest.highest, settings[0].highest))
    }

    /// A range of Unix time, in whole milliseconds, that covers what lay between two points of the
    /// boot clock, whichever setting of the wall clock it is measured with.
    func milliseconds(from start: BootTime, to end: BootTime) -> (from: Int64, to: Int64) {
        // The setting that was in force at the start began before it.
        let first = settings.lastIndex { $0.since <= start } ?? 0
        let inForce = settings[min(first, settings.count)...]
        let lowest = inForce.map(\.lowest).min() ?? .zero
        let highest = inForce.map(\.highest).max() ?? .zero
        let earliest = (Nanoseconds(start.nanoseconds) + lowest).count
        let latest = (Nanoseconds(end.nanoseconds) + highest).count
        // Rounded outwards; Unix time is positive.
        return (earliest / 1_000_000, latest / 1_000_000 + (latest % 1_000_000 == 0 ? 0 : 1))
    }
}
