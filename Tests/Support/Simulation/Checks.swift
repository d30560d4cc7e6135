@testable import Relay

/// What must hold of an event loop of the daemon at all times, seen from inside.
struct Checks {
    private let plan: Plan
    private var turns = 0
    /// Links whose present wait is known, and when it ends.
    private var waits: [SlotID: Instant] = [:]
    /// Whether Redis answered at the last look.
    private var wasAnswering = false
    /// Since when the wheel has had a timer that is late.
    private var lateSince: Instant?
    /// Timers that were found late: what they were set to, and when that was found.
    private var late: [Token: (setTo: Instant, foundAt: Instant)] = [:]
    /// Since when nothing has come on a live link, with no standstill in between.
    private struct Silence {
        let spokenAt: Int64
        let standstills: UInt64
        let since: Instant
    }

    private var silences: [Token: Silence] = [:]
    /// The most links that the loop has had at once.
    private var mostLinks = 0

    init(_ plan: Plan) { self.plan = plan }

    /// Looks at the daemon after a turn.
    mutating func look(at relay: borrowing Relay<SimulatedSys>, in world: World) {
        turns += 1
        if relay.metrics.ledgerImbalances > 0 { world.fail("a ledger does not balance") }
        lookAtTimers(relay, in: world)
        lookAtLinks(relay, in: world)
        let isSmall = plan.isSmall
        guard turns % plan.turnsBetweenLooks == 0 || world.stage == .ending && isSmall else {
            return
        }
        lookAtLedgers(relay, in: world)
        lookAtStreams(relay, in: world)
        lookAtSockets(relay, in: world)
        if isSmall { lookAtBackoff(relay, in: world) }
    }

    /// No timer is later than its turn and the time for which the daemon stood still.
    private mutating func lookAtTimers(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        guard let next = relay.context.loop.wheel.nextExpiry else { return }
        let late = relay.context.loop.now - next
        guard late > plan.lateness else {
            lateSince = nil
            return
        }
        // It may have been set to an instant that had passed, but must fire then.
        let since = lateSince ?? relay.context.loop.now
        lateSince = since
        if relay.context.loop.now - since > plan.lateness {
            world.fail("a timer is \(late.milliseconds) ms late")
        }
    }

    /// The same of each timer as it was set, whatever the wheel says; nothing waits to be sent for
    /// longer than the limit; every link serves somebody, and a live one forgets its failures.
    private mutating func lookAtSockets(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        let limit = plan.lateness
        let earliest = Instant(
            nanoseconds: (Nanoseconds(relay.context.loop.now.nanoseconds) - limit).count)
        for id in relay.clients.ids {
            lookAtTimer(
                of: relay.clients.connections[id].socket, now: relay.context.loop.now, in: world)
            let oldest = relay.clients.connections[id].socket.output.oldestQueuedAt
            if oldest != .never, oldest + plan.settings.writeTimeout < earliest {
                world.fail("bytes wait for a client for longer than they may")
            }
        }
        mostLinks = max(mostLinks, relay.links.count)
        for id in relay.links.ids {
            lookAtTimer(of: relay.links.entries[id].socket, now: relay.context.loop.now, in: world)
            if relay.links.entries[id].machine.isLive,
                relay.links.entries[id].machine.failedAttempts > 0
            {
                world.fail("a link is live and counts failed attempts")
            }
            if relay.links.entries[id].machine.purpose == .shared,
                relay.links.entries[id].lastCause == "no_permission"
            {
                world.fail("that one channel is refused has ended the link of all")
            }
            guard relay.links.entries[id].machine.purpose != .probe else { continue }
            lookAtSilence(of: relay.links.entries[id], relay, in: world)
            if case .one(let subscription) = relay.links.entries[id].carries,
                !relay.hub.contains(subscription) || !relay.hub[subscription].isWanted
            {
                world.fail("a link serves nobody")
            }
        }
    }

    /// A live link from which nothing comes is asked, and given up when that is not answered.
    private mutating func lookAtSilence(
        of link: borrowing LinkEntry, _ relay: borrowing Relay<SimulatedSys>, in world: World
    ) {
        guard link.machine.isLive, link.socket.isOpen else { return }
        let present = Silence(
            spokenAt: world.held(link.socket.descriptor).spokenAt,
            standstills: relay.metrics.standstills, since: relay.context.loop.now)
        guard let silence = silences[link.socket.token], silence.spokenAt == present.spokenAt,
            silence.standstills == present.standstills
        else {
            silences[link.socket.token] = present
            return
        }
        let span = present.since - silence.since
        let settings = plan.settings
        // Of many links that a probe vouches for, each is asked more seldom, but where gaps are told of.
        // A link is asked by the patience that it had when it was last heard: that of more links.
        let patience = LivenessCheck.patience(
            links: settings.gapNotices ? 1 : mostLinks, interval: settings.redisPingInterval)
        if span > patience + settings.redisRequestTimeout + plan.lateness {
            world.fail("a link has been deaf for \(span.milliseconds) ms and is not given up")
        }
    }

