/// Where a server of Redis listens.
public struct RedisEndpoint: Sendable, Hashable {
    /// A name or an address without brackets.
    public var host: String
    /// A port from 1 to 65535.
    public var port: UInt16

    /// Names a server.
    public init(host: String, port: UInt16) {
        self.host = host
        self.port = port
    }

    /// Reads `host`, `host:port`, `[v6]` or `[v6]:port` of a URL; nil where that is malformed.
    init?(_ text: some StringProtocol, standardPort: UInt16) {
        guard let parts = HostAndPort(text.replacingOnce("%25", with: "%")), !parts.host.isEmpty,
            parts.port != 0
        else { return nil }
        self.init(host: parts.host, port: parts.port ?? standardPort)
    }
}

extension RedisEndpoint: CustomStringConvertible {
    /// The host and the port as a URL has them.
    public var description: String { "\(HostAndPort.bracketed(host)):\(port)" }
}
