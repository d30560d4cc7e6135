/// Nodes of a cluster that are asked where its slots are, until one answers.
public struct ClusterSeeds: Sendable, Hashable {
    /// Most nodes that a URL may name.
    public static let limit = 16
    /// The port of a node where none is named.
    public static let standardPort: UInt16 = 6379

    /// The nodes in the order of the URL; from 1 to ``limit``.
    public var nodes: [RedisEndpoint]

    /// Names nodes.
    public init(nodes: [RedisEndpoint]) {
        self.nodes = nodes
    }

    /// Reads `host1[:port],host2[:port]`; nothing at all stands for `localhost`.
    init(hosts: Substring) throws(InvalidValue) {
        guard !hosts.isEmpty else {
            nodes = [RedisEndpoint(host: "localhost", port: Self.standardPort)]
            return
        }
        let parts = hosts.split(separator: ",", omittingEmptySubsequences: false)
        guard parts.count <= Self.limit else {
            throw InvalidValue("names more than \(Self.limit) nodes")
        }
        nodes = []
        for part in parts {
            guard let node = RedisEndpoint(part, standardPort: Self.standardPort) else {
                throw InvalidValue(
                    "has a node whose host or port is malformed \(RedisURL.hint)")
            }
            nodes.append(node)
        }
    }

    /// The hosts and ports with commas between them, as a URL has them.
    var hosts: String { nodes.map(\.description).joined(separator: ",") }
}
