import Logging
import WSFrame

// The admin listener: its connections, and what they ask for.
extension Relay where S: ~Copyable {
    /// Opens the listener where one is configured; returns the line of a fatal error.
    mutating func openAdminListener() -> String? {
        guard let address = settings.adminAddress else { return nil }
        do throws(SystemError) {
            let (descriptor, bound) = try loop.sys.listen(address, token: Token(.adminListener))
            admin.listener = descriptor
            admin.boundAddress = bound
            admin.router = AdminRouter(isUnixSocket: bound.networkAddress == nil)
            log.server.info("admin listening", metadata: ["address": "\(bound)"])
            return nil
        } catch {
            return "cannot listen on \(address) for the admin listener: \(error.reason)"
        }
    }

    /// Why the daemon is not ready, as far as pages' port may tell: with an admin listener only that it
    /// is not.
    var publicUnreadiness: [String] {
        let reasons = unreadiness
        return reasons.isEmpty || settings.adminAddress == nil ? reasons : ["not_ready"]
    }

    // MARK: - Connections

    mutating func acceptAdmins() {
        guard let listener = admin.listener else { return }
        for _ in 0..<Self.acceptLimit {
            guard case .accepted(let descriptor, _) = loop.sys.accept(listener) else { return }
            guard admin.connections.count < AdminListener.connectionLimit else {
                loop.sys.close(descriptor, reset: true)
                continue
            }
            let now = loop.now
            let id = admin.connections.insert { id in
                AdminEntry(
                    machine: AdminConnection(now: now),
                    socket: loop.makeSocket(token: Token(.adminConnection, id)))
            }
            loop.adopt(descriptor, in: &admin.connections[id].socket)
            arm(admin: id)
        }
    }

