/// A Redis server with all that is needed to log in to it.
public struct RedisTarget: Sendable, Hashable {
    /// Where a server listens.
    public enum Address: Sendable, Hashable {
        /// A name or an address without brackets, and a port from 1 to 65535.
        case tcp(host: String, port: UInt16)
        /// A Unix socket at an absolute path.
        case unix(path: String)
        /// The present master of a service, which Sentinels know.
        case sentinel(SentinelService)
        /// The masters of a cluster, each for the channels of its slots.
        case cluster(ClusterSeeds)
    }

    /// Where the server listens.
    public var address = Address.tcp(host: "localhost", port: 6379)
    /// Whether the connection is TLS with a certificate that is verified.
    public var usesTLS = false
    /// The ACL user; nil stands for the server's default user.
    public var username: String?
    /// The password; nil means that no `AUTH` is sent.
    public var password: Secret?
    /// The database that is selected; never negative.
    public var database = 2

    /// Makes the server of the contract's default: `redis://localhost:6379/2`.
    public init() {}

    /// The URL with the password masked, for people.
    public var displayURL: String {
        var credentials = ""
        if username != nil || password != nil {
            credentials = PercentEncoding.encode(username ?? "")
            credentials += password == nil ? "@" : ":\(Secret.mask)@"
        }
        switch address {
        case .tcp(let host, let port):
            let name = HostAndPort.bracketed(host)
            return "\(usesTLS ? "rediss" : "redis")://\(credentials)\(name):\(port)/\(database)"
        case .sentinel(let service):
            return "redis+sentinel://\(credentials)\(service.hosts)/\(service.name)/\(database)"
        case .cluster(let seeds):
            let scheme = usesTLS ? "rediss+cluster" : "redis+cluster"
            return "\(scheme)://\(credentials)\(seeds.hosts)/\(database)"
        case .unix(let path):
            return "unix://\(credentials)\(PercentEncoding.encode(path, keepingSlash: true))"
                + "?db=\(database)"
        }
    }
}

extension RedisTarget {
    /// Whether the server is a cluster.
    var isCluster: Bool {
        if case .cluster = address { true } else { false }
    }

    /// How `redis-cli` reaches this server, without the command that follows. A password is asked
    /// for; of a service of Sentinels the master's place is left open, and of a cluster the first node
    /// is named.
    public var commandLine: String {
        var words = ["redis-cli"]
        switch address {
        case .tcp(let host, let port): words += ["-h", host, "-p", "\(port)"]
        case .unix(let path): words += ["-s", path]
        case .sentinel: words += ["-h", "MASTER", "-p", "PORT"]
        case .cluster(let seeds):
            words += ["-c", "-h", seeds.nodes[0].host, "-p", "\(seeds.nodes[0].port)"]
        }
        if usesTLS { words.append("--tls") }
        if let username { words += ["--user", username] }
        if password != nil { words.append("--askpass") }
        return words.map(RedisTarget.shellWord).joined(separator: " ")
    }

    /// A word as a shell takes it for one.
    private static func shellWord(_ word: String) -> String {
        let isPlain = word.utf8.allSatisfy {
            switch $0 {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
                UInt8(ascii: "."), UInt8(ascii: "/"), UInt8(ascii: ":"):
                true
            default: false
            }
        }
        if isPlain, !word.isEmpty { return word }
        return "'"
            + word.split(separator: "'", omittingEmptySubsequences: false)
            .joined(separator: "'\\''") + "'"
    }
}

extension RedisTarget: CustomStringConvertible {
    /// The URL with the password masked.
    public var description: String { displayURL }
}
