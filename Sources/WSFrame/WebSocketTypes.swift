/// Which end of the connection this side is (RFC 6455, section 1.2).
public enum WebSocketRole: UInt8, Sendable {
    /// Receives masked frames and sends unmasked ones.
    case server
    /// Receives unmasked frames and sends masked ones.
    case client
}

/// The opcode of a frame (RFC 6455, section 5.2); the reserved ones have no case.
public enum WebSocketOpcode: UInt8, Sendable {
    /// A further fragment of the message under way.
    case continuation = 0x0
    /// A text message, or its first fragment.
    case text = 0x1
    /// A binary message, or its first fragment.
    case binary = 0x2
    /// The first or second half of the close handshake.
    case close = 0x8
    /// A ping, which the peer answers by a pong.
    case ping = 0x9
    /// The answer to a ping, or an unasked heartbeat.
    case pong = 0xA

    /// Whether frames of this opcode are control frames: short, never fragmented (section 5.5).
    public var isControl: Bool { rawValue & 0x8 != 0 }
}

/// The sizes beyond which a peer's frames and messages are refused with close code 1009.
public struct WebSocketLimits: Sendable, Equatable {
    /// The longest payload of one data frame, in bytes.
    public var maxFrameSize: UInt32
    /// The longest message, summed over its fragments, in bytes.
    public var maxMessageSize: UInt32

    /// Makes limits in bytes; values outside `0...UInt32.max` are clamped.
    public init(maxFrameSize: Int, maxMessageSize: Int) {
        self.maxFrameSize = UInt32(clamping: maxFrameSize)
        self.maxMessageSize = UInt32(clamping: maxMessageSize)
    }

    /// Makes one limit in bytes for messages and, with them, for frames.
    public init(maxMessageSize: Int) {
        self.init(maxFrameSize: maxMessageSize, maxMessageSize: maxMessageSize)
    }
}

/// Where the payload of an event lies.
public enum WebSocketPayload: Sendable, Equatable {
    /// These bytes of the buffer that was given to the decoder, unmasked in place.
    case buffer(Range<Int>)
    /// Bytes put together from several frames or several reads; the decoder has let go of them.
    case assembled([UInt8])

    /// The payload's length in bytes.
    public var count: Int {
        switch self {
        case .buffer(let range): range.count
        case .assembled(let bytes): bytes.count
        }
    }

    /// Copies the payload out of the buffer that was given to the decoder.
    public func bytes(in buffer: [UInt8]) -> [UInt8] {
        switch self {
        case .buffer(let range): Array(buffer[range])
        case .assembled(let bytes): bytes
        }
    }

    /// Lends the payload without a copy; `buffer` is the one that was given to the decoder.
    public func withSpan<Result>(in buffer: [UInt8], _ body: (Span<UInt8>) -> Result) -> Result {
        switch self {
        case .buffer(let range): body(buffer.span.extracting(range))
        case .assembled(let bytes): body(bytes.span)
        }
    }
}

/// What a decoder found next in the bytes given to it.
public enum WebSocketEvent: Sendable, Equatable {
    /// All bytes are consumed, and no message is complete; feed further bytes.
    case incomplete
    /// A whole text message; its payload is well-formed UTF-8.
    case text(WebSocketPayload)
    /// A whole binary message.
    case binary(WebSocketPayload)
    /// A ping; answer with a pong of the same payload (at most 125 bytes).
    case ping(WebSocketPayload)
    /// A pong, asked for or not (at most 125 bytes).
    case pong(WebSocketPayload)
    /// A close frame: its code (nil when the body is empty) and reason, well-formed UTF-8 of at most
    /// 123 bytes. The decoder ignores everything after it.
    case close(code: UInt16?, reason: WebSocketPayload)
}

/// One event, and how far the decoder got.
public struct WebSocketStep: Sendable, Equatable {
    /// The offset behind the last byte consumed; where the next call goes on.
    public var end: Int
    /// What the consumed bytes completed.
    public var event: WebSocketEvent
}
