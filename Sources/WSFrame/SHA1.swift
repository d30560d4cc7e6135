/// SHA-1 (RFC 3174), which the WebSocket handshake uses as a checksum; it protects nothing.
enum SHA1 {
    /// The digest of a short message, 20 bytes.
    static func digest(_ message: [UInt8]) -> [UInt8] {
        var padded: [UInt8] = []
        padded.reserveCapacity((message.count + 72) / 64 * 64)
        padded += message
        padded.append(0x80)
        while padded.count % 64 != 56 { padded.append(0) }
        let bitCount = UInt64(message.count) * 8
        for shift in stride(from: UInt64(56), through: 0, by: -8) {
            padded.append(UInt8(truncatingIfNeeded: bitCount >> shift))
        }
        var state: [UInt32] = [0x6745_2301, 0xEFCD_AB89, 0x98BA_DCFE, 0x1032_5476, 0xC3D2_E1F0]
        for block in stride(from: 0, to: padded.count, by: 64) {
            process(padded.span.extracting(block..<block + 64), into: &state)
        }
        var digest: [UInt8] = []
        digest.reserveCapacity(20)
        for word in state {
            for byte in 0..<4 {
                digest.append(UInt8(truncatingIfNeeded: word >> UInt32(24 - 8 * byte)))
            }
        }
        return digest
    }

    private static func process(_ block: Span<UInt8>, into state: inout [UInt32]) {
        var schedule = InlineArray<80, UInt32>(repeating: 0)
        for index in 0..<16 {
            for byte in 0..<4 {
                schedule[index] = schedule[index] << 8 | UInt32(block[4 * index + byte])
            }
        }
        for index in 16..<80 {
            schedule[index] = rotate(
                schedule[index - 3] ^ schedule[index - 8] ^ schedule[index - 14]
                    ^ schedule[index - 16], by: 1)
        }
        var (a, b, c, d, e) = (state[0], state[1], state[2], state[3], state[4])
        for index in 0..<80 {
            let (choice, constant): (UInt32, UInt32) =
                switch index {
                case 0..<20: (b & c | ~b & d, 0x5A82_7999)
                case 20..<40: (b ^ c ^ d, 0x6ED9_EBA1)
                case 40..<60: (b & c | b & d | c & d, 0x8F1B_BCDC)
                default: (b ^ c ^ d, 0xCA62_C1D6)
                }
            let next = rotate(a, by: 5) &+ choice &+ e &+ constant &+ schedule[index]
            (a, b, c, d, e) = (next, a, rotate(b, by: 30), c, d)
        }
        state[0] &+= a
        state[1] &+= b
        state[2] &+= c
        state[3] &+= d
        state[4] &+= e
    }

    private static func rotate(_ word: UInt32, by count: UInt32) -> UInt32 {
        word << count | word >> (32 - count)
    }
}
