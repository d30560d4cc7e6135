import RESP

/// What bytes of a link mean, one thing at a time; ranges are those of the buffer.
enum LinkStep {
    case message(channel: Range<Int>, payload: Range<Int>)
    /// A payload of this many bytes was over the limit and has been skipped.
    case oversized(channel: Range<Int>, length: Int)
    /// A shared link has the subscription of this channel no more, and nobody has asked for that.
    case withdrawn(channel: Range<Int>)
    /// Something has happened: ``LinkShell/nextEvent()`` says what.
    case event
    /// All is read.
    case end
}

/// Bytes of a link on their way through its machine.
struct LinkReading {
    let link: SlotID
    /// The TLS connection that they come by.
    fileprivate let session: ObjectIdentifier?
    /// How many bytes of the buffer are to be taken; nil while there are none.
    fileprivate var total: Int?
    fileprivate var offset = 0
    fileprivate var wasAsking = false
}

// From the socket to the meaning. Whoever reads asks for one step after the other, since each message
// may end its page, and that the link.
extension LinkShell where S: ~Copyable {
    /// The kernel tells of a link's socket; returns what was read, whose steps are to be taken.
    mutating func event(
        _ id: SlotID, readable: Bool, writable: Bool, _ buffer: inout [UInt8],
        _ context: inout LoopContext<S>
    ) -> LinkReading? {
        guard contains(id), entries[id].socket.isOpen else { return nil }
        let reading = readable ? read(id, &buffer, &context) : nil
        guard contains(id) else { return nil }
        // Behind the bytes themselves, where there are some.
        if reading?.total == nil { arm(id, &context) }
        if writable { wake(id, &context) }
        return reading
    }

    private mutating func read(
        _ id: SlotID, _ buffer: inout [UInt8], _ context: inout LoopContext<S>
    ) -> LinkReading? {
        switch context.loop.sys.receive(entries[id].socket.descriptor, into: &buffer) {
        case .bytes(let count):
            entries[id].heardAt = context.loop.now
            guard let session = entries[id].tls else {
                var reading = LinkReading(link: id, session: nil)
                takePlaintext(&reading, &buffer, count, &context)
                return reading
            }
            takeCiphertext(session, of: id, &buffer, count, &context)
            return LinkReading(link: id, session: ObjectIdentifier(session))
        case .endOfStream: lost(id, nil, &context)
        case .wouldBlock: break
        case .failed(let error): lost(id, error, &context)
        }
        return nil
    }

    /// Takes the next step; `buffer` is the one that was read into.
    mutating func next(
        _ reading: inout LinkReading, _ buffer: inout [UInt8], _ context: inout LoopContext<S>
    ) -> LinkStep {
        let id = reading.link
        while true {
            guard let total = reading.total else {
                guard let session = reading.session else { return .end }
                guard decrypt(session, &reading, &buffer, &context) else {
                    endReading(session, of: id, &context)
                    reading = LinkReading(link: id, session: nil)
                    return hasEvents ? .event : .end
                }
                continue
            }
            // What the former step led to may have ended the link; a closed connection leaves nothing
            // to keep.
            guard contains(id), entries[id].socket.isOpen else {
                reading.total = nil
                continue
            }
            let action = entries[id].machine.receive(
                buffer.span.extracting(0..<total), from: &reading.offset,
                now: context.loop.now, output: &encoder)
            switch action {
            case .none: endPlaintext(&reading, &buffer, total, &context)
            case .message(let channel, let payload):
                return .message(channel: channel, payload: payload)
            case .oversized(let channel, let length):
                return .oversized(channel: channel, length: length)
            case .withdrawn(let channel): return .withdrawn(channel: channel)
            default: perform(action, on: id, &context)
            }
            if hasEvents { return .event }
        }
    }

    /// Takes bytes as Redis has meant them: those of the socket, or what TLS has made of them.
    mutating func takePlaintext(
        _ reading: inout LinkReading, _ buffer: inout [UInt8], _ count: Int,
        _ context: inout LoopContext<S>
    ) {
        let id = reading.link
        if trace != nil { traceReceived(buffer[..<count], on: id, &context) }
        reading.total = context.loop.join(&buffer, count: count, in: &entries[id].socket)
        reading.offset = 0
        reading.wasAsking = entries[id].machine.isAsking
        encoder.removeAll()
    }

    /// All that could be taken is taken: what is left waits for the next read.
    private mutating func endPlaintext(
        _ reading: inout LinkReading, _ buffer: inout [UInt8], _ total: Int,
        _ context: inout LoopContext<S>
    ) {
        let id = reading.link
        reading.total = nil
        if reading.wasAsking, !entries[id].machine.isAsking { noteAnswer(of: id, &context) }
        context.loop.keep(&buffer, from: reading.offset, of: total, in: &entries[id].socket)
        sendEncoded(on: id, &context)
        if trace != nil { alignTrace(of: id, &context) }
        if contains(id) { arm(id, &context) }
    }
}
