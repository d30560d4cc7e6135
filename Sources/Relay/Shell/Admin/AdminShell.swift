import Logging
import WSFrame

/// A connection to the admin listener with its socket.
struct AdminEntry: ~Copyable {
    var machine: AdminConnection
    var socket: Socket
}

/// The admin listener, which is the first loop's, with its connections; and the trace that was asked
/// for there, of which every loop knows.
///
/// What is asked for it gives back, to be answered by ``answer(_:_:_:)``.
struct AdminShell<S: Sys & ~Copyable>: ~Copyable {
    /// Connections at once; one more is closed unanswered.
    static var connectionLimit: Int { 32 }
    /// Connections accepted in one turn, at most.
    static var acceptLimit: Int { 64 }
    /// The longest wait for what other loops have to tell.
    static var answerLimit: Nanoseconds { .milliseconds(500) }

    private var listener: Descriptor?
    /// Where it listens, with the port that was really bound.
    private(set) var boundAddress: SocketAddress?
    private var router = AdminRouter(isUnixSocket: false)
    private var connections = Slab<AdminEntry>()
    /// What other loops have been asked and have not all answered.
    private var questions: [AdminQuestion] = []
    private var questionCount: UInt64 = 0
    /// The trace that was asked for here, while it lasts.
    var trace: AdminTrace?
    let traceTimer: TimerID
    /// Whether the reader of the trace has gone: it is to be ended.
    private(set) var hasLostReader = false
    /// Lines of former ones that were dropped because their reader was too slow.
    private var formerDroppedLines: UInt64 = 0
    /// Storage that is used again for every answer.
    private var reply: [UInt8] = []

    init(_ context: inout LoopContext<S>) {
        traceTimer = context.loop.makeTimer(token: Token(.trace))
    }

    /// Lines of traces that were dropped because their reader was too slow, of all loops.
    var droppedLines: UInt64 { formerDroppedLines + (trace?.order.lines?.dropped ?? 0) }

    /// Opens the listener where one is configured; returns the line of a fatal error.
    mutating func listen(_ context: inout LoopContext<S>) -> String? {
        guard let address = context.settings.adminAddress else { return nil }
        do throws(SystemError) {
            let (descriptor, bound) = try context.loop.sys.listen(
                address, token: Token(.adminListener))
            listener = descriptor
            boundAddress = bound
            router = AdminRouter(isUnixSocket: bound.networkAddress == nil)
            context.log.server.info("admin listening", metadata: ["address": "\(bound)"])
            return nil
        } catch {
            return "cannot listen on \(address) for the admin listener: \(error.reason)"
        }
    }

    /// Ends the listener and its connections.
    mutating func close(_ context: inout LoopContext<S>) {
        for id in connections.ids { close(id, &context) }
        if let listener = listener.take() { context.loop.sys.stopListening(listener) }
    }

    // MARK: - Connections

    mutating func accept(_ context: inout LoopContext<S>) {
        guard let listener else { return }
        for _ in 0..<Self.acceptLimit {
            guard case .accepted(let descriptor, _) = context.loop.sys.accept(listener) else {
                return
            }
            guard connections.count < Self.connectionLimit else {
                context.loop.sys.close(descriptor, reset: true)
                continue
            }
            let now = context.loop.now
            let id = connections.insert { id in
                AdminEntry(
                    machine: AdminConnection(now: now),
                    socket: context.loop.makeSocket(token: Token(.adminConnection, id)))
            }
            context.loop.adopt(descriptor, in: &connections[id].socket)
            arm(id, &context)
        }
    }

    /// The kernel tells of a connection's socket; returns what is asked for.
    mutating func event(
        _ id: SlotID, readable: Bool, writable: Bool, _ context: inout LoopContext<S>
    ) -> AdminRoute? {
        guard connections.contains(id) else { return nil }
        let route = readable ? read(id, &context) : nil
        if writable, connections.contains(id) {
            context.loop.markDirty(&connections[id].socket)
        }
        return route
    }

    private mutating func read(
        _ id: SlotID, _ context: inout LoopContext<S>
    ) -> AdminRoute? {
        var buffer = take(&context.loop.readBuffer)
        var route: AdminRoute?
        switch context.loop.sys.receive(connections[id].socket.descriptor, into: &buffer) {
        case .bytes(let count): route = consume(id, &buffer, count, &context)
        case .endOfStream, .failed: close(id, &context)
        case .wouldBlock: break
        }
        context.loop.giveBack(&buffer)
        return route
    }

