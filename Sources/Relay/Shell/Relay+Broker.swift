import Logging
import RESP

// The embedded broker's clients, on the same event loop as everything else.
extension Relay where S: ~Copyable {
    mutating func acceptSessions() {
        guard let brokerListener else { return }
        for _ in 0..<Self.acceptLimit {
            guard case .accepted(let descriptor, _) = loop.sys.accept(brokerListener) else {
                return
            }
            let session = broker.makeSession()
            let id = sessions.insert { id in
                SessionEntry(
                    session: session,
                    socket: loop.makeSocket(token: Token(.brokerSession, id)))
            }
            loop.adopt(descriptor, in: &sessions[id].socket)
        }
    }

    mutating func sessionEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        guard sessions.contains(id) else { return }
        if readable { readSession(id) }
        if sessions.contains(id), writable { loop.markDirty(&sessions[id].socket) }
    }

    private mutating func readSession(_ id: SlotID) {
        var buffer = take(&loop.readBuffer)
        switch loop.sys.receive(sessions[id].socket.descriptor, into: &buffer) {
        case .bytes(let count): consumeSession(id, &buffer, count)
        case .endOfStream, .failed: closeSession(id)
        case .wouldBlock: break
        }
        loop.giveBack(&buffer)
    }

    private mutating func consumeSession(
        _ id: SlotID, _ buffer: inout [UInt8], _ count: Int
    ) {
        let total = loop.join(&buffer, count: count, in: &sessions[id].socket)
        var offset = 0
        while !sessions[id].isClosing {
            let step: CommandStep
            do throws(RESPError) {
                step = try sessions[id].session.parser.next(
                    buffer.span.extracting(0..<total), from: offset, arguments: &arguments)
            } catch {
                encoder.removeAll()
                encoder.simpleError("ERR Protocol error: \(error.reason)")
                loop.queue(encoder.bytes, on: &sessions[id].socket)
                sessions[id].isClosing = true
                break
            }
            offset = step.end
            guard step.event == .command else { break }
            execute(buffer.span.extracting(0..<total), by: id)
            guard sessions.contains(id) else { return }
        }
        let consumed = sessions[id].isClosing ? total : offset
        loop.keep(&buffer, from: consumed, of: total, in: &sessions[id].socket)
    }

    private mutating func execute(_ bytes: Span<UInt8>, by id: SlotID) {
        encoder.removeAll()
        let action = broker.execute(
            arguments, of: bytes, by: id, session: &sessions[id].session, reply: &encoder)
        switch action {
        case .none: break
        case .close:
            sessions[id].isClosing = true
        case .publish(let channel, let payload):
            let count = publish(bytes.extracting(channel), bytes.extracting(payload))
            guard sessions.contains(id) else { return }
            encoder.removeAll()
            encoder.version = sessions[id].session.version
            encoder.integer(count)
        }
        loop.queue(encoder.bytes, on: &sessions[id].socket)
    }

    /// Queues a message for each subscriber; returns how many there are.
    private mutating func publish(_ channel: Span<UInt8>, _ payload: Span<UInt8>) -> Int {
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
            loop.queue(encoder.bytes, on: &sessions[receiver].socket)
            if sessions[receiver].socket.output.count > Broker.outputLimit {
                log.broker.warning("closed a subscriber that does not read")
                closeSession(receiver)
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

    mutating func flushSession(_ id: SlotID) {
        guard sessions.contains(id) else { return }
        sessions[id].socket.isDirty = false
        switch loop.flush(&sessions[id].socket, reads: !sessions[id].isClosing) {
        case .failed: closeSession(id)
        case .blocked: break
        case .drained: if sessions[id].isClosing { closeSession(id) }
        }
    }

    mutating func closeSession(_ id: SlotID) {
        broker.remove(id, session: sessions[id].session)
        loop.release(&sessions[id].socket)
        sessions.remove(id)
    }
}
