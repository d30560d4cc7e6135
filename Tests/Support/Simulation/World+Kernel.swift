@testable import Relay

// What the daemon's kernel does: descriptors, readiness, waiting.
extension World {
    // MARK: - Descriptors

    func makeConnection(peer: Peer, path: Path) -> Connection {
        let connection = Connection(Descriptor(connections.count), peer: peer, path: path)
        if plan.faults.contains(.smallBuffers) {
            connection.sendCapacity = kernelDice.pick(of: [2048, 16_384, 65_536])
            connection.receiveCapacity = kernelDice.pick(of: [2048, 16_384, 65_536])
        }
        connections.append(connection)
        return connection
    }

    /// The connection of a descriptor that the daemon uses; it must be one that it holds.
    func held(_ descriptor: Descriptor) -> Connection {
        guard Int(descriptor) < connections.count, let connection = connections[Int(descriptor)],
            !connection.isClosed
        else { preconditionFailure("the daemon used descriptor \(descriptor) after closing it") }
        return connection
    }

    /// Whether the process has as many descriptors as it may.
    private var lacksDescriptors: Bool { active.contains(.descriptorsExhausted) }

    func listen(port: UInt16, token: Token) -> Descriptor {
        let descriptor = Descriptor(connections.count)
        connections.append(nil)
        listeners.append(Listener(descriptor, token: token, port: port))
        note(.listen, Int(descriptor))
        return descriptor
    }

    func stopListening(_ descriptor: Descriptor) {
        guard let index = listeners.firstIndex(where: { $0.descriptor == descriptor }) else {
            preconditionFailure("the daemon closed a listener that it does not have")
        }
        let listener = listeners.remove(at: index)
        for waiting in listener.backlog[listener.taken...] {
            waiting.isClosed = true
            sendReset(waiting)
        }
        note(.close, Int(descriptor))
    }

    func accept(_ descriptor: Descriptor) -> AcceptOutcome {
        spend()
        hand.acceptAttempts += 1
        guard let listener = listeners.first(where: { $0.descriptor == descriptor }) else {
            preconditionFailure("the daemon accepted from a listener that it does not have")
        }
        guard listener.hasWaiting else { return .wouldBlock }
        if lacksDescriptors { return .failed(.noDescriptors) }
        let connection = listener.backlog[listener.taken]
        listener.taken += 1
        if listener.taken > 64, listener.taken * 2 > listener.backlog.count {
            listener.backlog.removeFirst(listener.taken)
            listener.taken = 0
        }
        openDescriptors += 1
        connection.isHeld = true
        note(.accept, Int(connection.descriptor))
        switch connection.peer {
        case .page(let page): return .accepted(connection.descriptor, peer: page.address)
        case .script(let peer): return .accepted(connection.descriptor, peer: peer.address)
        case .hand(let address): return .accepted(connection.descriptor, peer: address)
        case .redis: return .wouldBlock
        }
    }

    func dial(_ address: SocketAddress, keepAlive: KeepAlive?, token: Token)
        throws(SystemError) -> Descriptor
    {
        spend()
        if lacksDescriptors {
            note(.dialFailed, Int(SystemError.noDescriptors.code))
            throw .noDescriptors
        }
        guard !isByHand else {
            return try dialByHand(address, keepAlive: keepAlive, token: token)
        }
        let peer = scriptedRedis.map { Peer.script($0.makePeer()) } ?? .redis(redis)
        let connection = makeConnection(peer: peer, path: redisPath)
        connection.token = token
        connection.loop = acting
        connection.interest = .write
        connection.isDecided = false
        connection.keepAlive = keepAlive
        connection.port = address.port
        connection.dialedAt = clock
        connection.isHeld = true
        connection.isToNobody = address.hostDescription != "127.0.0.\(redisHost)"
        openDescriptors += 1
        noteDial()
        note(.dial, Int(connection.descriptor), Int(address.port))
        plan(.dialDecided, in: delay(on: redisPath) * 2, Int(connection.descriptor))
        return connection.descriptor
    }

