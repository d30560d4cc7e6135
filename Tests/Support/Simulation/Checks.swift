@testable import Relay

/// What must hold of the daemon at all times, seen from inside.
struct Checks {
    /// Links whose present wait is known: slot and generation, and when it ends.
    private struct Wait: Hashable {
        let link: SlotID
        let deadline: Instant
    }

    /// Worlds of so many pages are looked at whole after every turn; larger ones now and then.
    private static let smallWorld = 64
    /// And after how many turns.
    private var rest: Int { plan.pages <= 8 ? 1 : plan.pages <= Self.smallWorld ? 4 : 4096 }

    private let plan: Plan
    private var turns = 0
    private var waits: [SlotID: Instant] = [:]
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

    /// Channels that Redis sends and no page hears, and since when.
    private var orphans: [Int: Instant] = [:]
    private var silences: [Token: Silence] = [:]
    private(set) var hasLookedAtQuiet = false

    init(_ plan: Plan) { self.plan = plan }

    /// Looks at the daemon after a turn.
    mutating func look(at relay: borrowing Relay<SimulatedSys>, in world: World) {
        turns += 1
        if relay.metrics.ledgerImbalances > 0 { world.fail("a ledger does not balance") }
        lookAtTimers(relay, in: world)
        lookAtLinks(relay, in: world)
        let isSmall = plan.pages <= Self.smallWorld
        guard turns % rest == 0 || world.stage == .ending && isSmall else { return }
        lookAtLedgers(relay, in: world)
        lookAtDescriptors(relay, in: world)
        lookAtSockets(relay, in: world)
        lookAtSubscriptions(relay, in: world)
        if isSmall { lookAtBackoff(relay, in: world) }
    }

    /// How late a timer may be, beside the time for which the daemon stood still.
    private var lateness: Nanoseconds {
        // Every socket is looked at before a timer may say that something has not come.
        let look = Nanoseconds.milliseconds(plan.faults.contains(.shortEventList) ? 400 : 60)
        let slow = Nanoseconds.milliseconds(plan.faults.contains(.slowTurn) ? 2000 : 0)
        // Shorter standstills than the loop notices: one, or some of late waits in a row.
        let stop =
            LoopClock.tolerance * (plan.faults.contains(.lateWait) ? 5 : 1)
            + .milliseconds(1)
        // A turn for each timer.
        let turns = plan.timerLimit < 4096 ? Nanoseconds(Int64(plan.pages) * 400_000) : .zero
        return look + slow + stop + turns + Nanoseconds(Int64(plan.pages) * 200_000)
    }

    /// No timer is later than its turn and the time for which the daemon stood still.
    private mutating func lookAtTimers(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        guard let next = relay.loop.wheel.nextExpiry else { return }
        let late = relay.loop.now - next
        guard late > lateness else {
            lateSince = nil
            return
        }
        // It may have been set to an instant that had passed, but must fire then.
        let since = lateSince ?? relay.loop.now
        lateSince = since
        if relay.loop.now - since > lateness {
            world.fail("a timer is \(late.milliseconds) ms late")
        }
    }

