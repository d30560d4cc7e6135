/// What answers at Redis's address and is no Redis, as far as its first bytes tell.
enum WrongServer: Equatable, Sendable {
    /// A server that speaks TLS, and `redis://` was asked for.
    case tls
    /// A web server.
    case http
    /// A server of the Secure Shell.
    case ssh

    /// Tells by the first bytes that a server has sent, of which the first may be all there is; nil
    /// where they are of no protocol that is known.
    init?(firstBytes: Span<UInt8>) {
        guard firstBytes.count > 0 else { return nil }
        if Self.begins(firstBytes, Array("HTTP/".utf8)) || Self.begins(firstBytes, [0x3C]) {
            // Some answer what they do not understand with a page alone, which begins with `<`.
            self = .http
        } else if Self.begins(firstBytes, Array("SSH-".utf8)) {
            self = .ssh
        } else if Self.begins(firstBytes, [0x15, 0x03]) || Self.begins(firstBytes, [0x16, 0x03]) {
            // An alert or a handshake message of TLS (RFC 8446, section 5.1).
            self = .tls
        } else {
            return nil
        }
    }

    /// Whether the bytes begin with the mark, or are a beginning of it.
    private static func begins(_ bytes: Span<UInt8>, _ mark: [UInt8]) -> Bool {
        (0..<min(bytes.count, mark.count)).allSatisfy { bytes[$0] == mark[$0] }
    }
}

extension WrongServer: CustomStringConvertible {
    /// One clear line for people.
    var description: String {
        switch self {
        case .tls: "the server speaks TLS on this port: rediss:// is meant, or its plain port"
        case .http: "a web server answers on this port, not Redis (HTTP)"
        case .ssh: "an SSH server answers on this port, not Redis"
        }
    }
}
