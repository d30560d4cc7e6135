@testable import Relay

// What the network does: bytes on their way, ends, resets, nothing at all.
extension World {
    /// Bytes that one step moves.
    private static let stepSize = 64 * 1024
    /// The longest wait before bytes that were lost are sent again.
    private static let longestRetransmission = Nanoseconds.seconds(3)
    /// After so long a kernel asks whether a silent browser or server is still there.
    static let peerKeepAlive = Nanoseconds.seconds(45)
    /// How long bytes are sent again where nobody has set another limit.
    private static let patience = Nanoseconds.seconds(924)

    /// The time that a packet takes, its losses included.
    func delay(on path: Path) -> Nanoseconds {
        let jitter = path.latency.count / 4
        var span = path.latency.count + networkDice.pick(0...max(1, jitter))
        if path.loss > 0 {
            var wait: Int64 = 200_000_000
            while wait < Self.longestRetransmission.count, networkDice.chance(path.loss) {
                span += wait
                wait *= 2
            }
        }
        return Nanoseconds(span)
    }

    private func isDead(_ connection: Connection) -> Bool { isAsleep || connection.path.isDead }

    private func retransmission(_ stream: inout Stream) -> Nanoseconds {
        stream.retransmissions = min(stream.retransmissions + 1, 10)
        let wait = Nanoseconds.milliseconds(200 << Int64(stream.retransmissions - 1))
        // While the machine sleeps the other ends are patient, and go on soon after.
        return min(isAsleep ? .milliseconds(100) : Self.longestRetransmission, wait)
    }

    // MARK: - From the daemon

    func planOutbound(_ connection: Connection) {
        guard !isByHand, !connection.outbound.isPlanned, !connection.outbound.hasEnded else {
            return
        }
        connection.outbound.isPlanned = true
        plan(.outbound, in: delay(on: connection.path), Int(connection.descriptor))
    }

    func moveOutbound(_ descriptor: Int) {
        guard let connection = connections[descriptor], !connection.isFailed else { return }
        connection.outbound.isPlanned = false
        guard !connection.outbound.hasEnded else { return }
        guard !isDead(connection) else { return sendAgain(connection) }
        connection.outbound.retransmissions = 0
        connection.outbound.unacknowledgedSince = nil
        if connection.inbound.isGone {
            // Nobody is there: the other machine answers with a reset.
            plan(.resetArrives, in: delay(on: connection.path), descriptor)
            return
        }
        var count = min(connection.fromDaemon.count, Self.stepSize, room(connection))
        if let rate = connection.path.bytesPerSecond { count = min(count, max(1, rate / 100)) }
        if count > 0 {
            let bytes = Array(connection.fromDaemon[..<count])
            connection.fromDaemon.removeFirst(count)
            touch(connection)
            switch connection.peer {
            case .page(let page): page.receive(bytes)
            case .redis(let server): server.receive(bytes, on: connection)
            case .script(let peer): peer.received += bytes
            case .hand: break
            }
        }
        if !connection.fromDaemon.isEmpty {
            // A peer that does not read says so when it reads again.
            guard room(connection) > 0 else { return }
            connection.outbound.isPlanned = true
            let step: Nanoseconds =
                connection.path.bytesPerSecond == nil
                ? connection.path.latency : max(.milliseconds(10), connection.path.latency)
            return plan(.outbound, in: step, descriptor)
        }
        guard connection.outbound.ends else { return }
        connection.outbound.hasEnded = true
        switch connection.peer {
        case .page(let page): page.ended(connection)
        case .redis(let server): server.ended(connection)
        case .script, .hand: break
        }
        forgetIfOver(connection)
    }

    /// Bytes that the peer's machine still takes.
    private func room(_ connection: Connection) -> Int {
        if case .page(let page) = connection.peer { return page.room(on: connection) }
        if case .redis(let server) = connection.peer { return server.room(on: connection) }
        if case .script(let peer) = connection.peer { return peer.room }
        return .max
    }

    private func sendAgain(_ connection: Connection) {
        let limit = connection.keepAlive?.limit ?? Self.patience
        let since = connection.outbound.unacknowledgedSince ?? monotonic
        connection.outbound.unacknowledgedSince = since
        if monotonic - since >= limit.count, !isAsleep { return breakOff(connection, .timedOut) }
        connection.outbound.isPlanned = true
        let wait = retransmission(&connection.outbound)
        plan(.outbound, in: wait, Int(connection.descriptor))
    }

    /// The daemon's kernel resets the connection; what was to be sent is lost.
    func sendReset(_ connection: Connection) {
        guard !isByHand else { return }
        connection.fromDaemon = []
        connection.outbound.hasEnded = true
        plan(.resetLeaves, in: delay(on: connection.path), Int(connection.descriptor))
    }

    func resetLeaves(_ descriptor: Int) {
        guard let connection = connections[descriptor] else { return }
        guard !isDead(connection) else {
            // It is not sent again; the peer's next probe is answered with another.
            return plan(.resetLeaves, in: Self.peerKeepAlive, descriptor)
        }
        connections[descriptor] = nil
        switch connection.peer {
        case .page(let page): page.wasReset(connection)
        case .redis(let server): server.wasReset(connection)
        case .script, .hand: break
        }
    }

