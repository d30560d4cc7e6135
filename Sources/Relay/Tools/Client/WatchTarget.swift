/// The URL of a channel: `ws://host[:port]/run:channel`, `wss://` for TLS; `http` and `https` as the
/// console's address bar has them mean the same two.
public struct WatchTarget: Sendable, Equatable {
    let host: String
    let port: UInt16
    let usesTLS: Bool
    /// The path and, behind a question mark, the query.
    let path: String

    /// Reads a URL; nil where it is none, or has no channel in its path.
    public init?(_ text: String) {
        guard let (scheme, rest) = text.splitOnce("://") else { return nil }
        switch scheme.lowercased() {
        case "ws", "http": usesTLS = false
        case "wss", "https": usesTLS = true
        default: return nil
        }
        let end = rest.utf8.firstIndex { "/?#".utf8.contains($0) } ?? rest.endIndex
        guard let endpoint = HostAndPort(rest[..<end]), !endpoint.host.isEmpty,
            endpoint.port != 0, rest[end...].utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }),
            rest[end...].hasPrefix("/"), rest[end...].utf8.count > 1
        else { return nil }
        host = endpoint.host
        port = endpoint.port ?? (usesTLS ? 443 : 80)
        path = String(rest[end...].prefix { $0 != "#" })
    }

    /// The value of `Host`, the scheme's own port left out.
    var authority: String {
        let name = HostAndPort.bracketed(host)
        return port == (usesTLS ? 443 : 80) ? name : "\(name):\(port)"
    }

    /// The path with the number behind which messages are asked for once more.
    func path(resumingAt id: String?) -> String {
        guard let id else { return path }
        return path + (path.utf8.contains(UInt8(ascii: "?")) ? "&" : "?") + "resume=\(id)"
    }
}
