/// What the path of a request names.
public enum ChannelPath: Sendable, Hashable {
    /// `/` and nothing more.
    case root
    /// Neither the root nor a channel.
    case invalid
    /// A channel.
    case channel(ChannelName)

    /// Reads the target of a request in origin form, such as `/run%3Bomni:wepp?x=1`.
    ///
    /// A query is passed over. The path is percent-decoded strictly and loses one leading and one
    /// trailing slash; the rest must be a ``ChannelName``.
    public init(target: some Sequence<UInt8>) {
        let path = target.prefix { $0 != UInt8(ascii: "?") }
        guard var name = PercentEncoding.decode(path) else {
            self = .invalid
            return
        }
        let slash = UInt8(ascii: "/")
        if name.first == slash { name.removeFirst() }
        if name.isEmpty {
            self = .root
            return
        }
        if name.last == slash { name.removeLast() }
        self = ChannelName(bytes: name).map { .channel($0) } ?? .invalid
    }
}

/// The name of a Redis channel that clients may follow: `runid:channel`.
public struct ChannelName: Sendable, Hashable {
    /// The longest name, in bytes.
    public static let maximumLength = 512

    /// The name as Redis knows it.
    public let bytes: [UInt8]

    private let colon: Int

    /// Makes a name of bytes that match `^[A-Za-z0-9_.;-]+:[A-Za-z0-9_.-]+$` and are at most
    /// ``maximumLength``; nil otherwise.
    public init?(bytes: [UInt8]) {
        guard bytes.count <= ChannelName.maximumLength,
            let colon = bytes.firstIndex(of: UInt8(ascii: ":")),
            colon > 0, colon + 1 < bytes.count,
            bytes[..<colon].allSatisfy({ ChannelName.isPlain($0) || $0 == UInt8(ascii: ";") }),
            bytes[(colon + 1)...].allSatisfy(ChannelName.isPlain)
        else { return nil }
        self.bytes = bytes
        self.colon = colon
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "."),
            UInt8(ascii: "-"):
            true
        default:
            false
        }
    }

    /// The part before the colon: the run.
    public var runID: String { String(decoding: bytes[..<colon], as: UTF8.self) }

    /// The part after the colon: the channel of the run.
    public var channel: String { String(decoding: bytes[(colon + 1)...], as: UTF8.self) }
}

extension ChannelName: CustomStringConvertible {
    /// The name as text; it is ASCII.
    public var description: String { String(decoding: bytes, as: UTF8.self) }
}
