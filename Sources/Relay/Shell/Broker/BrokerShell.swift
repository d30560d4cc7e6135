import Logging
import RESP

/// A client of the embedded broker with its socket.
struct SessionEntry {
    var session: BrokerSession
    var socket: Socket
    var isClosing = false
}

/// The embedded broker with its clients, on the same event loop as everything else.
struct BrokerShell<S: Sys & ~Copyable>: ~Copyable {
    /// Connections accepted in one turn, at most.
    static var acceptLimit: Int { 64 }

    private var broker: Broker
    private var sessions = Slab<SessionEntry>()
    private var listener: Descriptor?

    // Storage that is used again for every command.
    private var encoder = RESPEncoder()
    private var arguments: [Range<Int>] = []

    init(_ broker: Broker) {
        self.broker = broker
    }

    /// Opens the listener; returns the address that was really bound.
    mutating func listen(
        _ address: ListenAddress, _ context: inout LoopContext<S>
    ) throws(SystemError) -> SocketAddress {
        let (descriptor, bound) = try context.loop.sys.listen(
            address, token: Token(.brokerListener))
        listener = descriptor
        return bound
    }

    /// Ends the listener and its clients.
    mutating func close(_ context: inout LoopContext<S>) {
        for id in sessions.ids { close(id, &context) }
        if let descriptor = listener.take() { context.loop.sys.stopListening(descriptor) }
    }

    // MARK: - Events

    mutating func accept(_ context: inout LoopContext<S>) {
        guard let listener else { return }
        for _ in 0..<Self.acceptLimit {
            guard case .accepted(let descriptor, _) = context.loop.sys.accept(listener) else {
                return
            }
            let session = broker.makeSession()
            let id = sessions.insert { id in
                SessionEntry(
                    session: session,
                    socket: context.loop.makeSocket(token: Token(.brokerSession, id)))
            }
            context.loop.adopt(descriptor, in: &sessions[id].socket)
        }
    }

    mutating func event(
        _ id: SlotID, readable: Bool, writable: Bool, _ context: inout LoopContext<S>
    ) {
        guard sessions.contains(id) else { return }
        if readable { read(id, &context) }
        if sessions.contains(id), writable { context.loop.markDirty(&sessions[id].socket) }
    }

    private mutating func read(_ id: SlotID, _ context: inout LoopContext<S>) {
        var buffer = take(&context.loop.readBuffer)
        switch context.loop.sys.receive(sessions[id].socket.descriptor, into: &buffer) {
        case .bytes(let count): consume(id, &buffer, count, &context)
        case .endOfStream, .failed: close(id, &context)
        case .wouldBlock: break
        }
        context.loop.giveBack(&buffer)
    }

    private mutating func consume(
        _ id: SlotID, _ buffer: inout [UInt8], _ count: Int, _ context: inout LoopContext<S>
    ) {
        let total = context.loop.join(&buffer, count: count, in: &sessions[id].socket)
        var offset = 0
        while !sessions[id].isClosing {
            let step: CommandStep
            do throws(RESPError) {
                step = try sessions[id].session.parser.next(
                    buffer.span.extracting(0..<total), from: offset, arguments: &arguments)
            } catch {
                encoder.removeAll()
                encoder.simpleError("ERR Protocol error: \(error.reason)")
                context.loop.queue(encoder.bytes, on: &sessions[id].socket)
                sessions[id].isClosing = true
                break
            }
            offset = step.end
            guard step.event == .command else { break }
            execute(buffer.span.extracting(0..<total), by: id, &context)
            guard sessions.contains(id) else { return }
        }
        let consumed = sessions[id].isClosing ? total : offset
        context.loop.keep(&buffer, from: consumed, of: total, in: &sessions[id].socket)
    }

    private mutating func execute(
        _ bytes: Span<UInt8>, by id: SlotID, _ context: inout LoopContext<S>
    ) {
        encoder.removeAll()
        let action = broker.execute(
            arguments, of: bytes, by: id, session: &sessions[id].session, reply: &encoder)
        switch action {
        case .none: break
        case .close:
            sessions[id].isClosing = true
        case .publish(let channel, let payload):
            let count = publish(
                bytes.extracting(channel), bytes.extracting(payload), &context)
            guard sessions.contains(id) else { return }
            encoder.removeAll()
            encoder.version = sessions[id].session.version
            encoder.integer(count)
        }
        context.loop.queue(encoder.bytes, on: &sessions[id].socket)
    }

    /// Queues a message for each subscriber; returns how many there are.
    private mutating func publish(
        _ channel: Span<UInt8>, _ payload: Span<UInt8>, _ context: inout LoopContext<S>
    ) -> Int {
        let name = Self.copy(channel)
        let content = Self.copy(payload)
        let receivers = broker.receivers(of: name)
        for receiver in receivers where sessions.contains(receiver) {
            encoder.removeAll()
            encoder.version = sessions[receiver].session.version
            encoder.pushHeader(3)
            encoder.bulkString("message")
            encoder.bulkString(name)
            encoder.bulkString(content)
            context.loop.queue(encoder.bytes, on: &sessions[receiver].socket)
            if sessions[receiver].socket.output.count > Broker.outputLimit {
                context.log.broker.warning("closed a subscriber that does not read")
                close(receiver, &context)
            }
        }
        return receivers.count
    }

    private static func copy(_ span: Span<UInt8>) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(span.count)
        for index in span.indices { bytes.append(span[index]) }
        return bytes
    }

    mutating func flush(_ id: SlotID, _ context: inout LoopContext<S>) {
        guard sessions.contains(id) else { return }
        sessions[id].socket.isDirty = false
        switch context.loop.flush(&sessions[id].socket, reads: !sessions[id].isClosing) {
        case .failed: close(id, &context)
        case .blocked: break
        case .drained: if sessions[id].isClosing { close(id, &context) }
        }
    }

    private mutating func close(_ id: SlotID, _ context: inout LoopContext<S>) {
        broker.remove(id, session: sessions[id].session)
        context.loop.release(&sessions[id].socket)
        sessions.remove(id)
    }
}
