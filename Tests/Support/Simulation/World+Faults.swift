@testable import Relay

// What goes wrong, when, and when it ends.
extension World {
    /// How long everything has to settle after the last message.
    private static let settlingTime = Nanoseconds.seconds(8)
    /// How long what is still under way then may take to arrive.
    private static let arrivalTime = Nanoseconds.seconds(300)

    /// Plans the whole run.
    func planRun() {
        guard !plan.isScripted else { return active = plan.faults }
        for channel in channels {
            plan(.publish, in: actorDice.around(plan.messageInterval), channel.index)
        }
        for fault in plan.faults.list {
            if fault.comesAndGoes {
                plan(.fault, in: .seconds(2) + faultDice.around(plan.faultInterval), fault.rawValue)
            } else {
                active.insert(fault)
            }
        }
        for fault in active.list { pairs[fault.rawValue] |= active.rawValue }
        let duration = plan.duration
        plan(.stage, in: duration, Stage.recovering.rawValue)
    }

    /// A fault begins, where `detail` is 0, or ends.
    func changeFault(_ number: Int, _ detail: Int) {
        guard let fault = Fault(rawValue: number), stage == .disturbed else { return }
        guard detail == 0 else {
            end(fault)
            return
        }
        let span = faultDice.span(.milliseconds(100), .seconds(40))
        note(.fault, number, Int(span.milliseconds))
        active.insert(fault)
        notePairs(of: fault)
        begin(fault, for: span)
        plan(.fault, in: span, number, 1)
        plan(.fault, in: span + faultDice.around(plan.faultInterval), number)
    }

    private func notePairs(of fault: Fault) {
        pairs[fault.rawValue] |= active.rawValue
        for other in active.list { pairs[other.rawValue] |= 1 << UInt64(fault.rawValue) }
    }

    private func begin(_ fault: Fault, for span: Nanoseconds) {
        switch fault {
        case .suspend: sleep(faultDice.span(.milliseconds(300), .seconds(3600)).count)
        case .standstill:
            dueStandstill = (
                faultDice.span(.milliseconds(110), .seconds(120)).count, faultDice.pick(1...30)
            )
        case .interruptedWait: isInterrupted = true
        case .wallJump: jump()
        case .browserPathDead:
            for page in pages where faultDice.chance(0.3) { page.path.isDead = true }
        case .redisPathDead:
            redisPath.isDead = true
            probeLinks()
        case .redisReset: resetLinks()
        case .redisRestart: redis.become(.down, for: span)
        case .redisStall: redis.become(.stalled, for: span)
        case .redisLoading: redis.become(.loading, for: span)
        case .redisKill: redis.killOne(reset: faultDice.chance(0.5))
        case .redisNoPermission, .addressChange, .failover, .daemonRestart, .loopStandstill,
            .resharding:
            beginChange(fault, for: span)
        case .burst:
            channels[faultDice.pick(0...channels.count - 1)]
                .beginBurst(of: faultDice.pick(10...1000), in: self)
        default: break
        }
    }

    private func beginChange(_ fault: Fault, for span: Nanoseconds) {
        switch fault {
        case .addressChange:
            redisHost = Self.hosts.first { $0 != redisHost } ?? redisHost
            note(.moved, redisHost)
            redis.dropAll()
        case .failover where plan.isCluster: redis.failOverShard(agreed: span)
        case .failover: redis.failOver(agreed: span)
        case .resharding where plan.isCluster: redis.moveSlots(agreed: span)
        case .daemonRestart:
            restart = faultDice.span(.milliseconds(50), .seconds(20))
            isInterrupted = true
        case .loopStandstill where plan.loops > 1:
            let loop = faultDice.pick(0...plan.loops - 1)
            let span = withinDisturbance(faultDice.span(.milliseconds(50), .seconds(30)).count)
            standing = (loop, clock + span)
            note(.standing, loop, Int(span))
        default: break
        }
    }

    private func end(_ fault: Fault) {
        active.remove(fault)
        note(.fault, fault.rawValue, 0)
        switch fault {
        case .browserPathDead: for page in pages { page.path.isDead = false }
        case .redisPathDead: redisPath.isDead = false
        case .failover where plan.isCluster: redis.endFailover()
        case .lookUpHang: break
        default: break
        }
    }

    private func jump() {
        let span = faultDice.span(.milliseconds(5), .seconds(7200)).count
        let signed = faultDice.chance(0.5) ? span : -span
        wallOffset += signed
        wallOffsets.append(wallOffset)
        wallSettings.append(WallSetting(since: clock, offset: wallOffset))
        note(.wall, Int(signed))
    }

    private func probeLinks() {
        for connection in connections {
            guard let connection, !connection.isClosed, connection.keepAlive != nil else {
                continue
            }
            plan(.keepAlive, in: .seconds(1), Int(connection.descriptor))
        }
    }

    /// The network resets connections to Redis, and neither end has asked for it.
    private func resetLinks() {
        for connection in connections {
            guard let connection, case .redis(let server) = connection.peer, !connection.isFailed,
                connection.isDecided, connection.dialError == nil, faultDice.chance(0.5)
            else { continue }
            server.networkReset(connection)
            plan(.resetArrives, in: .zero, Int(connection.descriptor))
        }
    }

