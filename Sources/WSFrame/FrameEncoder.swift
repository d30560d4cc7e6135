/// Writes frames (RFC 6455, section 5.2). A server gives no mask; a client gives a fresh random
/// masking key with each frame, as its four bytes in wire order, the first one highest.
public enum FrameEncoder {
    /// The length in bytes of the header of a frame with a payload of `length` bytes.
    public static func headerLength(payloadLength length: Int, isMasked: Bool = false) -> Int {
        (length <= 125 ? 2 : length <= 0xFFFF ? 4 : 10) + (isMasked ? 4 : 0)
    }

    /// Appends a frame's header alone; the payload, masked by the caller if at all, may come from
    /// elsewhere. `length` is in bytes and not negative.
    public static func appendHeader(
        _ opcode: WebSocketOpcode, isFinal: Bool = true, length: Int, mask: UInt32? = nil,
        to output: inout [UInt8]
    ) {
        precondition(length >= 0 && (length <= 125 || !opcode.isControl))
        output.append((isFinal ? 0x80 : 0) | opcode.rawValue)
        let maskBit: UInt8 = mask == nil ? 0 : 0x80
        if length <= 125 {
            output.append(maskBit | UInt8(length))
        } else if length <= 0xFFFF {
            output.append(maskBit | 126)
            append(UInt64(length), width: 2, to: &output)
        } else {
            output.append(maskBit | 127)
            append(UInt64(length), width: 8, to: &output)
        }
        if let mask { append(UInt64(mask), width: 4, to: &output) }
    }

    /// Appends a whole frame. The payload of a control frame is at most 125 bytes, that of a text
    /// message well-formed UTF-8.
    public static func append(
        _ opcode: WebSocketOpcode, _ payload: Span<UInt8>, isFinal: Bool = true,
        mask: UInt32? = nil, to output: inout [UInt8]
    ) {
        appendHeader(opcode, isFinal: isFinal, length: payload.count, mask: mask, to: &output)
        let start = output.count
        ByteRuns.append(payload, in: 0..<payload.count, to: &output)
        if let mask {
            var span = output.mutableSpan
            Masking.apply(mask, to: &span, in: start..<start + payload.count)
        }
    }

    /// Appends a text message of one frame.
    public static func appendText(
        _ text: String, mask: UInt32? = nil, to output: inout [UInt8]
    ) {
        append(.text, text.utf8.span, mask: mask, to: &output)
    }

    /// Appends a close frame (section 5.5.1); with no code its body is empty.
    ///
    /// `code` has to be one that may be sent (`WebSocketCloseCode.isValid`); the reason is cut to
    /// 123 bytes at a character's end.
    public static func appendClose(
        code: UInt16?, reason: String = "", mask: UInt32? = nil, to output: inout [UInt8]
    ) {
        var body: [UInt8] = []
        if let code {
            precondition(WebSocketCloseCode.isValid(code))
            body.append(UInt8(code >> 8))
            body.append(UInt8(code & 0xFF))
            for scalar in reason.unicodeScalars {
                let bytes = UTF8.encode(scalar)
                guard let bytes, body.count + bytes.count <= 125 else { break }
                body.append(contentsOf: bytes)
            }
        }
        append(.close, body.span, mask: mask, to: &output)
    }

    /// Masks or unmasks `payload` in place (section 5.3).
    public static func mask(_ payload: inout MutableSpan<UInt8>, with key: UInt32) {
        Masking.apply(key, to: &payload, in: 0..<payload.count)
    }

    private static func append(_ value: UInt64, width: Int, to output: inout [UInt8]) {
        for index in (0..<width).reversed() {
            output.append(UInt8(truncatingIfNeeded: value >> (8 * UInt64(index))))
        }
    }
}
