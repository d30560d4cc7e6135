import Logging

// What is looked after once a second, and what follows when the loop has stood still.
extension Relay where S: ~Copyable {
    /// The time between two looks. A loop that stands still for longer misses one and notices it,
    /// with no page connected too.
    static var upkeepInterval: Nanoseconds { .seconds(1) }

    /// Looks after what nobody asks for.
    mutating func keepUp() {
        wallClock.note(unixTime: loop.sys.unixTime(), at: loop.boot)
        if place.isFirst { loop.releaseMemory() }
        if !place.isAlone { lookAtOthers() }
        reportToService()
        endKeptSubscriptions()
        loop.arm(upkeepTimer, at: loop.now + upkeepPause)
    }

    /// The loop has stood still: stopped, frozen, starved of its processor or suspended.
    ///
    /// The loop's time leaves that out. Beyond it, who was to answer meanwhile gets the full time for
    /// it once more: what it sent may still be on its way, and it may have stood still as well (I10).
    mutating func stoodStill(for span: Nanoseconds) {
        metrics.standstills += 1
        // A suspend may have been long enough for the wall clock to be set.
        wallClock.note(unixTime: loop.sys.unixTime(), at: loop.boot)
        for id in clients.ids {
            clients[id].machine.stoodStill(for: span, now: loop.now)
            clients[id].socket.output.restartAge(now: loop.now)
        }
        for id in links.ids { links[id].machine.stoodStill(now: loop.now) }
        guard place.isAlone || place.share.tellsOfStandstill(at: loop.boot),
            case .logged(let suppressed) = standstillLogLimit.admit(at: loop.now)
        else { return }
        log.server.warning(
            "the daemon stood still",
            metadata: [
                "duration_ms": .stringConvertible(span.milliseconds),
                "suppressed": .stringConvertible(suppressed),
            ])
    }
}
