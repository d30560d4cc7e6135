/// The addresses that begin with the same bits, written as an address or in the CIDR notation:
/// `10.0.0.0/8`, `2001:db8::/32`, `192.0.2.1` (RFC 4632, section 3.1; RFC 4291, section 2.3).
///
/// A network of IPv6 holds no IPv4 address, not even `::/0`; one of IPv4-mapped addresses is a
/// network of IPv4.
struct AddressNetwork: Hashable, Sendable {
    /// The first address: its bits behind the prefix are zero.
    let base: NetworkAddress
    /// The bits that are the same, in the form of IPv6.
    private let length: Int

    /// Reads an address or a network; nil where the text is neither.
    init?(_ text: some StringProtocol) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let address = NetworkAddress(parts[0]) else { return nil }
        let isWrittenAsIPv4 = !parts[0].utf8.contains(UInt8(ascii: ":"))
        let shift = isWrittenAsIPv4 ? 96 : 0
        guard parts.count == 2 else {
            self.init(address, length: 128)
            return
        }
        let digits = parts[1]
        guard (1...3).contains(digits.utf8.count),
            digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            digits == "0" || digits.utf8.first != UInt8(ascii: "0"),
            let written = Int(digits), written + shift <= 128
        else { return nil }
        self.init(address, length: written + shift)
    }

    private init(_ address: NetworkAddress, length: Int) {
        // Shifts by 64 and more give 0, as they should here.
        base = NetworkAddress(
            high: address.high & ~(UInt64.max >> UInt64(length)),
            low: address.low & ~(UInt64.max >> UInt64(max(0, length - 64))))
        self.length = length
    }

    /// Whether it is wider than any network of one's own: that of 10.0.0.0/8 in IPv4, a 16th of what
    /// a registry is given (2001::/16) in IPv6, or the unique local addresses, fc00::/7 (RFC 4193).
    var isBoundless: Bool {
        if base.isIPv4 { return length < 96 + 8 }
        return length < 16 && !(length >= 7 && base.high >> 57 == 0xFC00 >> 9)
    }

    /// Whether the address is one of the network's.
    func contains(_ address: NetworkAddress) -> Bool {
        guard base.isIPv4 == address.isIPv4 else { return false }
        return AddressNetwork(address, length: length).base == base
    }
}

extension AddressNetwork: CustomStringConvertible {
    /// The network as it is configured; an address alone for a network of one.
    var description: String {
        length == 128 ? "\(base)" : "\(base)/\(base.isIPv4 ? length - 96 : length)"
    }
}