    // MARK: - Stages

    func enter(_ stage: Stage) {
        if stage == .recovering, self.stage == .recovering {
            return awaitRecovery(until: recoveryLimit)
        }
        // Through small buffers a burst takes its time.
        if stage == .quiet, isUnderWay, clock < arrivalLimit {
            return plan(.stage, in: .seconds(2), Stage.quiet.rawValue)
        }
        self.stage = stage
        note(.stage, stage.rawValue)
        switch stage {
        case .disturbed: break
        case .recovering: heal()
        case .settled:
            for channel in channels { channel.publish(in: self) }
            arrivalLimit = clock + Self.arrivalTime.count
            plan(.stage, in: Self.settlingTime, Stage.quiet.rawValue)
        case .quiet:
            for page in pages { page.checkSettled() }
            plan(.stage, in: .seconds(2), Stage.parting.rawValue)
        case .parting:
            for page in pages where actorDice.chance(1.0 / 3) { page.leaveForGood() }
            plan(.stage, in: .seconds(4), Stage.parted.rawValue)
        case .parted:
            if !plan.isScripted { redis.checkTable() }
            // What is kept for pages that may come back is to be gone.
            plan(.stage, in: plan.resumeShare > 0 ? keepingLimit : .zero, Stage.ending.rawValue)
        case .ending:
            if !plan.isScripted { redis.checkTable() }
            signals.append(15)
            for page in pages where page.wantsToBeSubscribed {
                page.isToBeSentAway = page.state == .open
            }
            let settings = plan.settings
            // Each client may take its time for the close handshake, but no longer than the limit.
            stopLimit =
                clock
                + (settings.drainDelay + settings.drainWindow + settings.shutdownTimeout
                + .seconds(2)).count
        }
    }

    /// Whether every page that wants to be is subscribed.
    private var isRecovered: Bool {
        for page in pages where page.wantsToBeSubscribed {
            // What the daemon has closed on a way that was dead seems open to its page until the
            // page's kernel asks for it: all is well only when it has.
            guard page.state == .open, page.told.isLive, page.connection?.isClosed == false else {
                return false
            }
        }
        let wanted = wantedSubscriptions { $0.wantsToBeSubscribed }
        return channels.allSatisfy { redis.subscriberCount(of: $0) >= wanted[$0.index] }
    }

    /// Whether anything of the messages is on its way still, between Redis and the pages.
    private var isUnderWay: Bool {
        connections.contains { connection in
            guard let connection, !connection.isClosed, !connection.isFailed else { return false }
            switch connection.peer {
            case .redis: return !connection.outbox.isEmpty
            case .page(let page): return page.state == .open && connection.fromDaemon.count > 256
            case .script, .hand: return false
            }
        }
    }

    /// How many connections are to be subscribed to each channel for some of the pages.
    func wantedSubscriptions(of isOne: (Page) -> Bool) -> [Int] {
        var counts = channels.map { _ in 0 }
        // The loops of which each channel has pages.
        var loops = channels.map { _ in 0 }
        for page in pages where isOne(page) {
            counts[page.channel.index] += 1
            loops[page.channel.index] |= 1 << (page.connection?.loop ?? 0)
        }
        guard plan.settings.redisSubscriptions == .shared else { return counts }
        return loops.map(\.nonzeroBitCount)
    }

    /// How many subscriptions of each channel the connections take that the daemon has with pages.
    var subscriptionsOfHeldConnections: [Int] {
        var counts = channels.map { _ in 0 }
        var loops = channels.map { _ in 0 }
        for case let connection? in connections where connection.isHeld && !connection.isClosed {
            guard case .page(let page) = connection.peer else { continue }
            counts[page.channel.index] += 1
            loops[page.channel.index] |= 1 << connection.loop
        }
        return plan.settings.redisSubscriptions == .shared ? loops.map(\.nonzeroBitCount) : counts
    }

    /// Looks whether all have come back; they have the limit for it.
    private func awaitRecovery(until limit: Int64) {
        recoveryLimit = limit
        guard isRecovered, clock < limit else {
            recovery = .unknown
            guard clock < limit else { return enter(.settled) }
            return plan(.stage, in: .seconds(2), Stage.recovering.rawValue)
        }
        guard recovery != .confirmed else { return enter(.settled) }
        recovery = .asked
        isInterrupted = true
        plan(.stage, in: .milliseconds(100), Stage.recovering.rawValue)
    }

    /// Nothing goes wrong any more.
    private func heal() {
        for fault in active.list where fault.comesAndGoes { end(fault) }
        active = []
        dueStandstill = (0, 0)
        redisPath.isDead = false
        redisPath.loss = 0
        redis.recover()
        redis.cluster.heal()
        for page in pages { page.reform() }
        recoveryLimit = clock + plan.recoveryLimit.count
        plan(.stage, in: .seconds(6), Stage.recovering.rawValue)
    }
}
