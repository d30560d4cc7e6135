/// Turns a peer's bytes into messages and control frames (RFC 6455, sections 5 and 6.2).
///
/// The decoder consumes all bytes it is given: the caller keeps nothing back. An unfragmented
/// message that lies whole in the buffer is unmasked in place and handed out as a range of it, with
/// no copy and no allocation; any other is put together in storage which leaves the decoder with the
/// message, so that an idle connection holds the bare struct. Any split of the bytes gives the same
/// events. Text is validated as it comes and refused on its first ill-formed byte; sizes are refused
/// on the announced length.
public struct WebSocketDecoder: Sendable {
    /// The parts so far of a fragmented or split message.
    private var message: [UInt8] = []
    /// The part so far of a split control frame.
    private var control: [UInt8] = []
    private let limits: WebSocketLimits
    /// Payload bytes of the current frame that are still to come.
    private var remaining: UInt32 = 0
    /// The masking key, turned to fit the next payload byte.
    private var mask: UInt32 = 0
    /// The first bytes of a header that is split.
    private var header = InlineArray<14, UInt8>(repeating: 0)
    private var headerCount: UInt8 = 0
    private let role: WebSocketRole
    /// The frame whose payload is being read; nil between frames.
    private var opcode: WebSocketOpcode?
    private var isFinal = false
    /// The type of the message under way; nil between messages.
    private var messageOpcode: WebSocketOpcode?
    private var utf8 = UTF8Validator()
    private var failure: WebSocketError?
    private var isClosed = false

    /// Makes a decoder for the receiving side's role.
    public init(role: WebSocketRole, limits: WebSocketLimits) {
        self.role = role
        self.limits = limits
    }

    /// Whether the decoder is between messages and holds no bytes.
    public var isIdle: Bool { headerCount == 0 && opcode == nil && messageOpcode == nil }

    /// Decodes up to the next event in `buffer[offset..<end]`; see `next(_:from:to:)` on a span.
    public mutating func next(
        _ buffer: inout [UInt8], from offset: Int, to end: Int
    ) throws(WebSocketError) -> WebSocketStep {
        var span = buffer.mutableSpan
        return try next(&span, from: offset, to: end)
    }

    /// Decodes up to the next event in `buffer[offset..<end]`, unmasking in place.
    ///
    /// Call it again from the step's `end` until it says `.incomplete`; then all bytes are consumed.
    /// Throws the reason to fail the connection, again on each further call. Bytes after a close
    /// frame are ignored (section 5.5.1).
    public mutating func next(
        _ buffer: inout MutableSpan<UInt8>, from offset: Int, to end: Int
    ) throws(WebSocketError) -> WebSocketStep {
        if let failure { throw failure }
        if isClosed { return WebSocketStep(end: end, event: .incomplete) }
        do throws(WebSocketError) {
            return try decode(&buffer, from: offset, to: end)
        } catch {
            failure = error
            message = []
            control = []
            throw error
        }
    }

    private mutating func decode(
        _ buffer: inout MutableSpan<UInt8>, from offset: Int, to end: Int
    ) throws(WebSocketError) -> WebSocketStep {
        var position = offset
        while true {
            if opcode == nil {
                if let range = shortMessage(buffer.span, from: position, to: end) {
                    let opcode: WebSocketOpcode = buffer[position] == 0x81 ? .text : .binary
                    Masking.apply(mask, to: &buffer, in: range)
                    let event = try deliver(opcode, buffer.span, in: range)
                    return WebSocketStep(end: range.upperBound, event: event)
                }
                guard let header = try nextHeader(buffer.span, from: &position, to: end) else {
                    return WebSocketStep(end: end, event: .incomplete)
                }
                if let range = try begin(header, from: position, to: end) {
                    Masking.apply(mask, to: &buffer, in: range)
                    let event = try deliver(header.opcode, buffer.span, in: range)
                    return WebSocketStep(end: range.upperBound, event: event)
                }
            }
            let count = min(Int(remaining), end - position)
            try take(&buffer, in: position..<position + count)
            position += count
            guard remaining == 0 else {
                return WebSocketStep(end: position, event: .incomplete)
            }
            if let event = try endFrame() {
                return WebSocketStep(end: position, event: event)
            }
        }
    }