    mutating func adminEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        guard admin.connections.contains(id) else { return }
        if readable { readAdmin(id) }
        if writable, admin.connections.contains(id) {
            loop.markDirty(&admin.connections[id].socket)
        }
    }

    private mutating func readAdmin(_ id: SlotID) {
        var buffer = take(&loop.readBuffer)
        switch loop.sys.receive(admin.connections[id].socket.descriptor, into: &buffer) {
        case .bytes(let count): consumeAdmin(id, &buffer, count)
        case .endOfStream, .failed: closeAdmin(id)
        case .wouldBlock: break
        }
        loop.giveBack(&buffer)
    }

    private mutating func consumeAdmin(_ id: SlotID, _ buffer: inout [UInt8], _ count: Int) {
        let total = loop.join(&buffer, count: count, in: &admin.connections[id].socket)
        var offset = 0
        reply.removeAll(keepingCapacity: true)
        let action = admin.connections[id].machine.receive(
            buffer, from: &offset, to: total, now: loop.now, reply: &reply)
        loop.queue(reply, on: &admin.connections[id].socket)
        loop.keep(&buffer, from: offset, of: total, in: &admin.connections[id].socket)
        if case .route(let request) = action { serveAdmin(request, to: id) }
        if admin.connections.contains(id) { arm(admin: id) }
    }

    mutating func flushAdmin(_ id: SlotID) {
        guard admin.connections.contains(id) else { return }
        admin.connections[id].socket.isDirty = false
        switch loop.flush(&admin.connections[id].socket, reads: true) {
        case .failed: closeAdmin(id)
        case .blocked: break
        case .drained:
            switch admin.connections[id].machine.state {
            case .finishing: loop.endSending(&admin.connections[id].socket)
            case .streaming: passTraceOn()
            case .request, .waiting: break
            }
        }
    }

    mutating func adminTimer(_ id: SlotID, _ verdict: TimerVerdict) {
        guard admin.connections.contains(id) else { return }
        loop.fired(&admin.connections[id].socket)
        guard case .judged(let now) = verdict else { return arm(admin: id) }
        switch admin.connections[id].machine.timedOut(now: now) {
        case .timeUp: answerInPart(id)
        case .close: closeAdmin(id)
        case .none, .route, .finish: arm(admin: id)
        }
    }

    private mutating func arm(admin id: SlotID) {
        loop.arm(&admin.connections[id].socket, at: admin.connections[id].machine.deadline)
    }

    mutating func closeAdmin(_ id: SlotID) {
        loop.release(&admin.connections[id].socket)
        admin.connections.remove(id)
        admin.questions.removeAll { $0.connection == id }
        if admin.trace?.reader == id { endAdminTrace() }
    }

    /// Ends the listener and its connections with the loop.
    mutating func closeAdminListener() {
        if admin.trace != nil { endAdminTrace() }
        for id in admin.connections.ids { closeAdmin(id) }
        if let listener = admin.listener.take() { loop.sys.stopListening(listener) }
    }

    // MARK: - Requests

    private mutating func serveAdmin(_ request: HTTPRequest, to id: SlotID) {
        switch admin.router.route(request) {
        case .health: answer(id, HTTPResponse(status: 200, text: "OK"))
        case .ready: answer(id, Self.readiness(unreadiness))
        case .metrics(let format): serveMetrics(to: .admin(id), as: format)
        case .debug(let question): ask(question, for: id)
        case .traceState: answer(id, traceState())
        case .startTrace(let request): startTrace(request, for: id)
        case .stopTrace: stopTrace(for: id)
        case .refuse(let response): answer(id, response)
        }
    }

    mutating func answer(_ id: SlotID, _ response: HTTPResponse) {
        guard admin.connections.contains(id), admin.connections[id].machine.state == .waiting else {
            return
        }
        reply.removeAll(keepingCapacity: true)
        admin.connections[id].machine.respond(response, now: loop.now, reply: &reply)
        loop.queue(reply, on: &admin.connections[id].socket)
        arm(admin: id)
    }

    // MARK: - Questions to all loops

    /// Asks all loops, and answers when they have, or when ``AdminListener/answerLimit`` is over.
    private mutating func ask(_ question: DebugQuestion, for id: SlotID) {
        admin.questionCount += 1
        let number = admin.questionCount
        let others = place.others.filter { !place.share.loops[$0].hasEnded }
        admin.questions.append(
            AdminQuestion(
                number: number, connection: id, question: question,
                answer: debugAnswer(to: question), missing: others))
        guard !others.isEmpty else { return concludeQuestion(number) }
        admin.connections[id].machine.wait(until: loop.now + AdminListener.answerLimit)
        for other in others {
            place.share.post(.ask(question, number: number, by: place.index), to: other)
        }
    }

    /// A loop has answered; what comes too late is dropped.
    mutating func answered(_ answer: DebugAnswer, _ number: UInt64, by loop: Int) {
        guard let index = admin.questions.firstIndex(where: { $0.number == number }),
            admin.questions[index].missing.contains(loop)
        else { return }
        admin.questions[index].answer.add(answer)
        admin.questions[index].missing.removeAll { $0 == loop }
        if admin.questions[index].missing.isEmpty { concludeQuestion(number) }
    }

    /// Answers a question with what there is.
    private mutating func concludeQuestion(_ number: UInt64) {
        guard let index = admin.questions.firstIndex(where: { $0.number == number }) else { return }
        let asked = admin.questions.remove(at: index)
        let headers = [
            HTTPHeader("Content-Type", "application/json"),
            HTTPHeader("Cache-Control", "no-store"),
        ]
        let body = asked.answer.json(to: asked.question, missing: asked.missing)
        answer(asked.connection, HTTPResponse(status: 200, headers: headers, body: body))
    }

    /// What a connection waits for has not come in time.
    private mutating func answerInPart(_ id: SlotID) {
        guard let asked = admin.questions.first(where: { $0.connection == id }) else {
            return closeAdmin(id)
        }
        concludeQuestion(asked.number)
    }
}
