import Logging
import WSFrame

// Browsers: accepting, reading, routing, delivering, closing.
extension Relay where S: ~Copyable {
    // MARK: - Accepting

    mutating func acceptClients() {
        guard let listener else { return }
        for _ in 0..<Self.acceptLimit {
            switch loop.sys.accept(listener) {
            case .wouldBlock:
                return
            case .failed(let error):
                pauseAccepting(error)
                return
            case .accepted(let descriptor, let peer):
                admit(descriptor, peer: peer)
            }
        }
    }

    private mutating func admit(_ descriptor: Descriptor, peer: String) {
        guard clients.count < options.clientLimit else {
            loop.sys.close(descriptor, reset: true)
            metrics.refusals["client_limit", default: 0] += 1
            return
        }
        let machine = ClientConnection(
            configuration: configuration, phase: loop.sys.random(), now: loop.now)
        let now = loop.now
        let id = clients.insert { id in
            ClientEntry(
                machine: machine, socket: loop.makeSocket(token: Token(.client, id)), peer: peer,
                openedAt: now)
        }
        loop.adopt(descriptor, in: &clients[id].socket)
        arm(client: id)
    }

    /// Out of descriptors or memory: accepting pauses instead of failing in a circle.
    private mutating func pauseAccepting(_ error: SystemError) {
        metrics.acceptFailures += 1
        if case .logged(let suppressed) = acceptLogLimit.admit(at: loop.now) {
            log.server.error(
                "accept failed; accepting pauses",
                metadata: [
                    "error": "\(error.reason)", "suppressed": .stringConvertible(suppressed),
                ])
        }
        guard let listener else { return }
        loop.sys.rewatch(listener, token: Token(.listener), for: [])
        loop.arm(acceptTimer, at: loop.now + Self.acceptPause)
    }

    mutating func resumeAccepting() {
        guard let listener else { return }
        loop.sys.rewatch(listener, token: Token(.listener), for: .read)
    }

    // MARK: - Events