    /// The same of each timer as it was set, whatever the wheel says; nothing waits to be sent for
    /// longer than the limit; every link serves somebody, and a live one forgets its failures.
    private mutating func lookAtSockets(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        let limit = lateness
        let earliest = Instant(nanoseconds: (Nanoseconds(relay.loop.now.nanoseconds) - limit).count)
        for id in relay.clients.ids {
            lookAtTimer(of: relay.clients[id].socket, now: relay.loop.now, in: world)
            let oldest = relay.clients[id].socket.output.oldestQueuedAt
            if oldest != .never, oldest + plan.settings.writeTimeout < earliest {
                world.fail("bytes wait for a client for longer than they may")
            }
        }
        for id in relay.links.ids {
            lookAtTimer(of: relay.links[id].socket, now: relay.loop.now, in: world)
            if relay.links[id].machine.isLive, relay.links[id].machine.failedAttempts > 0 {
                world.fail("a link is live and counts failed attempts")
            }
            guard relay.links[id].machine.purpose != .probe else { continue }
            lookAtSilence(of: relay.links[id], relay, in: world)
            if case .one(let subscription) = relay.links[id].carries,
                !relay.hub.contains(subscription) || relay.hub[subscription].pages.isEmpty
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
            standstills: relay.metrics.standstills, since: relay.loop.now)
        guard let silence = silences[link.socket.token], silence.spokenAt == present.spokenAt,
            silence.standstills == present.standstills
        else {
            silences[link.socket.token] = present
            return
        }
        let span = present.since - silence.since
        let settings = plan.settings
        if span > settings.redisPingInterval + settings.redisRequestTimeout + lateness {
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
        if now - found.foundAt > lateness {
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
        var bytes = 0
        for id in relay.clients.ids {
            let output = relay.clients[id].socket.output
            let count = output.messageCount
            queued += count
            bytes += output.count
            if !relay.clients[id].ledger.isBalanced(queued: count) {
                world.fail("the ledger of a client does not balance")
            }
            if output.count > Relay<SimulatedSys>.clientQueueLimit + 70_000 {
                world.fail("\(output.count) bytes wait for one client")
            }
        }
        if !relay.metrics.ledger.isBalanced(queued: queued) {
            world.fail("the ledger of all clients does not balance: \(relay.metrics.ledger)")
        }
        if relay.loop.bufferedBytes > plan.settings.memoryBudget + (1 << 20) {
            world.fail("\(relay.loop.bufferedBytes) bytes are buffered, over the budget")
        }
    }

    /// Where Redis is well, it sends what the daemon takes for subscribed, and soon nothing else.
    private mutating func lookAtSubscriptions(
        _ relay: borrowing Relay<SimulatedSys>, in world: World
    ) {
        guard !plan.isScripted, !world.mayHarmLinks else { return }
        var heard = world.channels.map { _ in false }
        for id in relay.hub.ids {
            guard let channel = world.channel(named: relay.hub[id].channel) else {
                world.fail("the daemon has a subscription of nobody's")
                return
            }
            if !relay.hub[id].pages.isEmpty { heard[channel.index] = true }
            guard relay.hub[id].state == .acknowledged, let link = relay.hub[id].link,
                relay.links[link].machine.isLive
            else { continue }
            if world.redis.subscriberCount(of: channel) == 0 {
                world.fail(
                    "channel \(channel.index) is taken for subscribed, and Redis does not know it")
            }
        }
        for channel in world.channels {
            guard !heard[channel.index], world.redis.subscriberCount(of: channel) > 0 else {
                orphans[channel.index] = nil
                continue
            }
            let since = orphans[channel.index] ?? relay.loop.now
            orphans[channel.index] = since
            // A reset that a machine in suspend has not got is sent again much later.
            if relay.loop.now - since > lateness + .seconds(60) {
                world.fail("Redis sends channel \(channel.index), and no page hears it")
            }
        }
    }

    /// Each descriptor is that of a client, a link or a listener.
    private func lookAtDescriptors(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        var known = 0
        for id in relay.clients.ids where relay.clients[id].socket.isOpen { known += 1 }
        for id in relay.links.ids where relay.links[id].socket.isOpen { known += 1 }
        // The addresses of a name are dialed in a race.
        known += relay.attempts.count
        if known != world.openDescriptors {
            world.fail("\(world.openDescriptors) descriptors are open, and \(known) are known")
        }
    }

    /// Waits before another attempt lie within their bounds, and are drawn.
    private mutating func lookAtBackoff(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        for id in relay.links.ids {
            guard relay.links[id].machine.state == .backingOff else {
                waits[id] = nil
                continue
            }
            let deadline = relay.links[id].machine.nextDeadline
            guard waits[id] != deadline else { continue }
            let others = waits.values.count { $0 == deadline }
            waits[id] = deadline
            let wait = deadline - relay.loop.now
            let settings = plan.settings
            if others > 1, settings.redisRetryBase < settings.redisRetryMax {
                world.fail("three links wait for the same instant")
            }
            if wait > settings.redisRetryMax || wait > settings.redisRetryBase * 243 {
                world.fail("a link waits for \(wait.milliseconds) ms")
            }
            let attempts = Int64(relay.links[id].machine.failedAttempts)
            let slack = Nanoseconds.milliseconds(2000)
            if wait + slack < settings.redisRetryBase, attempts > 0 {
                world.fail("a link waits for \(wait.milliseconds) ms only")
            }
        }
    }

    /// All is well, and nothing is on its way: nothing may be left over.
    mutating func lookAtQuiet(_ relay: borrowing Relay<SimulatedSys>, in world: World) {
        hasLookedAtQuiet = true
        let subscribed = world.pages.count { $0.state == .open }
        if Int(relay.metrics.connectionsActive) < subscribed {
            world.fail(
                "\(relay.metrics.connectionsActive) connections are active, and \(subscribed)"
                    + " pages are open")
        }
        var live = 0
        for id in relay.hub.ids where relay.hub[id].state == .acknowledged {
            live += relay.hub[id].pages.count
        }
        if live < subscribed {
            world.fail("\(live) pages have their subscription, and \(subscribed) are open")
        }
    }

    /// The daemon has ended: nothing is left.
    func lookAtEnd(_ relay: borrowing Relay<SimulatedSys>, fatal: String?, in world: World) {
        if let fatal {
            // At the start a Redis that does not answer ends the process.
            let mayFail = plan.isScripted || plan.faults.list.contains(where: { $0.harmsLinks })
            if world.hasServed || !mayFail { world.fail("the daemon has ended: \(fatal)") }
            return
        }
        guard world.stage == .ending else { return world.fail("the daemon ended unasked") }
        for page in world.pages where page.isToBeSentAway && page.state == .open {
            world.fail("page \(page.index) was not sent away")
        }
        let open = world.openDescriptors + world.listeners.count
        if open != 0 {
            world.fail("\(open) descriptors are open after the end")
        }
        if relay.clients.count != 0 || relay.links.count != 0 {
            world.fail("\(relay.clients.count) clients and \(relay.links.count) links are left")
        }
        if relay.loop.bufferedBytes != 0 {
            world.fail("\(relay.loop.bufferedBytes) bytes are buffered after the end")
        }
        if relay.loop.wheel.armedCount > 5 {
            world.fail("\(relay.loop.wheel.armedCount) timers are armed after the end")
        }
    }
}
