import Logging
import WSFrame

// Browsers: reading, routing, opening, closing, time.
extension Relay where S: ~Copyable {
    // MARK: - Events

    mutating func clientEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        guard clients.contains(id) else { return }
        if readable {
            if clients[id].machine.wantsInput {
                readClient(id)
            } else if clients[id].machine.isPaused {
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
        let total = loop.join(&buffer, count: count, in: &clients[id].socket)
        var offset = 0
        var isOpen = true
        while isOpen {
            reply.removeAll(keepingCapacity: true)
            let action = clients[id].machine.receive(
                &buffer, from: &offset, to: total, now: loop.now, reply: &reply)
            loop.queue(reply, on: &clients[id].socket)
            if action == .none { break }
            perform(action, on: id)
            if let leaving = handOver.take() {
                return send(leaving, rest: Array(buffer[offset..<total]))
            }
            isOpen = clients.contains(id)
        }
        guard isOpen else { return }
        if let roundTrip = clients[id].machine.takeRoundTrip() {
            metrics.heartbeatRoundTrip.add(roundTrip)
        }
        loop.keep(&buffer, from: offset, of: total, in: &clients[id].socket)
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
        var metadata = metadata(ofClient: id)
        metadata["suppressed"] = .stringConvertible(suppressed)
        log.server.warning("invalid client message", metadata: metadata)
    }

    // MARK: - Requests

    mutating func serve(_ request: HTTPRequest, to id: SlotID) {
        identify(id, by: request.headers)
        switch router.route(request) {
        case .health: respond(HTTPResponse(status: 200, text: "OK"), to: id)
        case .ready: respond(Self.readiness(publicUnreadiness), to: id)
        case .console(let file):
            let page = ConsolePage.response(
                file, nonce: loop.sys.random(), redis: settings.redis,
                sendsNotices: settings.gapNotices)
            respond(page, to: id)
        case .metrics: serveMetrics(to: .client(id), as: MetricsFormat(request.headers))
        case .refuse(let refusal):
            refuse(id, request, refusal)
        case .upgrade(let channel, let acceptKey):
            let resume = settings.resumeWindow > .zero ? ResumeRequest(query: request.query) : nil
            if let other = otherLoop(of: resume) { return handOver(id, request, to: other) }
            if let refusal = refusalOfUpgrade(id) { return refuse(id, request, refusal) }
            clients[id].resume = resume.map(PageResume.init)
            upgrade(id, to: channel, acceptKey: acceptKey)
        }
    }

    static func readiness(_ reasons: [String]) -> HTTPResponse {
        let body = "[" + reasons.map { "\"\($0)\"" }.joined(separator: ",") + "]"
        return HTTPResponse(
            status: reasons.isEmpty ? 200 : 503,
            headers: [HTTPHeader("Content-Type", "application/json")], body: Array(body.utf8))
    }

    mutating func respond(_ response: HTTPResponse, to id: SlotID) {
        reply.removeAll(keepingCapacity: true)
        let action = clients[id].machine.respond(response, now: loop.now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        perform(action, on: id)
    }

    /// Why a proper upgrade is not taken all the same; a client that is taken is counted, for the
    /// process and for its address.
    private mutating func refusalOfUpgrade(_ id: SlotID) -> Refusal? {
        guard takesWebSockets else {
            // The page tries again after a plain failure, as it would with nobody listening here.
            return Refusal(
                status: 503, headers: [HTTPHeader("Retry-After", "1")],
                text: unreadiness.joined(separator: ", "), reason: "not_ready")
        }
        let share = place.share
        guard share.addWebSocket(of: place.index, limit: options.connectionLimit) else {
            return Refusal(
                status: 503, headers: [HTTPHeader("Retry-After", "5")],
                text: "too many connections", reason: "connection_limit")
        }
        guard enter(id) else {
            share.removeWebSocket(of: place.index)
            return Refusal(
                status: 429, headers: [HTTPHeader("Retry-After", "5")],
                text: "too many connections of your address", reason: "address_limit")
        }
        return nil
    }

    private mutating func upgrade(_ id: SlotID, to channel: ChannelName, acceptKey: String) {
        clients[id].machine.upgrade(to: channel, acceptKey: acceptKey, now: loop.now)
        metrics.connectionsActive += 1
        clients[id].isActive = true
        loop.markDirty(&clients[id].socket)
        log.server.info("client connected", metadata: metadata(ofClient: id))
        subscribe(id, to: channel)
    }

    // MARK: - Opening

    /// The client's subscription is acknowledged.
    mutating func subscribed(_ id: SlotID) {
        guard clients.contains(id) else { return }
        let wasOpening = clients[id].machine.state == .opening
        let resumption = resumption(of: id)
        reply.removeAll(keepingCapacity: true)
        clients[id].machine.subscribed(
            at: resumption?.position, now: loop.now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        if let resumption { resume(id, resumption) }
        guard clients.contains(id) else { return }
        if wasOpening { consumeEarlyBytes(id) }
        if clients.contains(id) { arm(client: id) }
    }

    /// Frames may have come in the same segment as the request; they waited for the `101`.
    private mutating func consumeEarlyBytes(_ id: SlotID) {
        guard clients[id].socket.input.count > 0 else { return }
        var none: [UInt8] = []
        consume(id, &none, 0)
    }

    // MARK: - Closing

    /// Redis is given up: the client is sent away.
    mutating func giveUp(on id: SlotID) {
        guard clients.contains(id) else { return }
        closeWebSocket(
            id, code: WebSocketCloseCode.internalError, because: .redisGivenUp,
            sendsHangup: settings.sendsHangup)
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

    // MARK: - Time

    /// The client's timer has fired.
    mutating func clientTimer(_ id: SlotID, _ verdict: TimerVerdict) {
        guard clients.contains(id) else { return }
        loop.fired(&clients[id].socket)
        guard case .judged(let now) = verdict else {
            // A heartbeat waits for nobody's bytes; anything else fires again until it is judged.
            reply.removeAll(keepingCapacity: true)
            clients[id].machine.beat(now: verdict.now, reply: &reply)
            loop.queue(reply, on: &clients[id].socket)
            return arm(client: id)
        }
        if now >= writeDeadline(of: id) {
            // There may be room by now: it was told in this turn, or will be in the next.
            flushClient(id)
            guard clients.contains(id) else { return }
            if now >= writeDeadline(of: id) {
                closeClient(id, .slow(queuedBytes: clients[id].socket.output.count))
                return
            }
        }
        let wasOpening = clients[id].machine.state == .opening
        reply.removeAll(keepingCapacity: true)
        let action = clients[id].machine.timedOut(now: now, reply: &reply)
        loop.queue(reply, on: &clients[id].socket)
        perform(action, on: id)
        if wasOpening, clients.contains(id), clients[id].machine.state != .opening {
            // The page goes on without its subscription: from now on it may miss messages.
            if let subscription = clients[id].subscription {
                if hub[subscription].outageSince == .never {
                    hub[subscription].outageSince = loop.boot
                }
                notifyOfOutage(id, since: loop.boot)
            }
            consumeEarlyBytes(id)
        }
        if clients.contains(id) { arm(client: id) }
    }

    private func writeDeadline(of id: SlotID) -> Instant {
        let oldest = clients[id].socket.output.oldestQueuedAt
        return oldest == .never ? .never : oldest + settings.writeTimeout
    }

    /// What is queued leaves when the turn ends; only what the socket had no room for has a deadline.
    mutating func arm(client id: SlotID) {
        let isBlocked = clients[id].socket.interest.contains(.write)
        let deadline = clients[id].machine.nextDeadline
        loop.arm(
            &clients[id].socket, at: isBlocked ? min(deadline, writeDeadline(of: id)) : deadline)
    }

    func metadata(ofClient id: SlotID) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["peer": "\(clients[id].peer)"]
        if let proxy = clients[id].proxy { metadata["via"] = "\(proxy)" }
        if let channel = clients[id].machine.channel {
            metadata["run_id"] = "\(channel.runID)"
            metadata["channel"] = "\(channel.channel)"
        }
        return metadata
    }
}
