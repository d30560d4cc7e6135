/// One pattern of `STATUS_ALLOWED_ORIGINS`: a shell pattern for `host[:port]`, or for
/// `scheme://host[:port]` when it contains `://`.
///
/// What people write and no origin has is taken for what they mean: quotes and blanks around it, a
/// slash at its end, capital letters, `ws://` for the scheme of the page, an IPv6 address in
/// brackets or without. A port that is the scheme's default matches an origin without a port, and
/// the other way round. A pattern that can never match says why; see ``flaw(of:)``.
struct OriginPattern: Sendable, Equatable {
    /// What the pattern is matched against.
    enum Subject: Sendable, Equatable {
        /// `host[:port]`
        case host
        /// `scheme://host[:port]`
        case whole
        /// The origin of a page without one, which browsers send as `null`.
        case opaque
    }

    let subject: Subject
    private let glob: Glob

    /// Reads a pattern; nil where it is malformed, so that it matches nothing.
    init?(_ text: String) {
        let text = Self.tidied(text)
        if text == "null" {
            (subject, glob) = (.opaque, .anything)
            return
        }
        subject = text.splitOnce("://") == nil ? .host : .whole
        guard let glob = Glob(Self.escapingAddress(text)) else { return nil }
        self.glob = glob
    }

    /// Whether the pattern stands for an origin.
    func matches(_ origin: WebOrigin) -> Bool {
        switch subject {
        case .opaque: origin.isNull
        case .host: origin.hosts.contains { glob.matches($0) }
        case .whole: origin.hosts.contains { glob.matches("\(origin.scheme)://\($0)") }
        }
    }

    /// Takes a list apart: commas or blanks stand between the patterns, quotes around all of them
    /// or around each.
    static func list(_ text: String) -> [String] {
        text.split { $0 == "," || $0.isWhitespace }.map { withoutQuotes(String($0)) }
            .filter { !$0.isEmpty }
    }

    // MARK: - What people write

    static func tidied(_ text: String) -> String {
        var text = withoutQuotes(text.trimmingBlanks()).lowercasedASCII()
        while text.hasSuffix("/"), !text.hasSuffix("://") { text.removeLast() }
        guard let (scheme, host) = text.splitOnce("://") else { return text }
        return "\(WebOrigin.pageScheme(scheme))://\(host)"
    }

    private static func withoutQuotes(_ text: String) -> String {
        let quotes = Array("\"'".utf8)
        let inner = Array(text.utf8).drop(while: quotes.contains)
        let end = inner.lastIndex { !quotes.contains($0) } ?? inner.startIndex - 1
        return String(decoding: inner[..<(end + 1)], as: UTF8.self)
    }

    /// The pattern with the brackets around an IPv6 address escaped: an address in brackets is no
    /// class of characters. It is written as browsers write it (RFC 5952).
    static func escapingAddress(_ text: String) -> String {
        let start = text.splitOnce("://").map { text.utf8.count - $0.1.utf8.count } ?? 0
        let bytes = Array(text.utf8)
        let host = bytes[start...]
        if start == 0 || !host.contains(UInt8(ascii: "[")),
            HostAndPort.isAddressV6(String(decoding: host, as: UTF8.self))
        {
            return String(decoding: bytes[..<start], as: UTF8.self) + address(host)
        }
        guard host.first == UInt8(ascii: "["),
            let close = host.firstIndex(of: UInt8(ascii: "]")),
            host[..<close].contains(UInt8(ascii: ":"))
        else { return text }
        return String(decoding: bytes[..<start], as: UTF8.self)
            + address(host[(start + 1)..<close])
            + String(decoding: bytes[(close + 1)...], as: UTF8.self)
    }

    private static func address(_ bytes: ArraySlice<UInt8>) -> String {
        let text = String(decoding: bytes, as: UTF8.self)
        let canonical = NetworkAddress(text).map { $0.isIPv4 ? text : "\($0)" } ?? text
        return "\\[\(canonical)\\]"
    }
}

/// What a browser sends as `Origin` (RFC 6454): where its page comes from.
struct WebOrigin: Sendable, Equatable {
    /// The scheme in lower case; empty where the origin is opaque.
    let scheme: String
    /// `host[:port]` in lower case, and the same with the scheme's default port added or left out,
    /// where that is another; one empty text where the origin is opaque.
    let hosts: [String]
    /// Whether it is the `null` of a page without an origin.
    let isNull: Bool

    /// Reads an origin; nil where it has bytes that no URL has.
    init?(_ text: String) {
        let text = text.lowercasedASCII()
        guard text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        isNull = text == "null"
        guard let (scheme, rest) = text.splitOnce("://") else {
            (self.scheme, hosts) = ("", [""])
            return
        }
        guard scheme.utf8.allSatisfy(Self.isSchemeByte), !scheme.isEmpty else { return nil }
        let end = rest.utf8.firstIndex(where: Array("/?#".utf8).contains) ?? rest.endIndex
        var host = rest[..<end]
        if let at = host.utf8.lastIndex(of: UInt8(ascii: "@")) {
            host = host[host.utf8.index(after: at)...]
        }
        self.scheme = Self.pageScheme(scheme)
        hosts = Self.spellings(of: String(host), scheme: self.scheme)
    }

    /// Whether the page comes from this host, which is the value of `Host`: the port counts, and the
    /// default port of the page's scheme is equal to none.
    func isAt(host: String) -> Bool {
        let host = Self.spellings(of: host.lowercasedASCII(), scheme: scheme)[0]
        return !host.isEmpty && host == hosts[0]
    }

    /// The spellings of `host[:port]` that mean the same, the one without a default port first.
    private static func spellings(of host: String, scheme: String) -> [String] {
        // No colon of an address in brackets is that of a port.
        let tail = host.utf8.lastIndex(of: UInt8(ascii: "]")).map { host[$0...] } ?? host[...]
        let colon = tail.utf8.lastIndex(of: UInt8(ascii: ":"))
        let name = String(host[..<(colon ?? host.endIndex)])
        let port = colon.map { String(host[host.utf8.index(after: $0)...]) } ?? ""
        guard !name.isEmpty, let standard = defaultPort(of: scheme) else {
            return [port.isEmpty ? name : host]
        }
        guard port.isEmpty || port == standard else { return [host] }
        return [name, "\(name):\(standard)"]
    }

    private static func defaultPort(of scheme: String) -> String? {
        switch scheme {
        case "http": "80"
        case "https": "443"
        default: nil
        }
    }

    /// The scheme of the page that opens a WebSocket of this scheme; another scheme as it is.
    static func pageScheme(_ scheme: some StringProtocol) -> String {
        switch scheme {
        case "ws": "http"
        case "wss": "https"
        default: String(scheme)
        }
    }

    static func isSchemeByte(_ byte: UInt8) -> Bool {
        HostAndPort.isNameByte(byte) && byte != UInt8(ascii: "_") || byte == UInt8(ascii: "+")
    }
}

extension String {
    /// The text with the letters A to Z in lower case and all else as it is.
    func lowercasedASCII() -> String {
        String(
            decoding: utf8.lazy.map { (0x41...0x5A).contains($0) ? $0 | 0x20 : $0 }, as: UTF8.self)
    }
}