    private mutating func consume(
        _ id: SlotID, _ buffer: inout [UInt8], _ count: Int, _ context: inout LoopContext<S>
    ) -> AdminRoute? {
        let total = context.loop.join(&buffer, count: count, in: &connections[id].socket)
        var offset = 0
        reply.removeAll(keepingCapacity: true)
        let action = connections[id].machine.receive(
            buffer, from: &offset, to: total, now: context.loop.now, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        context.loop.keep(&buffer, from: offset, of: total, in: &connections[id].socket)
        arm(id, &context)
        guard case .route(let request) = action else { return nil }
        return router.route(request)
    }

    mutating func flush(_ id: SlotID, _ context: inout LoopContext<S>) {
        guard connections.contains(id) else { return }
        connections[id].socket.isDirty = false
        switch context.loop.flush(&connections[id].socket, reads: true) {
        case .failed: close(id, &context)
        case .blocked: break
        case .drained:
            switch connections[id].machine.state {
            case .finishing: context.loop.endSending(&connections[id].socket)
            case .streaming: passTraceOn(&context)
            case .request, .waiting: break
            }
        }
    }

    mutating func timerFired(
        _ id: SlotID, _ verdict: TimerVerdict, _ context: inout LoopContext<S>
    ) {
        guard connections.contains(id) else { return }
        context.loop.fired(&connections[id].socket)
        guard case .judged(let now) = verdict else { return arm(id, &context) }
        switch connections[id].machine.timedOut(now: now) {
        case .timeUp: answerInPart(id, &context)
        case .close: close(id, &context)
        case .none, .route, .finish: arm(id, &context)
        }
    }

    private mutating func arm(_ id: SlotID, _ context: inout LoopContext<S>) {
        context.loop.arm(&connections[id].socket, at: connections[id].machine.deadline)
    }

    private mutating func close(_ id: SlotID, _ context: inout LoopContext<S>) {
        context.loop.release(&connections[id].socket)
        connections.remove(id)
        questions.removeAll { $0.connection == id }
        if trace?.reader == id { hasLostReader = true }
    }

    // MARK: - Answers

    mutating func answer(
        _ id: SlotID, _ response: HTTPResponse, _ context: inout LoopContext<S>
    ) {
        guard connections.contains(id), connections[id].machine.state == .waiting else {
            return
        }
        reply.removeAll(keepingCapacity: true)
        connections[id].machine.respond(response, now: context.loop.now, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        arm(id, &context)
    }

    // MARK: - Questions to all loops

    /// Asks all loops, and answers when they have, or when ``answerLimit`` is over; `own` is what this
    /// one answers.
    mutating func ask(
        _ question: DebugQuestion, for id: SlotID, own: DebugAnswer,
        _ context: inout LoopContext<S>
    ) {
        let place = context.place
        questionCount += 1
        let others = place.others.filter { !place.share.loops[$0].hasEnded }
        questions.append(
            AdminQuestion(
                number: questionCount, connection: id, question: question, answer: own,
                missing: others))
        guard !others.isEmpty else { return conclude(questionCount, &context) }
        connections[id].machine.wait(until: context.loop.now + Self.answerLimit)
        arm(id, &context)
        for other in others {
            place.share.post(.ask(question, number: questionCount, by: place.index), to: other)
        }
    }

    /// A loop has answered; what comes too late is dropped.
    mutating func answered(
        _ answer: DebugAnswer, _ number: UInt64, by loop: Int, _ context: inout LoopContext<S>
    ) {
        guard let index = questions.firstIndex(where: { $0.number == number }),
            questions[index].missing.contains(loop)
        else { return }
        questions[index].answer.add(answer)
        questions[index].missing.removeAll { $0 == loop }
        if questions[index].missing.isEmpty { conclude(number, &context) }
    }

    /// Answers a question with what there is.
    private mutating func conclude(_ number: UInt64, _ context: inout LoopContext<S>) {
        guard let index = questions.firstIndex(where: { $0.number == number }) else { return }
        let asked = questions.remove(at: index)
        let headers = [
            HTTPHeader("Content-Type", "application/json"),
            HTTPHeader("Cache-Control", "no-store"),
        ]
        let body = asked.answer.json(to: asked.question, missing: asked.missing)
        answer(
            asked.connection, HTTPResponse(status: 200, headers: headers, body: body), &context)
    }

    /// What a connection waits for has not come in time.
    private mutating func answerInPart(_ id: SlotID, _ context: inout LoopContext<S>) {
        guard let asked = questions.first(where: { $0.connection == id }) else {
            return close(id, &context)
        }
        conclude(asked.number, &context)
    }

    // MARK: - The reader of a trace

    /// Begins to answer a connection with the lines of a trace.
    mutating func beginStream(
        to id: SlotID, until end: Instant, _ context: inout LoopContext<S>
    ) {
        reply.removeAll(keepingCapacity: true)
        connections[id].machine.beginStream(until: end, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        arm(id, &context)
    }

    /// The trace is over. Who reads it gets its last lines.
    mutating func endTrace(_ context: inout LoopContext<S>) {
        let ended = trace
        if context.place.isFirst { formerDroppedLines = droppedLines }
        trace = nil
        hasLostReader = false
        guard context.place.isFirst, let id = ended?.reader, let lines = ended?.order.lines,
            connections.contains(id)
        else { return }
        reply.removeAll(keepingCapacity: true)
        connections[id].machine.stream(lines.takeAll(), reply: &reply)
        connections[id].machine.endStream(now: context.loop.now, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
    }

    /// Passes the lines on that wait for who reads the trace, once all before them are sent.
    mutating func passTraceOn(_ context: inout LoopContext<S>) {
        guard let id = trace?.reader, let waiting = trace?.order.lines,
            connections.contains(id), connections[id].socket.output.isEmpty
        else { return }
        let lines = waiting.takeAll()
        guard !lines.isEmpty else { return }
        reply.removeAll(keepingCapacity: true)
        connections[id].machine.stream(lines, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        // The turn's writes are over, and the next turn may be far away.
        flush(id, &context)
    }
}

/// A question to all loops that is not answered yet.
struct AdminQuestion {
    let number: UInt64
    let connection: SlotID
    let question: DebugQuestion
    /// What has been answered so far.
    var answer: DebugAnswer
    /// The loops that have not answered.
    var missing: [Int]
}

/// A trace that was asked for by the admin listener, as every loop makes it.
struct AdminTraceOrder: Equatable, Sendable {
    let request: TraceRequest
    /// Where the lines go; nil for the configured sink.
    let lines: LineStream?

    static func == (left: AdminTraceOrder, right: AdminTraceOrder) -> Bool {
        left.request == right.request && left.lines === right.lines
    }
}

/// Such a trace while it lasts.
struct AdminTrace {
    let order: AdminTraceOrder
    /// When it ends by itself.
    let end: Instant
    /// The connection that its lines go to; of the first loop.
    var reader: SlotID?
}