    /// The payload of a sound message of one frame with at most 125 bytes that lies whole in the
    /// buffer; nil for all else, which takes the long way.
    ///
    /// Most messages of a browser are like this, so that they get a way of their own.
    private mutating func shortMessage(
        _ bytes: Span<UInt8>, from position: Int, to end: Int
    ) -> Range<Int>? {
        guard headerCount == 0, messageOpcode == nil, end - position >= 6 else { return nil }
        let first = bytes[position]
        let length = Int(bytes[position + 1] & 0x7F)
        let isMasked = bytes[position + 1] & 0x80 != 0
        let start = position + (isMasked ? 6 : 2)
        guard first == 0x81 || first == 0x82, isMasked == (role == .server), length <= 125,
            length <= Int(limits.maxFrameSize), length <= Int(limits.maxMessageSize),
            length <= end - start
        else { return nil }
        mask = 0
        if isMasked {
            for index in position + 2..<position + 6 { mask = mask << 8 | UInt32(bytes[index]) }
        }
        return start..<start + length
    }

    /// Reads a header from the buffer, or from the bytes kept of a split one and the buffer.
    private mutating func nextHeader(
        _ bytes: Span<UInt8>, from position: inout Int, to end: Int
    ) throws(WebSocketError) -> FrameHeader? {
        guard position < end else { return nil }
        if headerCount == 0 {
            try checkPlace(ofFrameBeginningWith: bytes[position])
            if let parsed = try FrameHeader.parse(bytes, from: position, to: end, role: role) {
                try check(parsed)
                position += parsed.headerLength
                return parsed
            }
        }
        while position < end {
            header[Int(headerCount)] = bytes[position]
            headerCount += 1
            position += 1
            let count = Int(headerCount)
            if let parsed = try FrameHeader.parse(header.span, from: 0, to: count, role: role) {
                try check(parsed)
                headerCount = 0
                return parsed
            }
        }
        return nil
    }

    /// Checks a frame's place in its message (section 5.4), on its first byte; other faults of that
    /// byte are left to the header's parser.
    private func checkPlace(ofFrameBeginningWith byte: UInt8) throws(WebSocketError) {
        guard byte & 0x70 == 0 else { return }
        switch WebSocketOpcode(rawValue: byte & 0x0F) {
        case .text, .binary: if messageOpcode != nil { throw .expectedContinuation }
        case .continuation: if messageOpcode == nil { throw .unexpectedContinuation }
        default: break
        }
    }

    /// Checks the announced length against the limits.
    private func check(_ header: FrameHeader) throws(WebSocketError) {
        guard !header.opcode.isControl else { return }
        guard header.payloadLength <= UInt64(limits.maxFrameSize) else { throw .frameTooBig }
        let total = header.payloadLength + UInt64(message.count)
        guard total <= UInt64(limits.maxMessageSize) else { throw .messageTooBig }
    }

    /// Begins a frame; the payload's range when the frame is a whole message or control frame that
    /// lies whole before `end`, so that nothing has to be kept.
    private mutating func begin(
        _ header: FrameHeader, from position: Int, to end: Int
    ) throws(WebSocketError) -> Range<Int>? {
        mask = header.mask ?? 0
        let isWhole = header.isFinal && header.opcode != .continuation
        if isWhole, header.payloadLength <= UInt64(end - position) {
            return position..<position + Int(header.payloadLength)
        }
        opcode = header.opcode
        isFinal = header.isFinal
        // Both a control frame's length and the limits fit 32 bits.
        remaining = UInt32(header.payloadLength)
        if header.opcode == .text || header.opcode == .binary { messageOpcode = header.opcode }
        return nil
    }

