import Logging

// What is looked after once a second, and what follows when the loop has stood still.
extension Relay where S: ~Copyable {
    /// The time between two looks. A loop that stands still for longer misses one and notices it,
    /// with no page connected too.
    static var upkeepInterval: Nanoseconds { .seconds(1) }

    /// Looks after what nobody asks for.
    mutating func keepUp() {
        context.noteWallClock()
        context.loop.settlePool()
        if place.isFirst { context.loop.releaseMemory() }
        if !place.isAlone { lookAtOthers() }
        reportToService()
        endKeptStreams()
        lookAfterCluster()
        context.loop.arm(upkeepTimer, at: context.loop.now + upkeepPause)
    }

    /// The loop has stood still: stopped, frozen, starved of its processor or suspended.
    ///
    /// The loop's time leaves that out. Beyond it, who was to answer meanwhile gets the full time for
    /// it once more: what it sent may still be on its way, and it may have stood still as well (I10).
    mutating func stoodStill(for span: Nanoseconds) {
        context.metrics.standstills += 1
        // A suspend may have been long enough for the wall clock to be set.
        context.noteWallClock()
        clients.stoodStill(for: span, context)
        links.stoodStill(context)
        guard place.isAlone || place.share.tellsOfStandstill(at: context.loop.boot),
            case .logged(let suppressed) = standstillLogLimit.admit(at: context.loop.now)
        else { return }
        context.log.server.warning(
            "the daemon stood still",
            metadata: [
                "duration_ms": .stringConvertible(span.milliseconds),
                "suppressed": .stringConvertible(suppressed),
            ])
    }
}
