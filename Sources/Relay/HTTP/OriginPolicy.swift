/// Decides which web pages may open a WebSocket.
///
/// The rules are those of the Go service's WebSocket library: a page of the daemon's own host is
/// let in, and so is one that a pattern matches. Letter case (ASCII) makes no difference. A pattern
/// is matched against `host[:port]`, or against `scheme://host[:port]` when it contains `://`.
public struct OriginPolicy: Sendable, Equatable {
    private struct Pattern: Sendable, Equatable {
        let glob: Glob
        let hasScheme: Bool
    }

    private let patterns: [Pattern]

    /// Whether every origin is let in, since no pattern was configured.
    public let isDisabled: Bool

    /// Makes a policy of the patterns of `STATUS_ALLOWED_ORIGINS`; a malformed one matches nothing.
    public init(patterns: [String]) {
        isDisabled = patterns.isEmpty
        self.patterns = patterns.compactMap { text in
            Glob(text.lowercasedASCII()).map {
                Pattern(glob: $0, hasScheme: text.splitOnce("://") != nil)
            }
        }
    }

    /// Whether a request with these headers may be upgraded.
    ///
    /// - Parameters:
    ///   - origin: the value of `Origin`; nil or empty where there is none, as from a program that
    ///     is not a browser.
    ///   - host: the value of `Host`.
    public func allows(origin: String?, host: String) -> Bool {
        guard !isDisabled, let origin, !origin.isEmpty else { return true }
        guard let (scheme, originHost) = OriginPolicy.split(origin.lowercasedASCII()) else {
            return false
        }
        if !originHost.isEmpty && originHost == host.lowercasedASCII() { return true }
        let full = "\(scheme)://\(originHost)"
        return patterns.contains { $0.glob.matches($0.hasScheme ? full : originHost) }
    }

    /// Takes an origin apart; both parts are empty where it is opaque, as in `Origin: null`, and
    /// there are none where it has bytes that no URL has.
    private static func split(_ origin: String) -> (scheme: String, host: String)? {
        guard origin.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        guard let (scheme, rest) = origin.splitOnce("://") else { return ("", "") }
        guard scheme.utf8.allSatisfy(isSchemeByte), !scheme.isEmpty else { return nil }
        let end = rest.utf8.firstIndex(where: Array("/?#".utf8).contains) ?? rest.endIndex
        var host = rest[..<end]
        if let at = host.utf8.lastIndex(of: UInt8(ascii: "@")) {
            host = host[host.utf8.index(after: at)...]
        }
        return (String(scheme), String(host))
    }

    private static func isSchemeByte(_ byte: UInt8) -> Bool {
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
