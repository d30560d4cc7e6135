/// An input read as a script: each byte decides something. Behind its end everything is zero.
package struct ByteScript: Sendable {
    private var bytes: [UInt8] = []
    private var position = 0

    package init() {}

    package init(_ bytes: Span<UInt8>) { restart(bytes) }

    /// Goes on with another input, in the same storage.
    package mutating func restart(_ bytes: Span<UInt8>) {
        InputBytes.copy(bytes, to: &self.bytes)
        position = 0
    }

    package var isAtEnd: Bool { position >= bytes.count }

    /// The next byte.
    package mutating func byte() -> UInt8 {
        guard position < bytes.count else { return 0 }
        defer { position += 1 }
        return bytes[position]
    }

    /// A number below `bound`, from the next byte.
    package mutating func number(below bound: Int) -> Int { Int(byte()) % bound }

    /// Two bytes as a number.
    package mutating func word() -> UInt16 { UInt16(byte()) << 8 | UInt16(byte()) }

    /// The next bytes, as many as the next byte says, at most `limit`, and as there are.
    package mutating func text(limit: Int = 255) -> ArraySlice<UInt8> {
        let length = min(Int(byte()), limit)
        let end = min(position + length, bytes.count)
        defer { position = max(end, position) }
        return position < end ? bytes[position..<end] : []
    }
}
