import WSFrame

/// What the log tells of a request that was refused.
///
/// Its texts come from the peer: they are cut to ``textLimit`` bytes, and whatever is not visible
/// ASCII is escaped. A query is left out, since it may hold a secret.
struct RefusedRequest: Equatable, Sendable {
    /// The longest text that is taken over from a request, in bytes before escaping.
    static let textLimit = 256

    /// The method; nil where the request line could not be read.
    private(set) var method: String?
    /// The path; nil where none could be found.
    private(set) var path: String?
    /// The page's origin, where it was sent.
    private(set) var origin: String?
    /// The host that was asked for.
    private(set) var host: String?

    /// Takes over what matters of a request, whose headers may be incomplete.
    init(_ request: HTTPRequest) {
        method = Self.text(request.method.utf8)
        path = Self.text(request.path.utf8)
        origin = request.headers["Origin"].map { Self.text($0.utf8) }
        host = request.host.isEmpty ? nil : Self.text(request.host.utf8)
    }

    /// Looks for a path in the bytes of a head whose request line is malformed.
    ///
    /// Only what begins with a slash is taken over: other words may hold credentials.
    init(malformedHead bytes: Span<UInt8>) {
        var index = 0
        while index < bytes.count, bytes[index] != UInt8(ascii: " ") {
            guard bytes[index] != UInt8(ascii: "\n") || index == 1 else { return }
            index += 1
        }
        guard index + 1 < bytes.count, bytes[index + 1] == UInt8(ascii: "/") else { return }
        var found: [UInt8] = []
        for place in index + 1..<bytes.count {
            let byte = bytes[place]
            guard byte > 0x20, byte != UInt8(ascii: "?"), found.count <= Self.textLimit else {
                break
            }
            found.append(byte)
        }
        path = Self.text(found)
    }

    /// The text as it may stand in a log: `\xNN` for what is not visible ASCII, `…` for a rest.
    static func text(_ bytes: some Collection<UInt8>) -> String {
        var text = ""
        for byte in bytes.prefix(textLimit) {
            if (0x20...0x7E).contains(byte) {
                text.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                text += (byte < 16 ? "\\x0" : "\\x") + digits
            }
        }
        return bytes.count > textLimit ? text + "…" : text
    }
}

/// A head that cannot be served: what it was answered, and what is known of it.
struct BadRequest: Equatable, Sendable {
    /// What was wrong.
    let error: HTTPError
    /// What else than HTTP/1 the peer speaks, as far as its first bytes tell.
    let foreign: ForeignProtocol?
    /// What is known of the request.
    let request: RefusedRequest

    /// The name under which it is counted and logged.
    var reason: String {
        switch foreign {
        case .tls: "tls_on_plain_port"
        case .proxyProtocol: "proxy_protocol"
        case .http2: "http2"
        case .ssh: "ssh"
        case .redis: "redis_protocol"
        case nil: "bad_request"
        }
    }
}
