/// What the shells of an event loop work with: the loop itself, the settings in force, the log, and
/// what is counted.
///
/// A shell is lent it with each call, so that each thing of a loop has one owner: connections are the
/// shells', and this is the loop's.
struct LoopContext<S: Sys & ~Copyable>: ~Copyable {
    var loop: EventLoop<S>
    var configuration: SharedSettings
    var options: RelayOptions
    var log: RelayLog
    /// Which loop of the process it is, and what the loops share.
    let place: LoopPlace
    var phase = RelayPhase.starting
    var metrics = Metrics()
    /// How far the wall clock was ahead, now and before.
    var wallClock = UnixTimeOffsets()

    init(
        sys: consuming S, settings: Settings, options: RelayOptions, log: RelayLog,
        place: LoopPlace
    ) {
        loop = EventLoop(sys: sys)
        configuration = SharedSettings(settings)
        self.options = options
        self.log = log
        self.place = place
    }

    var settings: Settings { configuration.settings }

    /// Tells all other loops.
    func tellLoops(_ message: LoopMessage) {
        guard !place.isAlone else { return }
        for other in place.others { place.share.post(message, to: other) }
    }

    /// Notes what the wall clock says.
    mutating func noteWallClock() {
        wallClock.note(unixTime: loop.sys.unixTime(), at: loop.boot)
    }

    /// The time from `since` until now in Unix time, under every setting that the wall clock had.
    mutating func unixMilliseconds(since: BootTime) -> (from: Int64, to: Int64) {
        noteWallClock()
        return wallClock.milliseconds(from: since, to: loop.boot)
    }
}

/// How far the daemon is.
enum RelayPhase: Equatable, Sendable {
    /// Redis has not answered yet; upgrades are refused.
    case starting
    case serving
    /// On the way down; ``Relay/drain`` says how far.
    case draining
    /// The loop ends; a text is the one clear line of a fatal error.
    case stopped(fatal: String?)
}
