/// The permissions of the file of a Unix socket: who may connect is who may write to it.
public struct SocketMode: Sendable, Hashable {
    /// The nine bits of read, write and execute, for the owner, the group and the others.
    public let bits: UInt16

    /// Every permission.
    static let all = SocketMode(bits: 0o777)

    /// The owner, and root, may connect.
    static let ownerOnly = SocketMode(bits: 0o600)

    /// Takes the nine bits; nil where there are others, such as those of set-user-ID.
    public init?(_ bits: UInt16) {
        guard bits <= Self.all.bits else { return nil }
        self.bits = bits
    }

    private init(bits: UInt16) {
        self.bits = bits
    }

    /// Whether nobody but root may connect.
    var admitsNobody: Bool { bits & 0o222 == 0 }
}

extension SocketMode: CustomStringConvertible {
    /// The mode as it is configured: `0660`.
    public var description: String {
        let digits = String(bits, radix: 8)
        return String(repeating: "0", count: 4 - digits.utf8.count) + digits
    }
}

extension SettingValue<SocketMode?> {
    /// Three octal digits, with a zero or `0o` before them or without; an empty text stands for
    /// none.
    static let socketMode = SettingValue(
        placeholder: "mode",
        parse: { (text) throws(InvalidValue) in
            guard !text.isEmpty else { return nil }
            let digits = text.hasPrefix("0o") ? text.dropFirst(2) : text[...]
            guard (3...4).contains(digits.utf8.count),
                digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "7")).contains($0) }),
                let mode = UInt16(digits, radix: 8).flatMap({ SocketMode($0) })
            else { throw InvalidValue("is not an octal mode from 0000 to 0777, such as 0660") }
            return mode
        },
        print: { $0?.description ?? "" })
}
