/// Why a message head is refused (RFC 9112), with the status code to answer a request with.
public enum HTTPError: UInt8, Error, Sendable, CaseIterable {
    /// A line feed without a carriage return before it, or the other way round (section 2.2).
    case bareLineEnd
    /// A NUL, another control character, or a byte that has no place where it is.
    case invalidCharacter
    /// The request line is not three parts with single spaces between them (section 3).
    case malformedRequestLine
    /// The status line is not a version, a three-digit code and a reason (section 4).
    case malformedStatusLine
    /// The request target is in none of the four forms (section 3.2).
    case malformedTarget
    /// The third part of the request line is not `HTTP/` and two digits (section 2.3).
    case malformedVersion
    /// Another major version than 1, such as in the preface of HTTP/2.
    case unsupportedVersion
    /// A header line without a name, with white space before the colon, or without a colon.
    case malformedHeader
    /// A header line that continues the one before it (section 5.2).
    case foldedHeader
    /// Two headers of a name that has a single value.
    case duplicateHeader
    /// No Host header in a request of HTTP/1.1 (section 3.2).
    case missingHost
    /// A Host header that is no host with an optional port.
    case malformedHost
    /// A Content-Length that is not a decimal number (section 6.3).
    case malformedContentLength
    /// A Transfer-Encoding that is malformed, or comes with a Content-Length (section 6.1).
    case malformedTransferEncoding
    /// A transfer coding other than `chunked` (section 6.1).
    case unsupportedTransferEncoding
    /// The request line is over the limit of lines.
    case requestLineTooLong
    /// A header line is over the limit of lines.
    case headerLineTooLong
    /// The head is over its limit.
    case headTooLong
    /// There are more headers than the limit.
    case tooManyHeaders
    /// The server's answer to an upgrade breaks RFC 6455, section 4.1; a client's error only.
    case badUpgradeResponse

    /// The status code to answer with.
    public var status: Int {
        switch self {
        case .requestLineTooLong: 414
        case .headerLineTooLong, .headTooLong, .tooManyHeaders: 431
        case .unsupportedTransferEncoding: 501
        case .unsupportedVersion: 505
        default: 400
        }
    }

    /// A short text for the log.
    public var reason: String {
        switch self {
        case .bareLineEnd: "bare CR or LF"
        case .invalidCharacter: "invalid character"
        case .malformedRequestLine: "malformed request line"
        case .malformedStatusLine: "malformed status line"
        case .malformedTarget: "malformed request target"
        case .malformedVersion: "malformed HTTP version"
        case .unsupportedVersion: "unsupported HTTP version"
        case .malformedHeader: "malformed header"
        case .foldedHeader: "folded header"
        case .duplicateHeader: "duplicate header"
        case .missingHost: "missing Host"
        case .malformedHost: "malformed Host"
        case .malformedContentLength: "malformed Content-Length"
        case .malformedTransferEncoding: "malformed Transfer-Encoding"
        case .unsupportedTransferEncoding: "unsupported Transfer-Encoding"
        case .requestLineTooLong: "request line too long"
        case .headerLineTooLong: "header line too long"
        case .headTooLong: "request head too long"
        case .tooManyHeaders: "too many headers"
        case .badUpgradeResponse: "bad upgrade response"
        }
    }
}
