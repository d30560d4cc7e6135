@testable import Relay

/// What must hold of the process with all its event loops.
struct ProcessChecks {
    private let plan: Plan
    private var turns = 0
    /// Channels that Redis sends and no page hears, and since when.
    private var orphans: [Int: Instant] = [:]
    private var hasLookedAtQuiet = false

    init(_ plan: Plan) { self.plan = plan }

    /// Looks at the process after a turn of one of its loops.
    mutating func look(at process: DaemonProcess, in world: World) {
        turns += 1
        if world.stage == .quiet, !hasLookedAtQuiet { lookAtQuiet(process, in: world) }
        guard turns % plan.turnsBetweenLooks == 0 else { return }
        lookAtDescriptors(process, in: world)
        lookAtMemory(process, in: world)
        lookAtSubscriptions(process, in: world)
    }

    /// The loops keep the budget together; what they have not published, and what one holds that does
    /// not shed its own in time, is over it.
    private func lookAtMemory(_ process: DaemonProcess, in world: World) {
        let budget = plan.settings.memoryBudget
        let slack = process.loops.count > 1 ? budget / 8 + budget / 32 : 0
        let held = process.loops.reduce(0) { $0 + $1.relay.context.loop.bufferedBytes }
        if held > budget + slack + (1 << 20) {
            world.fail("\(held) bytes are buffered, over the budget")
        }
    }

    /// Each descriptor is that of a client, a link or a listener.
    private func lookAtDescriptors(_ process: DaemonProcess, in world: World) {
        // A connection may be on its way to its loop.
        guard process.share.loops.allSatisfy({ $0.inbox.isEmpty }) else { return }
        var known = 0
        for loop in process.loops {
            for id in loop.relay.clients.ids where loop.relay.clients.connections[id].socket.isOpen
            {
                known += 1
            }
            for id in loop.relay.links.ids where loop.relay.links.entries[id].socket.isOpen {
                known += 1
            }
            // The addresses of a name are dialed in a race.
            known += loop.relay.links.attempts.count
        }
        if known != world.openDescriptors {
            world.fail("\(world.openDescriptors) descriptors are open, and \(known) are known")
        }
    }

    /// Where Redis is well, it sends what the daemon takes for subscribed, and soon nothing else.
    private mutating func lookAtSubscriptions(_ process: DaemonProcess, in world: World) {
        guard !plan.isScripted, !world.mayHarmLinks else { return }
        var heard = world.channels.map { _ in false }
        for loop in process.loops { note(loop.relay, &heard, in: world) }
        let now = process.loops[0].relay.context.loop.now
        for channel in world.channels {
            guard !heard[channel.index], world.redis.subscriberCount(of: channel) > 0 else {
                orphans[channel.index] = nil
                continue
            }
            let since = orphans[channel.index] ?? now
            orphans[channel.index] = since
            // A reset that a machine in suspend has not got is sent again much later.
            if now - since > plan.lateness + .seconds(60) {
                world.fail("Redis sends channel \(channel.index), and no page hears it")
            }
        }
    }

    /// Notes the channels that pages of a loop hear.
    private func note(
        _ relay: borrowing Relay<SimulatedSys>, _ heard: inout [Bool], in world: World
    ) {
        for id in relay.hub.ids {
            guard let channel = world.channel(named: relay.hub[id].channel) else {
                return world.fail("the daemon has a subscription of nobody's")
            }
            if relay.hub[id].isWanted { heard[channel.index] = true }
            guard relay.hub[id].state == .acknowledged, let link = relay.hub[id].link,
                relay.links.entries[link].machine.isLive
            else { continue }
            if world.redis.subscriberCount(of: channel) == 0 {
                world.fail(
                    "channel \(channel.index) is taken for subscribed, and Redis does not know it")
            }
        }
    }

    /// All is well, and nothing is on its way: nothing may be left over.
    private mutating func lookAtQuiet(_ process: DaemonProcess, in world: World) {
        hasLookedAtQuiet = true
        let subscribed = world.pages.count { $0.state == .open }
        var active = 0
        var live = 0
        for loop in process.loops {
            active += Int(loop.relay.metrics.connectionsActive)
            for id in loop.relay.hub.ids where loop.relay.hub[id].state == .acknowledged {
                live += loop.relay.hub[id].pages.count
            }
        }
        if active < subscribed {
            world.fail("\(active) connections are active, and \(subscribed) pages are open")
        }
        if live < subscribed {
            world.fail("\(live) pages have their subscription, and \(subscribed) are open")
        }
        // A connection that is on its way to another loop is counted and nobody's yet.
        guard process.share.loops.allSatisfy({ $0.inbox.isEmpty }) else { return }
        let counts = process.loops.map { $0.relay.clients.count }
        if process.share.connections != counts.reduce(0, +) {
            world.fail(
                "\(process.share.connections) connections are counted, and there are \(counts)")
        }
    }

    /// The daemon has ended: nothing is left.
    func lookAtEnd(of process: DaemonProcess, fatal: String?, in world: World) {
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
        if open != 0 { world.fail("\(open) descriptors are open after the end") }
        let share = process.share
        if share.connections != 0 || share.webSockets != 0 || share.addressCount != 0 {
            world.fail("\(share.connections) connections are counted after the end")
        }
        for loop in process.loops { lookAtEnd(of: loop, in: world) }
    }

    private func lookAtEnd(of loop: DaemonProcess.Loop, in world: World) {
        if !loop.isStopped { world.fail("the first loop has ended before another") }
        let (clients, links) = (loop.relay.clients.count, loop.relay.links.count)
        if clients != 0 || links != 0 {
            world.fail("\(clients) clients and \(links) links are left")
        }
        let hub = (kept: loop.relay.hub.keptCount, bytes: loop.relay.hub.resumeBytes)
        if hub.kept != 0 || hub.bytes != 0 {
            world.fail("\(hub.kept) subscriptions and \(hub.bytes) bytes are kept after the end")
        }
        if loop.relay.context.loop.bufferedBytes != 0 {
            world.fail("\(loop.relay.context.loop.bufferedBytes) bytes are buffered after the end")
        }
        if loop.relay.context.loop.wheel.armedCount > 5 {
            world.fail("\(loop.relay.context.loop.wheel.armedCount) timers are armed after the end")
        }
    }
}

extension Plan {
    /// Worlds of so many pages are looked at whole after every few turns; larger ones now and then.
    var isSmall: Bool { pages <= 64 }

    /// After how many turns the whole daemon is looked at.
    var turnsBetweenLooks: Int { pages <= 8 ? 1 : isSmall ? 4 : 4096 }

    /// How late a timer may be, beside the time for which the daemon stood still.
    var lateness: Nanoseconds {
        // Every socket is looked at before a timer may say that something has not come.
        let look = Nanoseconds.milliseconds(faults.contains(.shortEventList) ? 400 : 60)
        let slow = Nanoseconds.milliseconds(faults.contains(.slowTurn) ? 2000 : 0)
        // Shorter standstills than the loop notices: one, or some of late waits in a row.
        let stop =
            LoopClock.tolerance * (faults.contains(.lateWait) ? 5 : 1) + .milliseconds(1)
        // A turn for each timer.
        let turns = timerLimit < 4096 ? Nanoseconds(Int64(pages) * 400_000) : .zero
        let size = Nanoseconds(Int64(pages) * 200_000)
        // The loops turn in one thread.
        return (look + slow + stop + turns + size) * Int64(loops)
    }
}
