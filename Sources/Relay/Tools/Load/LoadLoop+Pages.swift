import WSFrame

/// The pages of a load: dialling, reading, ending.
extension LoadLoop where S: ~Copyable {
    private static var initText: [UInt8] { Array(#"{"type":"init"}"#.utf8) }
    private static var pongText: [UInt8] { Array(#"{"type":"pong"}"#.utf8) }

    // MARK: - Dialling

    /// When the next page is to be dialled for the first time; nil when all have been.
    func nextDial() -> BootTime? {
        dialled < order.count ? pages[order[dialled]].page.dialDue : nil
    }

    /// Dials the pages that are due for the first time.
    mutating func dialDue(_ now: BootTime) {
        for _ in 0..<Self.dialLimit {
            guard phase != .over, let due = nextDial(), due <= now else { return }
            dialled += 1
            dial(order[dialled - 1])
        }
    }

    private mutating func dial(_ id: SlotID) {
        let upgrade = WebSocketClientHandshake(nonce: (random.next(), random.next()))
        var request: [UInt8] = []
        upgrade.appendRequest(
            host: options.target.authority, path: channels[pages[id].channel].path,
            headers: options.origin.map { [HTTPHeader("Origin", $0)] } ?? [], to: &request)
        pages[id].request = request
        pages[id].page.dial(upgrade, now: loop.sys.now())
        if let error = loop.dial(relayAddress, in: &pages[id].socket) {
            end(id, reason: error.reason)
        } else {
            arm(id)
        }
    }

    /// Arms the page's timer for its deadline, which is one of the boot clock.
    private mutating func arm(_ id: SlotID) {
        let deadline = pages[id].page.deadline
        guard deadline < .never else { return }
        loop.arm(&pages[id].socket, at: loop.now + (deadline - loop.boot))
    }

    mutating func handleTimer(_ id: SlotID) {
        guard pages.contains(id) else { return }
        loop.fired(&pages[id].socket)
        let now = loop.sys.now()
        guard now >= pages[id].page.deadline else { return arm(id) }
        switch pages[id].page.state {
        case .waiting: dial(id)
        case .dialing, .opening: end(id, reason: "no WebSocket in time")
        case .closing: end(id, reason: closeReason(id))
        case .open, .gone: break
        }
    }

    // MARK: - Input

    mutating func pageEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        if pages[id].page.state == .dialing {
            sendRequest(id)
            return
        }
        // A slow reader is told of nothing but the end of its connection.
        if readable, wantsInput(id) || writable { read(id) }
        if writable, pages[id].socket.isOpen { loop.markDirty(&pages[id].socket) }
    }

    private func wantsInput(_ id: SlotID) -> Bool {
        !(pages[id].isSlow && pages[id].page.isLive)
    }

    private mutating func sendRequest(_ id: SlotID) {
        if let error = loop.sys.dialError(pages[id].socket.descriptor) {
            end(id, reason: error.reason)
            return
        }
        pages[id].page.connected()
        let request = take(&pages[id].request)
        loop.queue(request, on: &pages[id].socket)
    }

    private mutating func read(_ id: SlotID) {
        var buffer = take(&loop.readBuffer)
        switch loop.sys.receive(pages[id].socket.descriptor, into: &buffer) {
        case .bytes(let count): consume(id, &buffer, count, loop.sys.now())
        case .wouldBlock: break
        case .endOfStream: end(id, reason: closeReason(id))
        case .failed(let error): end(id, reason: error.reason)
        }
        loop.giveBack(&buffer)
    }

    private mutating func consume(
        _ id: SlotID, _ buffer: inout [UInt8], _ count: Int, _ now: BootTime
    ) {
        let total = loop.join(&buffer, count: count, in: &pages[id].socket)
        var offset = 0
        var failure: String?
        while failure == nil {
            let action = pages[id].page.receive(&buffer, from: &offset, to: total, now: now)
            switch action {
            case .none:
                loop.keep(&buffer, from: offset, of: total, in: &pages[id].socket)
                return
            case .message(let payload): received(id, payload, now)
            case .ping(let lateness):
                if let lateness { tally.noteHeartbeat(lateness, lag: lag) }
                answer(id)
            case .live:
                answer(id)
                live(id, now)
            case .opened:
                tally.opened += 1
                greet(id, now)
            case .acknowledged: live(id, now)
            case .pong(let payload): send(.pong, payload.bytes(in: buffer), on: id)
            case .notice(let message): note(message)
            case .close(let code):
                frame.removeAll(keepingCapacity: true)
                FrameEncoder.appendClose(code: code, mask: mask(), to: &frame)
                loop.queue(frame, on: &pages[id].socket)
                arm(id)
            case .fail(let reason): failure = reason
            }
        }
        loop.keep(&buffer, from: total, of: total, in: &pages[id].socket)
        end(id, reason: failure ?? "")
    }

    /// The WebSocket is open: the page says what the relay is to hear first.
    private mutating func greet(_ id: SlotID, _ now: BootTime) {
        if let subscription = options.subscription {
            let name = options.channelName(pages[id].channel)
            let parts = subscription.split(separator: "{channel}", omittingEmptySubsequences: false)
            send(.text, Array(parts.joined(separator: name).utf8), on: id)
        } else if options.dialect == .status {
            send(.text, Self.initText, on: id)
        } else {
            pages[id].page.goLive()
            live(id, now)
        }
    }

    private mutating func note(_ message: LoadMessage) {
        switch message {
        case .hangup: tally.hangups += 1
        case .gap: tally.gaps += 1
        case .outage: tally.outages += 1
        case .status, .ping, .other: break
        }
    }

    private mutating func live(_ id: SlotID, _ now: BootTime) {
        liveCount += 1
        if let span = pages[id].page.returned(now: now) {
            tally.returns.record(span)
        } else {
            tally.connecting.record(now - pages[id].page.dialDue)
        }
        guard !pages[id].isSlow else {
            loop.watch(&pages[id].socket, for: [])
            return
        }
        let channel = pages[id].channel
        channels[channel].ledger.livePages += 1
        guard options.redis != nil else { return }
        pages[id].sequence.live(from: channels[channel].ledger.published)
    }

    private mutating func received(_ id: SlotID, _ payload: LoadPayload?, _ now: BootTime) {
        guard !pages[id].isSlow else { return }
        guard let payload, payload.sender == senderFollowed(id, payload) else {
            tally.foreign += 1
            return
        }
        switch pages[id].sequence.received(payload.number) {
        case .repeated:
            tally.repeated += 1
            return
        case .reordered: tally.reordered += 1
        case .inOrder: break
        }
        tally.delivered += 1
        let sentAt = BootTime(
            nanoseconds: (Nanoseconds(payload.unixTime) - unixOffset).count)
        tally.latency.record(now - sentAt)
        second.delivered += 1
        second.latency.record(now - sentAt)
    }

    /// The sender whose messages count: this run's own or, where others publish, the first that the
    /// page hears.
    private mutating func senderFollowed(_ id: SlotID, _ payload: LoadPayload) -> UInt32 {
        guard options.redis == nil else { return sender }
        if let known = pages[id].sender { return known }
        pages[id].sender = payload.sender
        return payload.sender
    }

    // MARK: - Output

    private mutating func answer(_ id: SlotID) {
        tally.pings += 1
        send(.text, Self.pongText, on: id)
    }

    private mutating func send(_ opcode: WebSocketOpcode, _ payload: [UInt8], on id: SlotID) {
        frame.removeAll(keepingCapacity: true)
        FrameEncoder.append(opcode, payload.span, mask: mask(), to: &frame)
        loop.queue(frame, on: &pages[id].socket)
    }

    /// A client masks each frame with a key of its own (RFC 6455, section 5.3).
    private mutating func mask() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }

    mutating func flushPage(_ id: SlotID) {
        pages[id].socket.isDirty = false
        guard pages[id].socket.isOpen else { return }
        switch loop.flush(&pages[id].socket, reads: wantsInput(id)) {
        case .failed(let error): end(id, reason: error.reason)
        case .blocked, .drained: break
        }
    }

    // MARK: - Ends

    private func closeReason(_ id: SlotID) -> String {
        pages[id].page.closeCode.map { "close \($0)" } ?? "end without a close frame"
    }

    /// The page's connection has ended, or could not be made.
    private mutating func end(_ id: SlotID, reason: String) {
        let page = pages[id].page
        let wasOpen = page.state == .open || page.state == .closing
        if wasOpen {
            if pages[id].isSlow { tally.slowEnds += 1 } else { tally.ends += 1 }
        } else {
            tally.failedOpenings += 1
        }
        tally.note(reason)
        if page.isLive { liveCount -= 1 }
        if wasOpen, !pages[id].isSlow {
            let channel = pages[id].channel
            if page.isLive { channels[channel].ledger.livePages -= 1 }
            let published = options.redis == nil ? nil : channels[channel].ledger.published
            pages[id].sequence.endOfSession(published: published)
        }
        loop.disconnect(&pages[id].socket)
        pages[id].page.ended(now: loop.sys.now(), random: &random)
        if pages[id].page.state == .gone { goneCount += 1 } else { arm(id) }
    }
}