    /// Hands out a message or control frame that lies whole in the buffer, unmasked.
    private mutating func deliver(
        _ opcode: WebSocketOpcode, _ bytes: Span<UInt8>, in range: Range<Int>
    ) throws(WebSocketError) -> WebSocketEvent {
        switch opcode {
        case .text:
            var utf8 = UTF8Validator()
            guard utf8.append(bytes, in: range), utf8.isComplete else { throw .invalidUTF8 }
            return .text(.buffer(range))
        case .binary, .continuation: return .binary(.buffer(range))
        case .ping: return .ping(.buffer(range))
        case .pong: return .pong(.buffer(range))
        case .close:
            let code = try closeCode(bytes, in: range)
            isClosed = true
            message = []
            let start = code == nil ? range.lowerBound : range.lowerBound + 2
            return .close(code: code, reason: .buffer(start..<range.upperBound))
        }
    }

    /// Takes a part of the current frame's payload.
    private mutating func take(
        _ buffer: inout MutableSpan<UInt8>, in range: Range<Int>
    ) throws(WebSocketError) {
        guard !range.isEmpty, let opcode else { return }
        Masking.apply(mask, to: &buffer, in: range)
        mask = Masking.advance(mask, by: range.count)
        remaining -= UInt32(range.count)
        if opcode.isControl {
            ByteRuns.append(buffer.span, in: range, to: &control)
            // A bad code or reason fails the connection as soon as it is seen.
            if opcode == .close, control.count >= 2 { _ = try closePrefix(control.span) }
        } else {
            if messageOpcode == .text, !utf8.append(buffer.span, in: range) { throw .invalidUTF8 }
            ByteRuns.append(buffer.span, in: range, to: &message)
        }
    }

    /// Ends the current frame; nil when its message goes on.
    private mutating func endFrame() throws(WebSocketError) -> WebSocketEvent? {
        guard let opcode else { return nil }
        self.opcode = nil
        if opcode.isControl { return try endControlFrame(opcode) }
        guard isFinal else { return nil }
        let isText = messageOpcode == .text
        if isText, !utf8.isComplete { throw .invalidUTF8 }
        messageOpcode = nil
        utf8 = UTF8Validator()
        let payload = WebSocketPayload.assembled(take(&message))
        return isText ? .text(payload) : .binary(payload)
    }

    private mutating func endControlFrame(
        _ opcode: WebSocketOpcode
    ) throws(WebSocketError) -> WebSocketEvent {
        var body = take(&control)
        switch opcode {
        case .ping: return .ping(.assembled(body))
        case .pong: return .pong(.assembled(body))
        default:
            let code = try closeCode(body.span, in: 0..<body.count)
            isClosed = true
            message = []
            body.removeFirst(min(2, body.count))
            return .close(code: code, reason: .assembled(body))
        }
    }

    private func take(_ storage: inout [UInt8]) -> [UInt8] {
        var taken: [UInt8] = []
        swap(&taken, &storage)
        return taken
    }

    /// Checks the body of a close frame (section 5.5.1); its code, nil when the body is empty.
    private func closeCode(
        _ bytes: Span<UInt8>, in range: Range<Int>
    ) throws(WebSocketError) -> UInt16? {
        guard !range.isEmpty else { return nil }
        guard range.count >= 2 else { throw .closeBodyTooShort }
        let body = bytes.extracting(range)
        guard try closePrefix(body).isComplete else { throw .invalidCloseReason }
        return UInt16(body[0]) << 8 | UInt16(body[1])
    }

    /// Checks the first bytes of a close frame's body, at least two.
    private func closePrefix(_ body: Span<UInt8>) throws(WebSocketError) -> UTF8Validator {
        let code = UInt16(body[0]) << 8 | UInt16(body[1])
        guard WebSocketCloseCode.isValid(code) else { throw .invalidCloseCode }
        var utf8 = UTF8Validator()
        guard utf8.append(body, in: 2..<body.count) else { throw .invalidCloseReason }
        return utf8
    }
}