    func unwatch(_ descriptor: Descriptor) {
        let connection = held(descriptor)
        connection.interest = []
        forgetToken(of: connection)
    }

    /// The loop of the connection knows nothing of its token any more, and must not mind if told.
    private func forgetToken(of connection: Connection) {
        guard let token = connection.token.take() else { return }
        formerTokens.append((connection.loop, token))
        if formerTokens.count > 64 { formerTokens.removeFirst(32) }
    }

    func watch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        if let listener = listeners.first(where: { $0.descriptor == descriptor }) {
            listener.isPaused = interest.isEmpty
            return
        }
        let connection = held(descriptor)
        connection.token = token
        connection.loop = acting
        connection.interest = interest
        touch(connection)
    }

    // MARK: - Bytes

    func receive(_ descriptor: Descriptor, into buffer: inout [UInt8]) -> ReceiveOutcome {
        spend()
        let connection = held(descriptor)
        let waiting = connection.toDaemon.count
        guard waiting > 0 else {
            if let failure = connection.failure {
                connection.failure = nil
                connection.peerHasEnded = true
                note(.reset, Int(descriptor), Int(failure.code))
                return .failed(failure)
            }
            note(.read, Int(descriptor), connection.peerHasEnded ? -1 : 0)
            return connection.peerHasEnded ? .endOfStream : .wouldBlock
        }
        var count = min(buffer.count, waiting)
        if plan.faults.contains(.partialRead), kernelDice.chance(plan.mischief) {
            count = kernelDice.pick(1...count)
        }
        buffer.replaceSubrange(0..<count, with: connection.toDaemon[..<count])
        record.mix(bytes: connection.toDaemon[..<count])
        if count == waiting {
            connection.toDaemon.removeAll(keepingCapacity: waiting < 4096)
        } else {
            connection.toDaemon.removeFirst(count)
        }
        note(.read, Int(descriptor), count)
        touch(connection)
        if !connection.outbox.isEmpty || connection.inbound.ends { planInbound(connection) }
        return .bytes(count)
    }

    func send(_ descriptor: Descriptor, _ queue: OutputQueue) -> SendOutcome {
        spend()
        let connection = held(descriptor)
        if connection.daemonHasEnded { return .failed(.brokenPipe) }
        if connection.isResetAtWrite { connection.fail(with: .brokenPipe) }
        if connection.isFailed {
            let failure = connection.failure ?? .brokenPipe
            connection.failure = nil
            connection.peerHasEnded = true
            return .failed(failure)
        }
        var room = max(0, connection.sendCapacity - connection.fromDaemon.count)
        if room > 1, plan.faults.contains(.partialWrite), kernelDice.chance(plan.mischief) {
            room = kernelDice.pick(0...min(room, max(1, queue.count)))
        }
        let before = connection.fromDaemon.count
        if room > 0 {
            unsafe queue.forEachBlock { block in
                let piece = min(block.count, room)
                unsafe connection.fromDaemon.append(contentsOf: block.prefix(piece))
                room -= piece
                return room > 0
            }
        }
        let sent = connection.fromDaemon.count - before
        connection.writes += 1
        record.mix(bytes: connection.fromDaemon[before...])
        note(.write, Int(descriptor), sent)
        touch(connection)
        if sent > 0 {
            connection.silenceAtWrite = max(connection.silence, clock - connection.spokenAt)
            planOutbound(connection)
        }
        return .sent(sent)
    }

    func shutdownSending(_ descriptor: Descriptor) {
        let connection = held(descriptor)
        connection.daemonHasEnded = true
        connection.outbound.ends = true
        note(.endSending, Int(descriptor))
        touch(connection)
        planOutbound(connection)
    }

    func close(_ descriptor: Descriptor, reset: Bool) {
        spend()
        if listeners.contains(where: { $0.descriptor == descriptor }) {
            return stopListening(descriptor)
        }
        let connection = held(descriptor)
        connection.isClosed = true
        connection.wasReset = reset
        connection.closedAt = clock
        if case .page(let page) = connection.peer { page.noteClose() }
        forgetToken(of: connection)
        openDescriptors -= 1
        dialEnds(connection)
        note(.close, Int(descriptor), reset ? 1 : 0)
        guard !isByHand else { return closeByHand(connection) }
        if case .redis(let server) = connection.peer { server.noteBreak(of: connection) }
        guard connection.isDecided, connection.dialError == nil else {
            connections[Int(descriptor)] = nil
            return
        }
        guard !connection.isFailed else { return sendReset(connection) }
        // Unread bytes make the kernel answer with a reset, and what was to be sent is lost (RFC
        // 2525, section 2.17).
        if reset || !connection.toDaemon.isEmpty {
            sendReset(connection)
        } else {
            connection.outbound.ends = true
            planOutbound(connection)
        }
    }

    // MARK: - Readiness

    /// The state of a connection has changed: it may be ready.
    func touch(_ connection: Connection) {
        guard !connection.isListed, !connection.isClosed, connection.token != nil,
            connection.isReadable || connection.isWritable
        else { return }
        connection.isListed = true
        readyList.append(connection)
    }

    /// Whether something is ready for the loop that acts; the first has the listeners and the signals.
    var isReady: Bool {
        if answers.contains(where: { $0.loop == acting }) { return true }
        if acting == 0 {
            if !signals.isEmpty { return true }
            for listener in listeners where listener.hasWaiting && !listener.isPaused {
                return true
            }
        }
        while readyHead < readyList.count {
            let first = readyList[readyHead]
            if !first.isClosed, first.isReadable || first.isWritable {
                return first.loop == acting || isReady(behind: readyHead)
            }
            first.isListed = false
            readyHead += 1
        }
        readyList.removeAll(keepingCapacity: true)
        readyHead = 0
        return false
    }

    private func isReady(behind head: Int) -> Bool {
        readyList[(head + 1)...].contains { connection in
            connection.loop == acting && !connection.isClosed
                && (connection.isReadable || connection.isWritable)
        }
    }

    /// Tells what is ready, `limit` events at most; those that stay ready stand behind the others
    /// then, as in epoll. Returns whether all were told.
    func collect(into events: inout [SysEvent], limit: Int) -> WaitOutcome {
        let before = events.count
        events += answers.filter { $0.loop == acting }.map(\.event)
        answers.removeAll { $0.loop == acting }
        if acting == 0 {
            events += signals.map { .signal($0) }
            signals.removeAll()
            for listener in listeners where listener.hasWaiting && !listener.isPaused {
                events.append(.socket(listener.token, readable: true, writable: false))
            }
        }
        let end = readyList.count
        while readyHead < end, events.count - before < limit {
            let connection = readyList[readyHead]
            readyHead += 1
            connection.isListed = false
            guard !connection.isClosed, let token = connection.token else { continue }
            guard connection.loop == acting else {
                touch(connection)
                continue
            }
            let readable = connection.isReadable
            let writable = connection.isWritable
            guard readable || writable else { continue }
            events.append(.socket(token, readable: readable, writable: writable))
            touch(connection)
        }
        let told = events.count - before
        if readyHead > 1024, readyHead * 2 > readyList.count {
            readyList.removeFirst(readyHead)
            readyHead = 0
        }
        addMischief(to: &events)
        note(.wait, told, told < limit ? 0 : 1)
        return told < limit ? .complete : .cut(told: told)
    }

    /// Events of nothing: readiness that is over, and tokens whose connection has ended.
    private func addMischief(to events: inout [SysEvent]) {
        guard stage == .disturbed else { return }
        if plan.faults.contains(.spuriousReadiness), kernelDice.chance(plan.mischief),
            let some = connections.randomElement(with: &kernelDice), let connection = some,
            !connection.isClosed, connection.isDecided, connection.loop == acting,
            let token = connection.token,
            !events.contains(where: { $0.isOf(token) })
        {
            let readable = connection.interest.contains(.read)
            let writable = connection.interest.contains(.write)
            events.append(.socket(token, readable: readable, writable: writable))
        }
        if plan.faults.contains(.staleReadiness), kernelDice.chance(plan.mischief) {
            let kind: TokenKind = kernelDice.chance(0.5) ? .client : .link
            let id = SlotID(
                index: UInt32(kernelDice.pick(0...20)),
                generation: UInt32(kernelDice.pick(0...3)) * 2)
            events.append(.socket(Token(kind, id), readable: true, writable: true))
            if let former = formerTokens.randomElement(with: &kernelDice), former.loop == acting {
                events.append(.socket(former.token, readable: true, writable: true))
            }
        }
    }

    // MARK: - Waiting

    /// Most events that one wait tells.
    private var eventLimit: Int {
        guard plan.faults.contains(.shortEventList) else { return 256 }
        return kernelDice.pick(of: [1, 2, 5, 256])
    }

    func wait(until deadline: BootTime?, into events: inout [SysEvent]) -> WaitOutcome {
        guard !isByHand else { return waitByHand(into: &events) }
        turnCount += 1
        spend()
        catchUp()
        guard !isReady else { return collect(into: &events, limit: eventLimit) }
        var wake = Int64.max
        if let deadline {
            // In whole milliseconds, rounded up, by the clock that stands still while the machine
            // sleeps.
            let span = max(0, deadline.nanoseconds - clock)
            wake = monotonic + (span + 999_999) / 1_000_000 * 1_000_000
        }
        // Where there are several loops, time passes between their turns.
        let isTimedOut = plan.loops > 1 || sleepUntilReady(wake)
        guard violation == nil else { return .complete }
        if isInterrupted {
            isInterrupted = false
            return .interrupted
        }
        if plan.faults.contains(.lateWait), stage == .disturbed, kernelDice.chance(plan.mischief) {
            // Half of them so short that the daemon takes them for no standstill.
            let longest: Nanoseconds = kernelDice.chance(0.5) ? .milliseconds(90) : .seconds(3)
            standStill(kernelDice.span(.milliseconds(1), longest).count)
            // The kernel had looked when the time was over, and the process did not run then.
            if isTimedOut, kernelDice.chance(0.5) { return .complete }
        }
        return collect(into: &events, limit: eventLimit)
    }

    /// Lets the next thing happen, or the time come, whichever is first.
    func step(until end: Int64) {
        if dueStandstill.span > 0 {
            let span = dueStandstill.span
            dueStandstill.span = 0
            return standStill(span)
        }
        guard let time = agenda.nextTime, time <= end, let next = agenda.next() else {
            if end == .max { fail("the daemon waits for ever, and nothing is to come") }
            clock = end == .max ? clock : max(clock, end)
            return
        }
        clock = max(clock, time)
        happen(next)
    }

    /// Lets time pass until something is ready, the wait is interrupted, or the monotonic clock
    /// says `wake`; returns whether it was the last.
    private func sleepUntilReady(_ wake: Int64) -> Bool {
        while !isReady, !isInterrupted {
            if dueStandstill.span > 0 {
                let span = dueStandstill.span
                dueStandstill.span = 0
                standStill(span)
                // A process that is stopped and goes on has its wait interrupted.
                isInterrupted = isInterrupted || kernelDice.chance(0.5)
                continue
            }
            let end = wake == .max ? wake : wake + slept
            guard let time = agenda.nextTime, time <= end, let next = agenda.next() else {
                if end == .max {
                    fail("the daemon waits for ever, and nothing is to come")
                } else {
                    clock = max(clock, end)
                }
                return true
            }
            clock = max(clock, time)
            happen(next)
            if violation != nil { return true }
        }
        return false
    }
}

extension Array {
    fileprivate func randomElement(with dice: inout Dice) -> Element? {
        isEmpty ? nil : self[dice.pick(0...count - 1)]
    }
}

extension SysEvent {
    /// Whether it tells of the socket of a token: the kernel tells of each once.
    fileprivate func isOf(_ token: Token) -> Bool {
        if case .socket(token, _, _) = self { true } else { false }
    }
}
