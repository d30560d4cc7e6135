/// Shows captured frames as JSON, one line a frame, for people and tools that look at a capture.
///
/// A line is `{"opcode":"text","fin":true,"masked":true,"length":15,"payload":"…"}`; a payload that
/// is not well-formed UTF-8 is `{"base64":"…"}`, and a close frame's code and reason follow its
/// payload. The frames are held to all rules of the protocol.
public struct FrameDump: Sendable {
    /// What the capture as a whole is.
    public enum Outcome: Sendable, Equatable {
        /// Whole frames and whole messages, to the last byte.
        case complete
        /// The frame that begins at this byte offset breaks the protocol.
        case malformed(offset: Int, reason: String)
        /// The frame that begins at this byte offset is cut, or a message lacks its last fragment.
        case incomplete(offset: Int)
    }

    private let role: WebSocketRole
    private var decoder: WebSocketDecoder
    /// The bytes of a frame that is not whole yet.
    private var pending: [UInt8] = []
    /// The offset of `pending` in the capture.
    private var offset = 0
    private var failure: Outcome?
    private var isClosed = false

    /// Makes a dump of what an endpoint of this role received: `.server` for a client's bytes.
    ///
    /// A frame over the limits, 64 MiB where nothing else is said, counts as malformed.
    public init(role: WebSocketRole, limits: WebSocketLimits = .init(maxMessageSize: 64 << 20)) {
        self.role = role
        decoder = WebSocketDecoder(role: role, limits: limits)
    }

    /// Takes the next bytes of the capture, and appends a line for each frame that they complete.
    public mutating func feed(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
        guard failure == nil else { return }
        ByteRuns.append(bytes, in: 0..<bytes.count, to: &pending)
        var start = 0
        do throws(WebSocketError) {
            while failure == nil, let end = try nextFrame(from: start, to: &output) {
                offset += end - start
                start = end
            }
        } catch {
            failure = .malformed(offset: offset, reason: error.reason)
        }
        pending.removeFirst(start)
    }

    /// What the capture was, when all its bytes have been fed.
    public mutating func finish() -> Outcome {
        if let failure { return failure }
        if pending.isEmpty { return decoder.isIdle ? .complete : .incomplete(offset: offset) }
        do throws(WebSocketError) {
            // The part of a frame may already be wrong.
            let end = pending.count
            var position = 0
            while position < end {
                position = try decoder.next(&pending, from: position, to: end).end
            }
        } catch {
            return .malformed(offset: offset, reason: error.reason)
        }
        return .incomplete(offset: offset)
    }

    /// Shows the frame at `start` of the pending bytes; its end, or nil when it is not whole.
    private mutating func nextFrame(
        from start: Int, to output: inout [UInt8]
    ) throws(WebSocketError) -> Int? {
        guard start < pending.count else { return nil }
        guard !isClosed else {
            failure = .malformed(offset: offset, reason: "data after the close frame")
            return nil
        }
        guard let header = try header(at: start) else { return nil }
        let payloadStart = start + header.headerLength
        guard header.payloadLength <= UInt64(pending.count - payloadStart) else {
            // Else a frame over the limits would be waited for.
            return try check(header, from: start)
        }
        let end = payloadStart + Int(header.payloadLength)
        var position = start
        while position < end {
            let step = try decoder.next(&pending, from: position, to: end)
            if case .close = step.event { isClosed = true }
            position = step.end
        }
        Self.appendLine(header, pending.span.extracting(payloadStart..<end), to: &output)
        return end
    }

    /// Reads the header at `start` of the pending bytes; nil when it is not whole.
    private func header(at start: Int) throws(WebSocketError) -> FrameHeader? {
        do throws(WebSocketError) {
            return try FrameHeader.parse(
                pending.span, from: start, to: pending.count, role: role)
        } catch {
            // The frame's place may be wrong too, which the decoder sees first.
            try judge(pending[start...])
            throw error
        }
    }

    /// Judges the header of a frame that is not whole.
    private func check(_ header: FrameHeader, from start: Int) throws(WebSocketError) -> Int? {
        try judge(pending[start..<start + header.headerLength])
        return nil
    }

    /// Throws what the decoder has against the bytes; on a copy of it.
    private func judge(_ bytes: ArraySlice<UInt8>) throws(WebSocketError) {
        var copy = decoder
        var bytes = Array(bytes)
        _ = try copy.next(&bytes, from: 0, to: bytes.count)
    }

    private static func appendLine(
        _ header: FrameHeader, _ payload: Span<UInt8>, to output: inout [UInt8]
    ) {
        let start = #"{"opcode":"\#(header.opcode)","fin":\#(header.isFinal),"#
        output.append(contentsOf: start.utf8)
        let middle = #""masked":\#(header.mask != nil),"length":\#(payload.count),"payload":"#
        output.append(contentsOf: middle.utf8)
        append(payload, to: &output)
        if header.opcode == .close, payload.count >= 2 {
            let code = Int(payload[0]) << 8 | Int(payload[1])
            output.append(contentsOf: #","code":\#(code),"reason":"#.utf8)
            append(payload.extracting(2..<payload.count), to: &output)
        }
        output.append(contentsOf: "}\n".utf8)
    }

    /// Appends bytes as a JSON string, or in base64 when they are not UTF-8.
    private static func append(_ bytes: Span<UInt8>, to output: inout [UInt8]) {
        var utf8 = UTF8Validator()
        guard utf8.append(bytes), utf8.isComplete else {
            var copy: [UInt8] = []
            ByteRuns.append(bytes, in: 0..<bytes.count, to: &copy)
            output.append(contentsOf: #"{"base64":"\#(Base64.encode(copy))"}"#.utf8)
            return
        }
        output.append(UInt8(ascii: "\""))
        _ = JSONStringEscaper.append(bytes, to: &output)
        output.append(UInt8(ascii: "\""))
    }
}
