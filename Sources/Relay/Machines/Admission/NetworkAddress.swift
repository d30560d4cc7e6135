/// An IPv4 or IPv6 address; an IPv4-mapped IPv6 address is the IPv4 address.
struct NetworkAddress: Hashable, Sendable {
    /// The address in the form of IPv6: an IPv4 address is `::ffff:a.b.c.d` (RFC 4291, section
    /// 2.5.5.2).
    let high: UInt64
    let low: UInt64

    init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Takes the four bytes of an IPv4 address or the sixteen of an IPv6 address; nil for others.
    init?(bytes: some Collection<UInt8>) {
        switch bytes.count {
        case 4:
            high = 0
            low = bytes.reduce(0xFFFF) { $0 << 8 | UInt64($1) }
        case 16:
            high = bytes.prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
            low = bytes.suffix(8).reduce(0) { $0 << 8 | UInt64($1) }
        default: return nil
        }
    }

    /// Whether it is an IPv4 address, mapped or not.
    var isIPv4: Bool { high == 0 && low >> 32 == 0xFFFF }

    // MARK: - Reading

    /// Reads an address of numbers, such as `192.0.2.1` or `2001:db8::1`, without a zone; nil where
    /// the text is not one.
    init?(_ text: some StringProtocol) {
        let text = Array(text.utf8)
        if let bytes = Self.bytesOfIPv4(text[...]) {
            self.init(bytes: bytes)
            return
        }
        guard let groups = Self.groups(text[...]) else { return nil }
        self.init(
            high: groups.prefix(4).reduce(0) { $0 << 16 | UInt64($1) },
            low: groups.suffix(4).reduce(0) { $0 << 16 | UInt64($1) })
    }

    /// Reads an address as proxies write it: bare, `a.b.c.d:port`, `[v6]` or `[v6]:port`.
    init?(forwarded text: String) {
        let colon = UInt8(ascii: ":")
        guard !text.utf8.contains(UInt8(ascii: "[")), text.utf8.count(where: { $0 == colon }) != 1
        else {
            guard let endpoint = HostAndPort(text) else { return nil }
            self.init(endpoint.host)
            return
        }
        self.init(text)
    }

    /// Reads four decimal numbers up to 255, none with a zero before it.
    private static func bytesOfIPv4(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        let parts = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count == 4 else { return nil }
        var bytes: [UInt8] = []
        for part in parts {
            guard (1...3).contains(part.count), part.count == 1 || part.first != UInt8(ascii: "0")
            else { return nil }
            var number = 0
            for digit in part {
                guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
                number = number * 10 + Int(digit - UInt8(ascii: "0"))
            }
            guard let byte = UInt8(exactly: number) else { return nil }
            bytes.append(byte)
        }
        return bytes
    }

    /// Reads the eight groups of an IPv6 address (RFC 4291, section 2.2).
    private static func groups(_ text: ArraySlice<UInt8>) -> [UInt16]? {
        let colon = UInt8(ascii: ":")
        guard text.count <= 45 else { return nil }
        let gap = text.indices.dropLast().first { text[$0] == colon && text[$0 + 1] == colon }
        guard let gap else {
            guard let groups = plainGroups(text, mayEndInIPv4: true), groups.count == 8 else {
                return nil
            }
            return groups
        }
        let after = text[(gap + 2)...]
        guard let front = plainGroups(text[..<gap], mayEndInIPv4: false),
            let back = plainGroups(after, mayEndInIPv4: true), front.count + back.count < 8
        else { return nil }
        return front + Array(repeating: 0, count: 8 - front.count - back.count) + back
    }

    /// Reads groups with colons between them; none for an empty text.
    private static func plainGroups(_ text: ArraySlice<UInt8>, mayEndInIPv4: Bool) -> [UInt16]? {
        guard !text.isEmpty else { return [] }
        var groups: [UInt16] = []
        let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            if mayEndInIPv4, index == parts.count - 1, let bytes = bytesOfIPv4(part) {
                groups.append(UInt16(bytes[0]) << 8 | UInt16(bytes[1]))
                groups.append(UInt16(bytes[2]) << 8 | UInt16(bytes[3]))
                continue
            }
            guard (1...4).contains(part.count) else { return nil }
            var group: UInt16 = 0
            for digit in part {
                guard let value = Character(UnicodeScalar(digit)).hexDigitValue else { return nil }
                group = group << 4 | UInt16(value)
            }
            groups.append(group)
        }
        return groups
    }
}

extension NetworkAddress: CustomStringConvertible {
    /// The address in its canonical form (RFC 5952): `192.0.2.1`, `2001:db8::1`.
    var description: String {
        if isIPv4 {
            return [24, 16, 8, 0].map { String(low >> $0 & 0xFF) }.joined(separator: ".")
        }
        let groups = [high, low].flatMap { half in
            [48, 32, 16, 0].map { UInt16(truncatingIfNeeded: half >> UInt64($0)) }
        }
        let words = groups.map { String($0, radix: 16) }
        guard let zeros = Self.longestRunOfZeros(in: groups) else {
            return words.joined(separator: ":")
        }
        return words[..<zeros.lowerBound].joined(separator: ":") + "::"
            + words[zeros.upperBound...].joined(separator: ":")
    }

    /// The first of the longest runs of at least two zeros.
    private static func longestRunOfZeros(in groups: [UInt16]) -> Range<Int>? {
        var longest = 0..<0
        var start = 0
        for (index, group) in groups.enumerated() {
            if group != 0 {
                start = index + 1
            } else if index + 1 - start > longest.count {
                longest = start..<index + 1
            }
        }
        return longest.count < 2 ? nil : longest
    }
}
