import WSFrame

/// An echoing connection with its socket.
struct EchoEntry {
    var machine: EchoConnection
    var socket: Socket
    /// What the client sends once it is connected; a server sends nothing first.
    var request: [UInt8] = []
}

/// WebSockets that send back what they receive, on one event loop: the server of `ws-echo`, and its
/// client, which runs the cases of a test server one after the other.
struct EchoLoop<S: Sys & ~Copyable>: ~Copyable {
    /// Unsent bytes over which a peer is not read; one message more may be queued.
    static var outputLimit: Int { 1 << 20 }
    /// Connections accepted in one turn, at most.
    static var acceptLimit: Int { 64 }
    /// How long accepting pauses when descriptors or memory have run out.
    static var acceptPause: Nanoseconds { .milliseconds(200) }

    var loop: EventLoop<S>
    let limits: WebSocketLimits
    var connections = Slab<EchoEntry>()
    var listener: Descriptor?
    let acceptTimer: TimerID
    /// What the client still has to do; nil for a server.
    var cases: EchoCaseRun?
    /// Whether the loop has ended, and the line of the error that ended it.
    var ended: (isEnded: Bool, failure: String?) = (false, nil)

    // Storage that is used again in every turn.
    private var frame: [UInt8] = []
    private var events: [SysEvent] = []
    private var fired: [Token] = []
    private var dirty: [Token] = []

    init(sys: consuming S, maxMessageSize: Int) {
        loop = EventLoop(sys: sys)
        limits = WebSocketLimits(maxMessageSize: maxMessageSize)
        acceptTimer = loop.makeTimer(token: Token(.listener))
    }

    // MARK: - Turns

    /// Runs until the loop ends; returns the line of the error that ended it.
    mutating func run() -> String? {
        while !ended.isEnded { turn() }
        return ended.failure
    }

    /// One turn of the loop: events, timers, and the writes that they led to.
    mutating func turn() {
        var events = take(&self.events)
        loop.wait(into: &events)
        for event in events { handle(event) }
        events.removeAll(keepingCapacity: true)
        self.events = events

        var fired = take(&self.fired)
        let verdict = loop.fireTimers(into: &fired)
        for token in fired { handleTimer(token, verdict) }
        fired.removeAll(keepingCapacity: true)
        self.fired = fired
        flushDirty()
    }

    private mutating func handle(_ event: SysEvent) {
        switch event {
        case .socket(let token, let readable, let writable):
            if token.kind == .listener {
                accept()
            } else if connections.contains(token.id) {
                socketEvent(token.id, readable: readable, writable: writable)
            }
        case .signal:
            ended = (true, nil)
        case .resolved:
            break
        }
    }

    private mutating func handleTimer(_ token: Token, _ verdict: TimerVerdict) {
        if token.kind == .listener {
            if let listener { loop.sys.rewatch(listener, token: token, for: .read) }
            return
        }
        let id = token.id
        guard connections.contains(id) else { return }
        loop.fired(&connections[id].socket)
        if case .judged(let now) = verdict, now >= connections[id].machine.deadline {
            close(id, failure: "the server did not answer in time")
        } else {
            arm(id)
        }
    }

    private mutating func arm(_ id: SlotID) {
        loop.arm(&connections[id].socket, at: connections[id].machine.deadline)
    }

    // MARK: - Connections

    /// Listens; returns the address with the port that was really bound.
    mutating func listen(_ address: ListenAddress) throws(SystemError) -> SocketAddress {
        let (descriptor, bound) = try loop.sys.listen(address, token: Token(.listener))
        listener = descriptor
        return bound
    }

    private mutating func accept() {
        guard let listener else { return }
        for _ in 0..<Self.acceptLimit {
            switch loop.sys.accept(listener) {
            case .wouldBlock: return
            case .failed:
                loop.sys.rewatch(listener, token: Token(.listener), for: [])
                loop.arm(acceptTimer, at: loop.now + Self.acceptPause)
                return
            case .accepted(let descriptor, _):
                let id = insert(EchoConnection(limits: limits, now: loop.now))
                loop.adopt(descriptor, in: &connections[id].socket)
                arm(id)
            }
        }
    }

    /// Begins a client's connection; where that fails at once the loop ends.
    mutating func dial(_ address: SocketAddress, path: String) {
        let client = WebSocketClientHandshake(nonce: (loop.sys.random(), loop.sys.random()))
        let id = insert(EchoConnection(client: client, limits: limits, now: loop.now))
        client.appendRequest(
            host: address.description, path: path, to: &connections[id].request)
        if let error = loop.dial(address, in: &connections[id].socket) {
            close(id, failure: error.reason)
        } else {
            arm(id)
        }
    }

    private mutating func insert(_ machine: EchoConnection) -> SlotID {
        connections.insert { id in
            EchoEntry(machine: machine, socket: loop.makeSocket(token: Token(.client, id)))
        }
    }