    // MARK: - To the daemon

    func planInbound(_ connection: Connection) {
        guard !isByHand, !connection.inbound.isPlanned, !connection.inbound.hasEnded else { return }
        connection.inbound.isPlanned = true
        plan(.inbound, in: delay(on: connection.path), Int(connection.descriptor))
    }

    /// The peer sends bytes.
    func send(_ bytes: [UInt8], on connection: Connection) {
        guard !connection.inbound.ends, !connection.inbound.isGone, !connection.isFailed else {
            return
        }
        connection.outbox += bytes
        planInbound(connection)
    }

    /// The peer closes: its end follows its bytes, and whatever reaches it then is answered with a
    /// reset.
    func closePeer(_ connection: Connection) {
        connection.inbound.ends = true
        connection.inbound.isGone = true
        planInbound(connection)
    }

    /// The peer resets the connection.
    func resetPeer(_ connection: Connection) {
        connection.inbound.isGone = true
        connection.inbound.ends = true
        connection.outbox = []
        plan(.resetArrives, in: delay(on: connection.path), Int(connection.descriptor))
    }

    /// The peer's machine is gone without a word.
    func losePeer(_ connection: Connection) {
        connection.inbound.isGone = true
        connection.outbox = []
    }

    func moveInbound(_ descriptor: Int) {
        guard let connection = connections[descriptor], !connection.isFailed else { return }
        connection.inbound.isPlanned = false
        guard !connection.inbound.hasEnded else { return }
        guard !isDead(connection) else {
            connection.inbound.isPlanned = true
            return plan(.inbound, in: retransmission(&connection.inbound), descriptor)
        }
        connection.inbound.retransmissions = 0
        if connection.isClosed, !connection.outbox.isEmpty {
            // Nobody holds the socket any more.
            connection.outbox = []
            return sendReset(connection)
        }
        let held = connection.toDaemon.count
        var count = min(
            connection.outbox.count, Self.stepSize, max(0, connection.receiveCapacity - held))
        if let rate = connection.path.bytesPerSecond { count = min(count, max(1, rate / 100)) }
        if count > 0 {
            connection.heardAt = monotonic
            if clock - connection.spokenAt > 1_000_000_000 {
                connection.silence = clock - connection.spokenAt
            }
            connection.spokenAt = clock
            if connection.toDaemon.isEmpty, count == connection.outbox.count {
                swap(&connection.toDaemon, &connection.outbox)
            } else {
                connection.toDaemon += connection.outbox[..<count]
                connection.outbox.removeFirst(count)
            }
        }
        if !connection.outbox.isEmpty {
            // Where the daemon does not read, its next read makes the bytes move on.
            if count > 0 {
                connection.inbound.isPlanned = true
                plan(.inbound, in: max(connection.path.latency, .milliseconds(1)), descriptor)
            }
        } else if connection.inbound.ends {
            connection.inbound.hasEnded = true
            connection.peerHasEnded = true
            forgetIfOver(connection)
        }
        touch(connection)
        if case .redis(let server) = connection.peer { server.drained(connection) }
    }

    func resetArrives(_ descriptor: Int) {
        guard let connection = connections[descriptor] else { return }
        guard !isDead(connection) else { return }
        breakOff(connection, .connectionReset)
    }

    /// The connection fails: the daemon reads what has come, then the error.
    private func breakOff(_ connection: Connection, _ error: SystemError) {
        guard !connection.isFailed else { return }
        connection.isFailed = true
        connection.failure = error
        connection.fromDaemon = []
        // A good-bye that a reset has overtaken was never heard.
        if case .page(let page) = connection.peer, !connection.outbox.isEmpty {
            page.memory.hasSaidGoodbye = false
        }
        connection.outbox = []
        if case .redis(let server) = connection.peer { server.noteBreak(of: connection) }
        if connection.isClosed {
            // The peer learns of it when it asks.
            plan(.resetLeaves, in: Self.peerKeepAlive, Int(connection.descriptor))
        }
        touch(connection)
    }

    /// A closed connection whose both directions have ended is nobody's any more.
    private func forgetIfOver(_ connection: Connection) {
        guard connection.isClosed, connection.outbound.hasEnded, connection.inbound.hasEnded else {
            return
        }
        connections[Int(connection.descriptor)] = nil
    }

    // MARK: - Connecting

    func decideDial(_ descriptor: Int) {
        guard let connection = connections[descriptor], !connection.isClosed else { return }
        guard !isDead(connection), !connection.isToNobody, !redis.isSilent(connection.port) else {
            return plan(.dialDecided, in: .seconds(1), descriptor)
        }
        connection.isDecided = true
        connection.heardAt = monotonic
        if case .script(let peer) = connection.peer, peer.isRefusing {
            connection.dialError = .connectionRefused
        } else if case .redis = connection.peer, !redis.accepts(connection) {
            connection.dialError = .connectionRefused
            dialEnds(connection)
        }
        note(.decided, descriptor, Int(connection.dialError?.code ?? 0))
        touch(connection)
    }

