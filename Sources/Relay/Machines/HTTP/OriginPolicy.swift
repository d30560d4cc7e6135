/// Decides which web pages may open a WebSocket.
///
/// A page of the daemon's own host is let in, and so is one that a pattern matches; see
/// ``OriginPattern``. Letter case (ASCII) makes no difference, and a scheme's default port is equal
/// to none.
public struct OriginPolicy: Sendable, Equatable {
    private let patterns: [OriginPattern]

    /// Whether every origin is let in, since no pattern was configured.
    public let isDisabled: Bool

    /// Makes a policy of the patterns of `STATUS_ALLOWED_ORIGINS`; a malformed one matches nothing.
    public init(patterns: [String]) {
        isDisabled = patterns.isEmpty
        self.patterns = patterns.compactMap { OriginPattern($0) }
    }

    /// Whether a request with these headers may be upgraded.
    ///
    /// - Parameters:
    ///   - origin: the value of `Origin`; nil or empty where there is none, as from a program that
    ///     is not a browser.
    ///   - host: the value of `Host`.
    public func allows(origin: String?, host: String) -> Bool {
        guard !isDisabled, let origin, !origin.isEmpty else { return true }
        guard let origin = WebOrigin(origin) else { return false }
        return origin.isAt(host: host) || patterns.contains { $0.matches(origin) }
    }
}
