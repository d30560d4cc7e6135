/// What a client speaks that is no HTTP/1, told by its first bytes, for the log: the wrong port, or a
/// proxy that is set up for another one.
public enum ForeignProtocol: String, Sendable, CaseIterable {
    /// A TLS handshake (RFC 8446, section 5.1), where plain HTTP is spoken.
    case tls
    /// A header of HAProxy's PROXY protocol, version 1 or 2.
    case proxyProtocol
    /// HTTP/2 with prior knowledge (RFC 9113, section 3.3).
    case http2
    /// The banner of an SSH client (RFC 4253, section 4.2).
    case ssh
    /// A command for Redis.
    case redis

    /// The first bytes of each header of version 2 of the PROXY protocol.
    private static let proxyProtocolSignature: [UInt8] = [
        0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A,
    ]
    /// How many bytes of that signature are no HTTP any more.
    private static let tellingLength = 5

    /// Judges the bytes that a connection begins with, of which a request parser has refused at
    /// least one; nil where they are of no kind that is known here.
    public init?(_ bytes: Span<UInt8>) {
        if Self.begins(bytes, with: [0x16, 0x03]) || bytes.count == 1 && bytes[0] == 0x16 {
            // A record of a handshake, of any version since SSL 3.0.
            self = .tls
        } else if Self.begins(bytes, with: Array("PROXY ".utf8))
            || bytes.count >= Self.tellingLength
                && Self.begins(bytes, with: Self.proxyProtocolSignature.prefix(bytes.count))
        {
            self = .proxyProtocol
        } else if Self.begins(bytes, with: Array("PRI * HTTP/2".utf8)) {
            self = .http2
        } else if Self.begins(bytes, with: Array("SSH-".utf8)) {
            self = .ssh
        } else if Self.isRedis(bytes) {
            self = .redis
        } else {
            return nil
        }
    }

    /// Whether these are an array of RESP, such as `*1\r\n$4\r\nPING\r\n`.
    private static func isRedis(_ bytes: Span<UInt8>) -> Bool {
        guard bytes.count >= 2, bytes[0] == UInt8(ascii: "*"), HTTPCharacters.isDigit(bytes[1])
        else { return false }
        var index = 2
        while index < bytes.count, HTTPCharacters.isDigit(bytes[index]) { index += 1 }
        return index == bytes.count || bytes[index] == HTTPCharacters.carriageReturn
    }

    private static func begins(
        _ bytes: Span<UInt8>, with prefix: some Collection<UInt8>
    ) -> Bool {
        guard bytes.count >= prefix.count else { return false }
        return zip(bytes.indices, prefix).allSatisfy { bytes[$0] == $1 }
    }
}
