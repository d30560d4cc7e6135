/// The header of one frame (RFC 6455, section 5.2), checked for all that does not depend on the
/// frames before it.
public struct FrameHeader: Sendable, Equatable {
    /// The longest header: two bytes, a 64-bit length, a masking key.
    public static let maxLength = 14

    /// Whether this is the last fragment of its message.
    public var isFinal: Bool
    /// What the frame is.
    public var opcode: WebSocketOpcode
    /// The masking key as its four bytes in wire order, the first one highest; nil when unmasked.
    public var mask: UInt32?
    /// The payload's length in bytes.
    public var payloadLength: UInt64
    /// The header's own length in bytes, 2 to 14.
    public var headerLength: Int

    /// Reads the header which begins at `offset`; nil when `end` comes before the header's.
    ///
    /// Bytes are checked in wire order, so that a header is refused on its first bad byte, and for
    /// the same reason however it is split. The role is the receiver's.
    public static func parse(
        _ bytes: Span<UInt8>, from offset: Int, to end: Int, role: WebSocketRole
    ) throws(WebSocketError) -> FrameHeader? {
        guard offset < end else { return nil }
        let first = bytes[offset]
        guard first & 0x70 == 0 else { throw .reservedBits }
        guard let opcode = WebSocketOpcode(rawValue: first & 0x0F) else { throw .reservedOpcode }
        let isFinal = first & 0x80 != 0
        guard isFinal || !opcode.isControl else { throw .fragmentedControlFrame }

        guard end - offset >= 2 else { return nil }
        let second = bytes[offset + 1]
        let isMasked = second & 0x80 != 0
        if isMasked != (role == .server) { throw isMasked ? .maskedFrame : .unmaskedFrame }
        let short = second & 0x7F
        guard short <= 125 || !opcode.isControl else { throw .controlFrameTooLong }

        var position = offset + 2
        var length = UInt64(short)
        if short >= 126 {
            let width = short == 126 ? 2 : 8
            guard
                let extended = try parseLength(bytes, from: position, to: end, width: width)
            else { return nil }
            length = extended
            position += width
        }
        var mask: UInt32?
        if isMasked {
            guard end - position >= 4 else { return nil }
            mask =
                UInt32(bytes[position]) << 24 | UInt32(bytes[position + 1]) << 16
                | UInt32(bytes[position + 2]) << 8 | UInt32(bytes[position + 3])
            position += 4
        }
        return FrameHeader(
            isFinal: isFinal, opcode: opcode, mask: mask, payloadLength: length,
            headerLength: position - offset)
    }

    /// Reads an extended length of two or eight bytes.
    private static func parseLength(
        _ bytes: Span<UInt8>, from offset: Int, to end: Int, width: Int
    ) throws(WebSocketError) -> UInt64? {
        guard offset < end else { return nil }
        if width == 8, bytes[offset] & 0x80 != 0 { throw .lengthOverflow }
        guard end - offset >= width else { return nil }
        var length: UInt64 = 0
        for index in offset..<offset + width {
            length = length << 8 | UInt64(bytes[index])
        }
        guard length > (width == 2 ? 125 : 0xFFFF) else { throw .lengthNotMinimal }
        return length
    }
}
