/// A service that Sentinels watch over; its master is asked for before every connection.
public struct SentinelService: Sendable, Hashable {
    /// Most Sentinels that a URL may name.
    public static let sentinelLimit = 16
    /// The port of a Sentinel where none is named.
    public static let standardPort: UInt16 = 26_379

    /// Where a Sentinel listens, or the master that it names.
    public typealias Endpoint = RedisEndpoint

    /// The name by which the Sentinels know the master: letters, digits and `.`, `-`, `_`.
    public var name: String
    /// The Sentinels in the order in which they are asked; from 1 to ``sentinelLimit``.
    public var sentinels: [Endpoint]

    /// Names a service.
    public init(name: String, sentinels: [Endpoint]) {
        self.name = name
        self.sentinels = sentinels
    }
}

extension SentinelService {
    /// Reads `host1[:port],host2[:port]` and the name of a service.
    init(hosts: Substring, name: Substring) throws(InvalidValue) {
        let parts = hosts.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Self.sentinelLimit else {
            throw InvalidValue("names more than \(Self.sentinelLimit) Sentinels")
        }
        sentinels = []
        for part in parts {
            guard let sentinel = RedisEndpoint(part, standardPort: Self.standardPort) else {
                throw InvalidValue("has a Sentinel whose host or port is malformed")
            }
            sentinels.append(sentinel)
        }
        // What Sentinel itself takes for a name.
        guard (1...Self.nameLimit).contains(name.utf8.count),
            name.utf8.allSatisfy(HostAndPort.isNameByte)
        else {
            throw InvalidValue(
                "does not name the service that the Sentinels watch over, such as"
                    + " redis+sentinel://host1,host2/mymaster/2")
        }
        self.name = String(name)
    }

    private static let nameLimit = 255

    /// The hosts and ports with commas between them, as a URL has them.
    var hosts: String {
        sentinels.map(\.description).joined(separator: ",")
    }
}
