/// What stands at the start of the bytes that ``PubSubParser`` was given.
///
/// Ranges are indices of the span that was handed in.
public enum PubSubEvent: Sendable, Equatable {
    /// More bytes are needed.
    case incomplete
    /// A message, from a push of RESP3 or an array of RESP2.
    case message(channel: Range<Int>, payload: Range<Int>)
    /// A message whose payload, of so many bytes, is longer than ``RESPLimits/payloadSize``.
    ///
    /// It is said once, when the payload's length is known; the payload itself is consumed by the
    /// following steps, as it comes, and not seen.
    case oversized(channel: Range<Int>, length: Int)
    /// A subscription is in force; the count is that of the connection's subscriptions.
    case subscribed(channel: Range<Int>, count: Int)
    /// A subscription is ended; the count is that of the connection's subscriptions.
    case unsubscribed(channel: Range<Int>, count: Int)
    /// Any other value, such as the reply to a command.
    case reply(RESPValue)
}

/// What ``PubSubParser`` made of the bytes that it was given.
public struct PubSubStep: Sendable, Equatable {
    /// The index up to which the bytes are consumed.
    public let end: Int
    /// What they hold.
    public let event: PubSubEvent

    /// Creates a step.
    public init(end: Int, event: PubSubEvent) {
        self.end = end
        self.event = event
    }
}

/// An incremental parser of what Redis sends on a connection that subscribes.
///
/// Messages and acknowledgements of subscriptions come as ranges of the caller's buffer: nothing is
/// copied, allocated or counted. Everything else goes through a ``RESPParser``. Attributes before a
/// value are checked and dropped.
///
/// With `isSharded` the messages are those of sharded Pub/Sub (`smessage`, acknowledged by `ssubscribe`
/// and `sunsubscribe`); those of the other kind are replies, since nobody has asked for them.
///
/// The caller holds the bytes that are not yet consumed and hands them in again, with more behind
/// them, after an ``PubSubEvent/incomplete`` step, which may itself consume bytes.
public struct PubSubParser: Sendable {
    private enum Mode: Sendable {
        /// At the start of a value, which takes at least so many bytes.
        case start(needed: Int)
        /// Inside a payload over the limit; so many bytes are to be dropped before its CRLF.
        case payload(remaining: Int)
        /// Inside a value that the other parser reads.
        case value
    }

    /// The bounds on the input.
    public var limits: RESPLimits { values.limits }

    /// The number of bytes consumed since the parser was made.
    public private(set) var streamOffset: UInt64 = 0

    private var mode = Mode.start(needed: 1)
    /// Whether the messages are those of sharded Pub/Sub.
    public let isSharded: Bool
    private var values: RESPParser
    private var failure: RESPError?

    /// Whether the first byte that is not consumed is, or will be, the start of a value.
    public var isBetweenValues: Bool {
        if case .start = mode { true } else { false }
    }

    /// Creates a parser for a new connection.
    public init(limits: RESPLimits = RESPLimits(), isSharded: Bool = false) {
        self.isSharded = isSharded
        values = RESPParser(limits: limits, separatesAttributes: true)
    }

    /// Gives back the memory that the last value which is no message took, as
    /// ``RESPParser/releaseStorage()`` does.
    public mutating func releaseStorage() { values.releaseStorage() }

    /// Parses up to the end of the next event.
    ///
    /// - Parameters:
    ///   - bytes: a buffer that holds every byte received and not yet consumed.
    ///   - offset: where the first of them is; `bytes.count` when there is none.
    /// - Returns: the event, with ranges of `bytes`, and how much is consumed.
    /// - Throws: ``RESPError`` with the offset in the stream; the same again from then on.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: Int
    ) throws(RESPError) -> PubSubStep {
        if let failure { throw failure }
        do throws(RESPError) {
            return try advance(bytes, from: offset)
        } catch {
            failure = error
            throw error
        }
    }

    private mutating func advance(
        _ bytes: Span<UInt8>, from offset: Int
    ) throws(RESPError) -> PubSubStep {
        var start = offset
        while true {
            switch mode {
            case .start(let needed):
                if bytes.count - start < needed {
                    return PubSubStep(end: start, event: .incomplete)
                }
                switch PubSubReader.read(bytes, from: start, isSharded: isSharded, limits) {
                case .incomplete(let needed):
                    mode = .start(needed: needed)
                    return PubSubStep(end: start, event: .incomplete)
                case .found(let event, let end):
                    streamOffset &+= UInt64(end - start)
                    mode = .start(needed: 1)
                    return PubSubStep(end: end, event: event)
                case .oversized(let channel, let length, let end):
                    streamOffset &+= UInt64(end - start)
                    mode = .payload(remaining: length)
                    let event = PubSubEvent.oversized(channel: channel, length: length)
                    return PubSubStep(end: end, event: event)
                case .channelTooLarge(let index):
                    let position = streamOffset &+ UInt64(index - start)
                    throw RESPError(.channelTooLarge, at: position)
                case .other:
                    values.streamOffset = streamOffset
                    mode = .value
                }
            case .payload(let remaining):
                let end = try skip(bytes, from: start, remaining)
                guard case .start = mode else { return PubSubStep(end: end, event: .incomplete) }
                start = end
            case .value:
                let step = try values.next(bytes, from: start)
                streamOffset = values.streamOffset
                guard let value = step.value else {
                    return PubSubStep(end: step.end, event: .incomplete)
                }
                mode = .start(needed: 1)
                if value.kind == .attribute {
                    start = step.end
                } else {
                    return PubSubStep(end: step.end, event: .reply(value))
                }
            }
        }
    }

    /// Drops what there is of a payload over the limit, and the CRLF behind it.
    private mutating func skip(
        _ bytes: Span<UInt8>, from start: Int, _ remaining: Int
    ) throws(RESPError) -> Int {
        let dropped = min(remaining, bytes.count - start)
        let end = start + dropped
        streamOffset &+= UInt64(dropped)
        mode = .payload(remaining: remaining - dropped)
        guard dropped == remaining, end < bytes.count else { return end }
        if bytes[end] != UInt8(ascii: "\r") {
            throw RESPError(.malformedLineEnd, at: streamOffset)
        }
        guard end + 1 < bytes.count else { return end }
        if bytes[end + 1] != UInt8(ascii: "\n") {
            throw RESPError(.malformedLineEnd, at: streamOffset &+ 1)
        }
        streamOffset &+= 2
        mode = .start(needed: 1)
        return end + 2
    }
}
