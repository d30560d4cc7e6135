/// The hash slot of a channel: which part of a cluster its messages are published at.
///
/// It is CRC16 of the name, modulo 16,384 (Redis Cluster specification, "Key distribution model"). Where
/// the name has a hash tag, which is what stands between the first `{` and the first `}` behind it, if that
/// is anything, the tag alone is hashed ("Hash tags"). The names of pages' channels have no braces.
struct HashSlot: Equatable, Hashable, Comparable, Sendable {
    /// How many slots a cluster has.
    static let count = 16_384

    /// From 0 to 16,383.
    let number: UInt16

    /// The slot of this number; nil where there is none.
    init?(_ number: Int) {
        guard (0..<Self.count).contains(number) else { return nil }
        self.number = UInt16(number)
    }

    /// The slot of a channel.
    init(of channel: [UInt8]) {
        number = Self.checksum(channel[Self.hashed(channel)]) % UInt16(Self.count)
    }

    static func < (left: HashSlot, right: HashSlot) -> Bool { left.number < right.number }

    /// The part of a name that is hashed.
    private static func hashed(_ name: [UInt8]) -> Range<Int> {
        guard let open = name.firstIndex(of: UInt8(ascii: "{")),
            let close = name[(open + 1)...].firstIndex(of: UInt8(ascii: "}")), close > open + 1
        else { return name.indices }
        return open + 1..<close
    }

    /// CRC-16/XMODEM: the polynomial 0x1021, beginning with 0, nothing reflected.
    private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt16 {
        let table = table
        var sum: UInt16 = 0
        for byte in bytes { sum = sum << 8 ^ table[Int(UInt8(sum >> 8) ^ byte)] }
        return sum
    }

    /// What each byte makes of the sum.
    private static let table = (0..<256).map { byte in
        var sum = UInt16(byte) << 8
        for _ in 0..<8 { sum = sum & 0x8000 == 0 ? sum << 1 : sum << 1 ^ 0x1021 }
        return sum
    }
}
