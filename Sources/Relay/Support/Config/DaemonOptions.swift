/// All that the daemon is started with.
public struct DaemonOptions: Sendable {
    /// What the operator has set; with an embedded broker, `redis` already points at it.
    public var settings: Settings
    /// What was wrong or unlikely about the settings, one line each, to be logged at start.
    public var startupWarnings: [String]
    /// Reads the URL and the passwords of Redis again; nil where none of them comes from a file.
    public var redisReload: RedisReload?
    /// Reads the whole configuration again, at `SIGHUP`.
    public var reload: (@Sendable () -> Configuration)?
    /// Where the embedded broker listens; nil means that there is none. With port 0 the daemon takes
    /// the port that it got.
    public var embeddedBroker: EmbeddedBrokerAddress?
    /// What of the traffic with Redis is traced.
    public var trace: TraceOptions
    /// What the service manager says that has started the process.
    public var service: ServiceEnvironment
    /// What this build is called.
    public var release: Release

    /// Puts the options together.
    public init(
        settings: Settings, startupWarnings: [String] = [],
        redisReload: RedisReload? = nil, reload: (@Sendable () -> Configuration)? = nil,
        embeddedBroker: EmbeddedBrokerAddress? = nil,
        trace: TraceOptions = TraceOptions(),
        service: ServiceEnvironment = ServiceEnvironment(), release: Release = Release()
    ) {
        self.settings = settings
        self.startupWarnings = startupWarnings
        self.redisReload = redisReload
        self.reload = reload
        self.embeddedBroker = embeddedBroker
        self.trace = trace
        self.service = service
        self.release = release
    }
}

/// Where the embedded broker listens.
public struct EmbeddedBrokerAddress: Sendable, Hashable, CustomStringConvertible {
    /// A name or an address without brackets; empty for every address.
    public var host: String
    /// The port; 0 for any free one.
    public var port: UInt16

    /// Where it listens when nothing is said.
    public static let standard = EmbeddedBrokerAddress(host: "127.0.0.1", port: 6379)

    /// Makes an address of its parts.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host:port`, `:port` or `[v6]:port`; nil where the text is none of them.
    public init?(_ text: String) {
        guard let endpoint = HostAndPort(text), let port = endpoint.port else { return nil }
        self.init(host: endpoint.host, port: port)
    }

    /// Whether only this machine reaches the address: `localhost`, `::1` or 127.0.0.0/8.
    public var isLoopback: Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in
                part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
                    && UInt8(part) != nil
            }
    }

    /// The address as it is written on the command line.
    public var description: String { ListenAddress.tcp(host: host, port: port).description }
}