    private mutating func socketEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        if !connections[id].request.isEmpty {
            sendRequest(id)
            return
        }
        // A paused peer is read on when it has taken its echoes; until then only failures come here.
        if readable, wantsInput(id) { read(id) }
        if connections.contains(id), writable { loop.markDirty(&connections[id].socket) }
    }

    /// The dial is decided.
    private mutating func sendRequest(_ id: SlotID) {
        if let error = loop.sys.dialError(connections[id].socket.descriptor) {
            close(id, failure: error.reason)
            return
        }
        let request = take(&connections[id].request)
        loop.queue(request, on: &connections[id].socket)
    }

    private func wantsInput(_ id: SlotID) -> Bool {
        !connections[id].machine.hasPeerEnded
            && connections[id].socket.output.count <= Self.outputLimit
    }

    private mutating func read(_ id: SlotID) {
        var buffer = take(&loop.readBuffer)
        switch loop.sys.receive(connections[id].socket.descriptor, into: &buffer) {
        case .bytes(let count): consume(id, &buffer, count)
        case .wouldBlock: break
        case .endOfStream: connections[id].machine.endOfStream(now: loop.now)
        case .failed(let error): close(id, failure: error.reason)
        }
        loop.giveBack(&buffer)
        guard connections.contains(id) else { return }
        loop.markDirty(&connections[id].socket)
        arm(id)
    }

    private mutating func consume(_ id: SlotID, _ buffer: inout [UInt8], _ count: Int) {
        let total = loop.join(&buffer, count: count, in: &connections[id].socket)
        var offset = 0
        while true {
            let action = connections[id].machine.receive(
                &buffer, from: &offset, to: total, now: loop.now)
            if case .none = action { break }
            perform(action, buffer, on: id)
        }
        loop.keep(&buffer, from: offset, of: total, in: &connections[id].socket)
    }

    private mutating func perform(_ action: EchoAction, _ buffer: [UInt8], on id: SlotID) {
        switch action {
        case .none: break
        case .head(let bytes): loop.queue(bytes, on: &connections[id].socket)
        case .message(let opcode, let payload):
            if cases?.takes(payload, in: buffer) == true { return }
            send(opcode, payload, buffer, on: id)
        case .pong(let payload): send(.pong, payload, buffer, on: id)
        case .close(let code, let reason):
            frame.removeAll(keepingCapacity: true)
            FrameEncoder.appendClose(code: code, reason: reason, mask: mask(), to: &frame)
            loop.queue(frame, on: &connections[id].socket)
        }
    }

    /// Queues a message; a server's payload is not copied on the way.
    private mutating func send(
        _ opcode: WebSocketOpcode, _ payload: WebSocketPayload, _ buffer: [UInt8], on id: SlotID
    ) {
        frame.removeAll(keepingCapacity: frame.capacity <= Self.outputLimit)
        if let mask = mask() {
            payload.withSpan(in: buffer) {
                FrameEncoder.append(opcode, $0, mask: mask, to: &frame)
            }
            loop.queue(frame, on: &connections[id].socket)
            return
        }
        FrameEncoder.appendHeader(opcode, length: payload.count, to: &frame)
        loop.queue(frame, on: &connections[id].socket)
        switch payload {
        case .buffer(let range):
            loop.queue(buffer.span.extracting(range), on: &connections[id].socket)
        case .assembled(let bytes): loop.queue(bytes.span, on: &connections[id].socket)
        }
    }

    /// A client masks each frame with a key of its own (RFC 6455, section 5.3).
    private mutating func mask() -> UInt32? {
        cases == nil ? nil : UInt32(truncatingIfNeeded: loop.sys.random())
    }

    // MARK: - Sending and ending

    private mutating func flushDirty() {
        var dirty = take(&self.dirty)
        loop.takeDirty(into: &dirty)
        for token in dirty where connections.contains(token.id) { flush(token.id) }
        dirty.removeAll(keepingCapacity: true)
        self.dirty = dirty
    }

    private mutating func flush(_ id: SlotID) {
        connections[id].socket.isDirty = false
        switch loop.flush(&connections[id].socket, reads: wantsInput(id)) {
        case .failed(let error):
            close(id, failure: error.reason)
        case .blocked:
            loop.watch(&connections[id].socket, for: wantsInput(id) ? [.read, .write] : .write)
        case .drained:
            if connections[id].machine.isDone {
                close(id, failure: nil)
                return
            }
            loop.watch(&connections[id].socket, for: wantsInput(id) ? .read : [])
            if connections[id].machine.state == .finishing {
                loop.endSending(&connections[id].socket)
            }
        }
    }

    /// Closes the connection and forgets it; a client goes on with its next case.
    private mutating func close(_ id: SlotID, failure: String?) {
        let machine = connections[id].machine
        loop.release(&connections[id].socket)
        connections.remove(id)
        guard cases != nil else { return }
        // Cases end in many ways, but each begins with an upgrade.
        if let reason = machine.refusal ?? (machine.state == .handshake ? failure : nil) {
            ended = (true, "cannot open a WebSocket: \(reason)")
        } else {
            nextCase()
        }
    }

    /// Connects for the next case, or ends the loop after the last one.
    mutating func nextCase() {
        guard let address = cases?.address, let path = cases?.nextPath() else {
            ended = (true, cases?.failure)
            return
        }
        dial(address, path: path)
    }
}
