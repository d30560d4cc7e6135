/// Why a peer's bytes make the connection fail (RFC 6455, section 7.1.7).
public enum WebSocketError: UInt8, Error, Sendable, CaseIterable {
    /// RSV1, RSV2 or RSV3 is set, and no extension was negotiated (section 5.2).
    case reservedBits
    /// The opcode is 3 to 7 or 11 to 15 (section 5.2).
    case reservedOpcode
    /// A control frame has FIN clear (section 5.5).
    case fragmentedControlFrame
    /// A control frame's payload is longer than 125 bytes (section 5.5).
    case controlFrameTooLong
    /// A continuation frame with no message under way (section 5.4).
    case unexpectedContinuation
    /// A new text or binary frame within a fragmented message (section 5.4).
    case expectedContinuation
    /// A client's frame is not masked (section 5.1).
    case unmaskedFrame
    /// A server's frame is masked (section 5.1).
    case maskedFrame
    /// The length is not in its shortest form (section 5.2).
    case lengthNotMinimal
    /// The 64-bit length has its highest bit set (section 5.2).
    case lengthOverflow
    /// A close frame's body is one byte long (section 5.5.1).
    case closeBodyTooShort
    /// A close frame carries a code that may not be sent (section 7.4).
    case invalidCloseCode
    /// A text message is not well-formed UTF-8 (section 8.1).
    case invalidUTF8
    /// A close frame's reason is not well-formed UTF-8 (section 5.5.1).
    case invalidCloseReason
    /// The announced payload of one frame is over the limit.
    case frameTooBig
    /// The announced payload makes the message go over the limit.
    case messageTooBig

    /// The code of the close frame to send (section 7.4.1).
    public var closeCode: UInt16 {
        switch self {
        case .invalidUTF8, .invalidCloseReason: 1007
        case .frameTooBig, .messageTooBig: 1009
        default: 1002
        }
    }

    /// A short text for the close frame and the log.
    public var reason: String {
        switch self {
        case .reservedBits: "reserved bits set"
        case .reservedOpcode: "reserved opcode"
        case .fragmentedControlFrame: "fragmented control frame"
        case .controlFrameTooLong: "control frame too long"
        case .unexpectedContinuation: "continuation without a message"
        case .expectedContinuation: "expected a continuation frame"
        case .unmaskedFrame: "frame is not masked"
        case .maskedFrame: "frame is masked"
        case .lengthNotMinimal: "length is not minimal"
        case .lengthOverflow: "length is out of range"
        case .closeBodyTooShort: "close body of one byte"
        case .invalidCloseCode: "invalid close code"
        case .invalidUTF8: "text is not UTF-8"
        case .invalidCloseReason: "close reason is not UTF-8"
        case .frameTooBig: "frame too big"
        case .messageTooBig: "message too big"
        }
    }
}

/// The status codes of close frames (RFC 6455, section 7.4, and the IANA registry).
public enum WebSocketCloseCode {
    /// The purpose of the connection is fulfilled.
    public static let normal: UInt16 = 1000
    /// The endpoint goes away: a server shuts down, a page is left.
    public static let goingAway: UInt16 = 1001
    /// The peer broke the protocol.
    public static let protocolError: UInt16 = 1002
    /// The peer sent a type of data that is not accepted.
    public static let unsupportedData: UInt16 = 1003
    /// The close frame had no code; for local use, never sent.
    public static let noStatus: UInt16 = 1005
    /// The transport ended without a close frame; for local use, never sent.
    public static let abnormal: UInt16 = 1006
    /// The payload does not fit the message's type, such as ill-formed UTF-8.
    public static let invalidPayload: UInt16 = 1007
    /// The peer broke a policy.
    public static let policyViolation: UInt16 = 1008
    /// The message is too big.
    public static let messageTooBig: UInt16 = 1009
    /// The server met an unexpected condition.
    public static let internalError: UInt16 = 1011
    /// The service restarts; the client may come back.
    public static let serviceRestart: UInt16 = 1012
    /// The service is overloaded; try again later.
    public static let tryAgainLater: UInt16 = 1013

    /// Whether a close frame may carry `code`: a registered one, or one of 3000 to 4999.
    public static func isValid(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }
}