    /// A timer may be set to an instant that has passed, but must fire then.
    private mutating func lookAtTimer(of socket: Socket, now: Instant, in world: World) {
        guard socket.armedAt < now else { return }
        guard let found = late[socket.token], found.setTo == socket.armedAt else {
            late[socket.token] = (socket.armedAt, now)
            return
        }
        if now - found.foundAt > plan.lateness {
            let span = now - found.setTo
            world.fail("a timer that was due \(span.milliseconds) ms ago is forgotten")
        }
    }

    /// A Redis that is well loses no link.
    private func lookAtLinks(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        let failures = relay.metrics.redisLinkFailures.filter { failure in
            failure.key != "no_permission" || world.denied == nil
        }
        guard !plan.isScripted, !failures.isEmpty, !world.mayHarmLinks else { return }
        world.fail("a link was lost, and Redis was well: \(failures)")
    }

    /// Every message is accounted for, for each browser and for all of them (I9).
    private func lookAtLedgers(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        var queued = 0
        for id in relay.clients.ids {
            let output = relay.clients.connections[id].socket.output
            let count = output.messageCount
            queued += count
            if !relay.clients.connections[id].ledger.isBalanced(queued: count) {
                world.fail("the ledger of a client does not balance")
            }
            let replayed = relay.clients.connections[id].resume?.replayed ?? 0
            if output.count > ClientShell<SimulatedSys>.queueLimit + replayed + 70_000 {
                world.fail("\(output.count) bytes wait for one client")
            }
        }
        if !relay.metrics.ledger.isBalanced(queued: queued) {
            world.fail("the ledger of all clients does not balance: \(relay.metrics.ledger)")
        }
    }

    /// What is held for pages that come back keeps its bounds, is counted, and ends with its time.
    private func lookAtStreams(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        let settings = plan.settings
        var bytes = 0
        var kept = 0
        for id in relay.hub.ids {
            if let stream = relay.hub[id].stream {
                bytes += stream.byteCount
                if stream.byteCount > settings.resumeChannelBytes {
                    world.fail("\(stream.byteCount) bytes of a channel are held")
                }
                if stream.pageCount == 0, relay.hub[id].keptUntil == nil {
                    world.fail("messages are held of a channel that nobody may come back to")
                }
            }
            guard let until = relay.hub[id].keptUntil else { continue }
            kept += 1
            if relay.hub[id].stream?.pageCount != 0 {
                world.fail("a stream with pages is kept for one that may come back")
            }
            let now = relay.context.loop.now
            let over = now - until
            if over > Relay<SimulatedSys>.upkeepInterval + plan.lateness {
                world.fail("a subscription is kept \(over.milliseconds) ms after its window")
            }
            if until - now > settings.resumeWindow + plan.lateness {
                world.fail("a subscription is kept for longer than the window")
            }
        }
        if kept != relay.hub.keptCount {
            world.fail("\(kept) subscriptions are kept, and \(relay.hub.keptCount) are counted")
        }
        if bytes != relay.hub.resumeBytes || bytes != relay.context.loop.heldBytes {
            world.fail(
                "\(bytes) bytes are held for pages that come back, and"
                    + " \(relay.hub.resumeBytes) and \(relay.context.loop.heldBytes) are counted")
        }
    }

    /// Waits before another attempt lie within their bounds, and are drawn.
    private mutating func lookAtBackoff(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        let isBack = relay.links.isProbeAnswering && !wasAnswering
        wasAnswering = relay.links.isProbeAnswering
        for id in relay.links.ids {
            guard relay.links.entries[id].machine.state == .backingOff else {
                waits[id] = nil
                continue
            }
            let deadline = relay.links.entries[id].machine.nextDeadline
            guard waits[id] != deadline else {
                if isBack, !plan.isCluster, relay.links.entries[id].machine.mayBeHastened,
                    deadline - relay.context.loop.now > plan.settings.redisRetryBase
                {
                    world.fail("a link waits although Redis is back")
                }
                continue
            }
            let others = waits.values.count { $0 == deadline }
            waits[id] = deadline
            let wait = deadline - relay.context.loop.now
            let settings = plan.settings
            if others > 1, settings.redisRetryBase < settings.redisRetryMax {
                world.fail("three links wait for the same instant")
            }
            if wait > settings.redisRetryMax || wait > settings.redisRetryBase * 243 {
                world.fail("a link waits for \(wait.milliseconds) ms")
            }
            let attempts = Int64(relay.links.entries[id].machine.failedAttempts)
            let slack = Nanoseconds.milliseconds(2000)
            // A probe asks more often, for all.
            let isProbe = relay.links.entries[id].machine.isProbe
            if wait + slack < settings.redisRetryBase, attempts > 0, !isProbe {
                world.fail("a link waits for \(wait.milliseconds) ms only")
            }
        }
    }
}