    /// A browser's attempt to connect reaches the daemon's machine.
    func arrive(_ page: Page, _ attempt: Int) {
        guard page.awaits(attempt) else { return }
        guard !isAsleep, !page.path.isDead else {
            return plan(.arrival, in: .seconds(1), page.index, attempt)
        }
        guard let listener = listeners.first(where: { $0.port == Self.port }) else {
            return page.wasRefused()
        }
        let connection = makeConnection(peer: .page(page), path: page.path)
        if page.isSlow { connection.sendCapacity = 4096 }
        listener.backlog.append(connection)
        connection.spokenAt = clock
        note(.arrival, page.index, Int(connection.descriptor))
        page.connected(connection)
    }

    /// The path to Redis is dead: the kernel's probes of an idle connection are not answered.
    func probe(_ descriptor: Int) {
        guard let connection = connections[descriptor], !connection.isClosed,
            let keepAlive = connection.keepAlive, connection.path.isDead
        else { return }
        let silent = Nanoseconds(monotonic - connection.heardAt)
        let limit = max(keepAlive.limit, keepAlive.idle + keepAlive.interval)
        guard silent >= limit else {
            return plan(.keepAlive, in: limit - silent, descriptor)
        }
        breakOff(connection, .timedOut)
    }

    // MARK: - Names

    func resolve(host: String, port: UInt16, token: Token) {
        spend()
        guard !isByHand else { return resolveByHand(host: host, port: port, token: token) }
        pendingLookUps.append(LookUp(token: token, port: port, loop: acting))
        guard !active.contains(.lookUpHang) else { return }
        let wait = networkDice.span(.milliseconds(0) + Nanoseconds(20_000), .milliseconds(50))
        plan(.lookUp, in: wait, pendingLookUps.count - 1)
    }

    func answerLookUp(_ index: Int) {
        guard let lookUp = pendingLookUps[index] else { return }
        if active.contains(.lookUpFailure) {
            note(.look, index, 0)
            answers.append((lookUp.loop, .resolved(lookUp.token, .failed("Temporary failure"))))
            return
        }
        // Some name servers have the former address for a while.
        let isStale = active.contains(.addressChange) && networkDice.chance(0.3)
        let host = isStale ? Self.hosts.first { $0 != redisHost } : redisHost
        guard let address = SocketAddress(numeric: "127.0.0.\(host ?? 1)", port: lookUp.port) else {
            return
        }
        note(.look, index, 1)
        answers.append(
            (lookUp.loop, .resolved(lookUp.token, .addresses(addresses(of: address)))))
    }

    /// The addresses that Redis has in turn.
    static let hosts = [1, 9]

    /// What a name stands for: the server, and addresses at which nobody is, in any order.
    private func addresses(of server: SocketAddress) -> [SocketAddress] {
        guard plan.faults.contains(.deadAddress) else { return [server] }
        var found = [server]
        for number in 2...3 where networkDice.chance(0.5) {
            guard let dead = SocketAddress(numeric: "127.0.0.\(number)", port: server.port) else {
                continue
            }
            found.insert(dead, at: networkDice.pick(0...found.count))
        }
        return found
    }

    // MARK: - The gate

    func noteDial() {
        // The world does not know when a script has answered a greeting.
        guard !plan.isScripted else { return }
        dialsInFlight += 1
        dialTimes.append(clock)
        let settings = plan.settings
        // A link's addresses are dialed in a race. The link that asks where the slots are goes on to the
        // next node without the gate: the dials that fill it may be to nodes that are no masters any more.
        let allowed =
            (settings.redisDialConcurrency + (plan.isCluster ? 1 : 0))
            * (plan.faults.contains(.deadAddress) ? 3 : 1)
        if dialsInFlight > allowed {
            fail("\(dialsInFlight) dials are in flight, and \(allowed) may be")
        }
        checkDialRate()
    }

    /// So many dials as a second permits, and the burst, take a second at least.
    private func checkDialRate() {
        // A link of a Sentinel's or a cluster's service dials one node after the other.
        guard !plan.isCluster,
            plan.faults.isDisjoint(with: FaultSet([.deadAddress, .failover, .daemonRestart]))
        else { return }
        let rate = plan.settings.redisDialRate
        let allowed = rate + max(1, rate / 10) + 1
        guard dialTimes.count > allowed else { return }
        let span = clock - dialTimes[dialTimes.count - 1 - allowed]
        // What the daemon does late, it does by the time at which its turn began.
        let isLate = !plan.faults.isDisjoint(
            with: FaultSet([.slowTurn, .lateWait, .loopStandstill]))
        if span < (isLate ? 800_000_000 : 990_000_000) {
            fail("\(allowed + 1) dials in \(span / 1_000_000) ms, and \(rate) a second may begin")
        }
        if dialTimes.count > 4 * allowed { dialTimes.removeFirst(dialTimes.count - 2 * allowed) }
    }

    /// The dial of a connection is over, well or badly.
    func dialEnds(_ connection: Connection) {
        guard connection.dialedAt > 0 else { return }
        connection.dialedAt = 0
        dialsInFlight -= 1
    }
}
