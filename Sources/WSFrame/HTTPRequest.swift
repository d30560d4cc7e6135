/// A request's head (RFC 9110, RFC 9112).
public struct HTTPRequest: Sendable, Equatable {
    /// The method, case-sensitive.
    public var method: String
    /// The request target as it was sent.
    public var target: String
    /// The host, with the port if one was sent: the absolute target's, else the Host header's;
    /// empty where there is neither, as HTTP/1.0 permits, or where the header is empty.
    public var host: String
    /// The target's path, not decoded, without the query; `/` when an absolute target has none, and
    /// the whole target of `OPTIONS *` and of CONNECT.
    public var path: String
    /// What follows the first `?`; nil when there is none.
    public var query: String?
    /// The minor version: 1 for HTTP/1.1, 0 for HTTP/1.0.
    public var minorVersion: Int
    /// The headers in their order.
    public var headers: HTTPHeaders
    /// Whether a body follows: a Content-Length above 0, or a Transfer-Encoding.
    public var hasBody: Bool
}

/// What the request parser found in the bytes given to it.
public enum HTTPRequestEvent: Sendable, Equatable {
    /// The head is not complete; call again with the same bytes and more.
    case incomplete
    /// A whole head. The bytes behind it are the body, or the first frames after an upgrade.
    case request(HTTPRequest)
}

/// One event of the request parser, and how far it got.
public struct HTTPRequestStep: Sendable, Equatable {
    /// The offset behind the head's last byte; for `.incomplete`, the offset given: nothing is
    /// consumed.
    public var end: Int
    /// What was found.
    public var event: HTTPRequestEvent
}