    mutating func clientEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        guard clients.contains(id) else { return }
        if readable {
            if clients[id].machine.wantsInput {
                readClient(id)
            } else if clients[id].machine.state == .opening {
                // Only an error or the end of both directions is told here: reading has paused.
                closeClient(id, .vanished)
            }
        }
        guard clients.contains(id) else { return }
        if writable || !clients[id].machine.wantsInput {
            loop.markDirty(&clients[id].socket)
        }
    }

    private mutating func readClient(_ id: SlotID) {
        var buffer = take(&loop.readBuffer)
        let outcome = loop.sys.receive(clients[id].socket.descriptor, into: &buffer)
        switch outcome {
        case .bytes(let count): consume(id, &buffer, count)
        case .endOfStream: perform(clients[id].machine.endOfStream(), on: id)
        case .wouldBlock: break
        case .failed: closeClient(id, .vanished)
        }
        loop.giveBack(&buffer)
        if clients.contains(id), outcome == .endOfStream {
            loop.markDirty(&clients[id].socket)
        }
    }

    /// Hands the machine what was left over and the `count` bytes behind it.
    private mutating func consume(_ id: SlotID, _ buffer: inout [UInt8], _ count: Int) {
        let total = clients[id].socket.input.join(&buffer, count: count)
        var offset = 0
        var isOpen = true
        while isOpen {
            reply.removeAll(keepingCapacity: true)
            let action = clients[id].machine.receive(
                &buffer, from: &offset, to: total, now: loop.now, reply: &reply)
            loop.queue(reply, on: &clients[id].socket)
            if action == .none { break }
            perform(action, on: id)
            isOpen = clients.contains(id)
        }
        guard isOpen else { return }
        clients[id].socket.input.keep(&buffer, from: offset, of: total)
        arm(client: id)
    }

    private mutating func perform(_ action: ClientAction, on id: SlotID) {
        switch action {
        case .none: break
        case .route(let request): serve(request, to: id)
        case .ignoredMalformedMessage: noteMalformedMessage(from: id)
        case .finish(let end):
            finishClient(id, end)
        case .abort(let end):
            closeClient(id, end)
        }
    }

    private mutating func noteMalformedMessage(from id: SlotID) {
        metrics.clientMessagesMalformed += 1
        guard case .logged(let suppressed) = malformedLogLimit.admit(at: loop.now) else { return }
        var metadata = metadata(of: id)
        metadata["suppressed"] = .stringConvertible(suppressed)
        log.server.warning("ignored a message that is not JSON", metadata: metadata)
    }

    // MARK: - Requests

    private mutating func serve(_ request: HTTPRequest, to id: SlotID) {
        switch router.route(request) {
        case .health: respond(HTTPResponse(status: 200, text: "OK"), to: id)
        case .ready: respond(Self.readiness(unreadiness), to: id)
        case .console: respond(ConsolePage.response(nonce: loop.sys.random()), to: id)
        case .metrics:
            let text = metrics.prometheusText(
                isOriginCheckDisabled: router.isOriginCheckDisabled,
                logLinesDropped: options.droppedLogLines(),
                traceLinesDropped: options.droppedTraceLines())
            let type = HTTPHeader("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            respond(HTTPResponse(status: 200, headers: [type], body: Array(text.utf8)), to: id)
        case .refuse(let response, let reason):
            respond(response, to: id, refusal: reason)
        case .upgrade(let channel, let acceptKey):
            upgrade(id, to: channel, acceptKey: acceptKey)
        }
    }

    static func readiness(_ reasons: [String]) -> HTTPResponse {
        let body = "[" + reasons.map { "\"\($0)\"" }.joined(separator: ",") + "]"
        return HTTPResponse(
            status: reasons.isEmpty ? 200 : 503,
            headers: [HTTPHeader("Content-Type", "application/json")], body: Array(body.utf8))
    }

    private mutating func respond(
        _ response: HTTPResponse, to id: SlotID, refusal: String? = nil
    ) {
        if let refusal { metrics.refusals[refusal, default: 0] += 1 }
        reply.removeAll(keepingCapacity: true)
        let action = clients[id].machine.respond(response, now: loop.now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        perform(action, on: id)
    }

    private mutating func upgrade(_ id: SlotID, to channel: ChannelName, acceptKey: String) {
        guard phase == .serving else {
            // The page tries again after a plain failure, as it would with nobody listening here.
            respond(
                HTTPResponse(
                    status: 503, headers: [HTTPHeader("Retry-After", "1")],
                    text: unreadiness.joined(separator: ", ")), to: id, refusal: "not_ready")
            return
        }
        guard metrics.connectionsActive < options.connectionLimit else {
            respond(
                HTTPResponse(
                    status: 503, headers: [HTTPHeader("Retry-After", "5")],
                    text: "too many connections"), to: id, refusal: "connection_limit")
            return
        }
        clients[id].machine.upgrade(to: channel, acceptKey: acceptKey, now: loop.now)
        metrics.connectionsActive += 1
        clients[id].isActive = true
        loop.markDirty(&clients[id].socket)
        clients[id].link =
            LinkPolicy.existingLink(for: channel)
            ?? openLink(.subscription(channel: channel.bytes), receivers: Receivers(id))
        log.server.info("client connected", metadata: metadata(of: id))
    }

    // MARK: - Delivering

    /// The client's subscription is acknowledged.
    mutating func subscribed(_ id: SlotID) {
        guard clients.contains(id) else { return }
        let wasOpening = clients[id].machine.state == .opening
        reply.removeAll(keepingCapacity: true)
        clients[id].machine.subscribed(now: loop.now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        if wasOpening { consumeEarlyBytes(id) }
        if clients.contains(id) { arm(client: id) }
    }

    /// Frames may have come in the same segment as the request; they waited for the `101`.
    private mutating func consumeEarlyBytes(_ id: SlotID) {
        guard clients[id].socket.input.count > 0 else { return }
        var none: [UInt8] = []
        consume(id, &none, 0)
    }

    /// Queues one message's frame for a client; it leaves when the turn ends.
    mutating func deliver(_ frame: Span<UInt8>, to id: SlotID) {
        guard clients.contains(id), clients[id].machine.takesMessages else {
            metrics.messagesUndelivered += 1
            return
        }
        let queued = clients[id].socket.output.count
        guard queued == 0 || queued + frame.count <= Self.clientQueueLimit else {
            metrics.messagesUndelivered += 1
            closeClient(id, .slow(queuedBytes: queued))
            return
        }
        metrics.messagesForwarded += 1
        clients[id].messagesForwarded += 1
        loop.queue(frame, on: &clients[id].socket)
    }

    /// Redis is given up: the client is sent away.
    mutating func giveUp(on id: SlotID) {
        guard clients.contains(id) else { return }
        clients[id].link = nil
        closeWebSocket(
            id, code: WebSocketCloseCode.internalError, because: .redisGivenUp, sendsHangup: true)
    }

    /// Starts the close handshake from this side.
    mutating func closeWebSocket(
        _ id: SlotID, code: UInt16, because end: ClientEnd, sendsHangup: Bool
    ) {
        reply.removeAll(keepingCapacity: true)
        clients[id].machine.close(
            code: code, because: end, sendsHangup: sendsHangup, now: loop.now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        arm(client: id)
    }

    // MARK: - Sending and time

    mutating func flushClient(_ id: SlotID) {
        guard clients.contains(id) else { return }
        clients[id].socket.isDirty = false
        let reads = clients[id].machine.wantsInput
        switch loop.flush(&clients[id].socket, reads: reads) {
        case .failed(let error):
            metrics.writeErrors += 1
            closeClient(id, .writeError(error))
        case .blocked:
            arm(client: id)
        case .drained:
            guard clients[id].machine.state == .finishing else { return }
            if clients[id].machine.isDone {
                closeClient(id, clients[id].end ?? .vanished)
            } else {
                loop.endSending(&clients[id].socket)
            }
        }
    }

    mutating func clientTimer(_ id: SlotID) {
        guard clients.contains(id) else { return }
        loop.fired(&clients[id].socket)
        if loop.now >= writeDeadline(of: id) {
            closeClient(id, .slow(queuedBytes: clients[id].socket.output.count))
            return
        }
        let wasOpening = clients[id].machine.state == .opening
        reply.removeAll(keepingCapacity: true)
        let action = clients[id].machine.timedOut(now: loop.now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        perform(action, on: id)
        if wasOpening, clients.contains(id) { consumeEarlyBytes(id) }
        if clients.contains(id) { arm(client: id) }
    }

    private func writeDeadline(of id: SlotID) -> Instant {
        let oldest = clients[id].socket.output.oldestQueuedAt
        return oldest == .never ? .never : oldest + settings.writeTimeout
    }

    mutating func arm(client id: SlotID) {
        let deadline = min(clients[id].machine.nextDeadline, writeDeadline(of: id))
        loop.arm(&clients[id].socket, at: deadline)
    }

    // MARK: - Ending

    /// The connection's last bytes are queued; its subscription is of no more use.
    private mutating func finishClient(_ id: SlotID, _ end: ClientEnd) {
        clients[id].end = end
        deactivate(id)
        loop.markDirty(&clients[id].socket)
        releaseLink(of: id)
        arm(client: id)
    }

    private mutating func deactivate(_ id: SlotID) {
        guard clients[id].isActive else { return }
        clients[id].isActive = false
        metrics.connectionsActive -= 1
    }

    /// Closes the connection and forgets it.
    mutating func closeClient(_ id: SlotID, _ end: ClientEnd) {
        let end = clients[id].end ?? end
        deactivate(id)
        releaseLink(of: id)
        if case .slow = end { metrics.slowClients += 1 }
        logEnd(of: id, end)
        var reset = false
        if case .slow = end { reset = true }
        loop.release(&clients[id].socket, reset: reset)
        clients.remove(id)
    }

    private mutating func logEnd(of id: SlotID, _ end: ClientEnd) {
        if case .badRequest(let status, let reason) = end {
            metrics.refusals["bad_request", default: 0] += 1
            log.server.debug(
                "request refused",
                metadata: ["status": .stringConvertible(status), "reason": "\(reason)"])
        }
        guard clients[id].machine.channel != nil else { return }
        var metadata = metadata(of: id)
        metadata["reason"] = "\(end.reason)"
        metadata["duration_ms"] = .stringConvertible(
            (loop.now - clients[id].openedAt).milliseconds)
        metadata["messages"] = .stringConvertible(clients[id].messagesForwarded)
        switch end {
        case .closedByClient(let code): metadata["code"] = .stringConvertible(code)
        case .protocolError(let code, let reason):
            metadata["code"] = .stringConvertible(code)
            metadata["error"] = "\(reason)"
        case .slow(let queued): metadata["queued_bytes"] = .stringConvertible(queued)
        case .writeError(let error): metadata["error"] = "\(error.reason)"
        default: break
        }
        log.server.info("client disconnected", metadata: metadata)
    }

    private func metadata(of id: SlotID) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["peer": "\(clients[id].peer)"]
        if let channel = clients[id].machine.channel {
            metadata["run_id"] = "\(channel.runID)"
            metadata["channel"] = "\(channel.channel)"
        }
        return metadata
    }
}
