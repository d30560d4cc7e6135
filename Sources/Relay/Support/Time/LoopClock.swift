/// The time of one event loop: the boot clock, less the time in which the loop stood still.
///
/// A process that is stopped, frozen, starved of its processor or suspended with its machine does
/// nothing and hears nothing; to hold that time against a page or a link would blame it for the
/// daemon's own absence. The clock notices it, since a loop knows when it wanted to go on, and leaves
/// it out: every deadline is as far away after a standstill as before (I10). No machine has to know.
struct LoopClock: Sendable {
    /// A lateness that is put down to the machine's scheduling and to the turn's own work.
    static let tolerance = Nanoseconds.milliseconds(100)

    /// The boot clock when it was last read.
    private(set) var boot: BootTime
    /// All that has been left out.
    private(set) var stoodStill = Nanoseconds.zero

    init(_ boot: BootTime) {
        self.boot = boot
    }

    /// The loop's time when the clock was last read.
    var now: Instant { Instant(nanoseconds: (boot - stoodStill).nanoseconds) }

    /// The boot clock at an instant of the loop's time, from now on.
    func boot(at instant: Instant) -> BootTime {
        BootTime(nanoseconds: instant.nanoseconds) + stoodStill
    }

    /// Takes a reading of the boot clock; `expected` is when the loop would have gone on.
    ///
    /// Returns the length of a standstill, which is left out: what has passed since `expected`, if
    /// that is more than ``tolerance``.
    mutating func read(_ reading: BootTime, expected: Instant) -> Nanoseconds? {
        // The boot clock never goes back; if it did, time would stand.
        boot = max(boot, reading)
        let late = now - expected
        guard late > Self.tolerance else { return nil }
        stoodStill = stoodStill + late
        return late
    }
}

extension BootTime {
    fileprivate static func - (time: BootTime, span: Nanoseconds) -> BootTime {
        BootTime(nanoseconds: (Nanoseconds(time.nanoseconds) - span).count)
    }
}
