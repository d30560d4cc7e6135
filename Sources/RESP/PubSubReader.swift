/// Recognises messages and acknowledgements of subscriptions where they lie in a buffer.
///
/// It keeps nothing between two calls: it reads the few bytes of headers again, and says how many
/// bytes must be there before that is worth while. Whatever it does not recognise, malformed input
/// included, it leaves to ``RESPParser``.
enum PubSubReader {
    /// What the bytes from the start on are.
    enum Outcome {
        case incomplete(needed: Int)
        case found(PubSubEvent, end: Int)
        case oversized(channel: Range<Int>, length: Int, end: Int)
        case channelTooLarge(index: Int)
        case other
    }

    /// A length or a count on the wire.
    private enum Header {
        case incomplete
        case number(Int, end: Int)
        case other
    }

    /// `>3\r\n$7\r\n`, read as a little-endian word.
    private static let pushStart: UInt64 = 0x0A0D_3724_0A0D_333E
    /// `*3\r\n$7\r\n`.
    private static let arrayStart: UInt64 = 0x0A0D_3724_0A0D_332A
    /// `message\r`.
    private static let messageWord: UInt64 = 0x0D65_6761_7373_656D
    /// `>3\r\n$8\r\n`.
    private static let longPushStart: UInt64 = 0x0A0D_3824_0A0D_333E
    /// `*3\r\n$8\r\n`.
    private static let longArrayStart: UInt64 = 0x0A0D_3824_0A0D_332A
    /// `smessage`, a message of a sharded channel.
    private static let shardedWord: UInt64 = 0x6567_6173_7365_6D73

    private enum Verb { case message, subscribe, unsubscribe }

    /// Reads what starts at `start`.
    static func read(
        _ bytes: Span<UInt8>, from start: Int, isSharded: Bool, _ limits: RESPLimits
    ) -> Outcome {
        // Nearly everything is a message, and the start of one is two words.
        if bytes.count - start > 17 {
            let word = ByteAccess.word(in: bytes, at: start)
            let next = ByteAccess.word(in: bytes, at: start + 8)
            if !isSharded {
                if word == pushStart || word == arrayStart, next == messageWord,
                    bytes[start + 16] == UInt8(ascii: "\n")
                {
                    return body(.message, bytes, start, at: start + 17, limits)
                }
            } else if word == longPushStart || word == longArrayStart, next == shardedWord,
                isLineEnd(bytes, start + 16)
            {
                return body(.message, bytes, start, at: start + 18, limits)
            }
        }
        return verb(bytes, start, isSharded, limits)
    }

    /// Reads the three elements one by one, as far as they are there.
    private static func verb(
        _ bytes: Span<UInt8>, _ start: Int, _ isSharded: Bool, _ limits: RESPLimits
    ) -> Outcome {
        let more = Outcome.incomplete(needed: bytes.count - start + 1)
        let isPush = bytes[start] == UInt8(ascii: ">")
        guard isPush || bytes[start] == UInt8(ascii: "*") else { return .other }
        guard bytes.count - start > 1 else { return more }
        guard bytes[start + 1] == UInt8(ascii: "3") else { return .other }
        guard case .number(let count, let size) = header(bytes, at: start, bytes[start]) else {
            return missing(header(bytes, at: start, bytes[start]), bytes, start)
        }
        guard count == 3 else { return .other }
        switch header(bytes, at: size, UInt8(ascii: "$")) {
        case .incomplete: return more
        case .other: return .other
        case .number(let length, let content):
            guard (7...12).contains(length) else { return .other }
            let end = content + length + 2
            guard isLineEnd(bytes, end - 2) else { return unended(bytes, start, end - 2) }
            let name = bytes.extracting(content..<(content + length))
            guard let verb = verb(named: name, isSharded) else { return .other }
            return body(verb, bytes, start, at: end, limits)
        }
    }

    private static func verb(named name: Span<UInt8>, _ isSharded: Bool) -> Verb? {
        switch name.count {
        case 7: !isSharded && matches(name, "message") ? .message : nil
        case 8: isSharded && matches(name, "smessage") ? .message : nil
        case 9: matches(name, "subscribe") ? .subscribe : nil
        case 10: isSharded && matches(name, "ssubscribe") ? .subscribe : nil
        case 11: matches(name, "unsubscribe") ? .unsubscribe : nil
        case 12: isSharded && matches(name, "sunsubscribe") ? .unsubscribe : nil
        default: nil
        }
    }

    private static func matches(_ name: Span<UInt8>, _ text: String) -> Bool {
        var index = 0
        for byte in text.utf8 {
            if name[index] != byte { return false }
            index += 1
        }
        return true
    }

    /// Reads the channel, whose header is at `position`, and what is behind it.
    @inline(__always)
    private static func body(
        _ verb: Verb, _ bytes: Span<UInt8>, _ start: Int, at position: Int, _ limits: RESPLimits
    ) -> Outcome {
        guard case .number(let length, let content) = header(bytes, at: position, UInt8(ascii: "$"))
        else { return missing(header(bytes, at: position, UInt8(ascii: "$")), bytes, start) }
        guard length <= limits.bulkSize, length < Int.max - content - 2 else { return .other }
        if length > limits.channelSize { return .channelTooLarge(index: position + 1) }
        let end = content + length
        guard isLineEnd(bytes, end) else { return unended(bytes, start, end) }
        let channel = content..<end
        if case .message = verb { return payload(channel, bytes, start, at: end + 2, limits) }

        switch header(bytes, at: end + 2, UInt8(ascii: ":")) {
        case .number(let count, let end):
            let event: PubSubEvent =
                if case .subscribe = verb { .subscribed(channel: channel, count: count) } else {
                    .unsubscribed(channel: channel, count: count)
                }
            return .found(event, end: end)
        case let header: return missing(header, bytes, start)
        }
    }

    /// Reads the payload, whose header is at `position`.
    @inline(__always)
    private static func payload(
        _ channel: Range<Int>, _ bytes: Span<UInt8>, _ start: Int, at position: Int,
        _ limits: RESPLimits
    ) -> Outcome {
        switch header(bytes, at: position, UInt8(ascii: "$")) {
        case .number(let length, let content):
            guard length <= limits.bulkSize, length < Int.max - content - 2 else { return .other }
            if length > limits.payloadSize {
                return .oversized(channel: channel, length: length, end: content)
            }
            let end = content + length
            guard isLineEnd(bytes, end) else { return unended(bytes, start, end) }
            return .found(.message(channel: channel, payload: content..<end), end: end + 2)
        case let header: return missing(header, bytes, start)
        }
    }

    /// What a header that gave no number makes of the whole.
    private static func missing(_ header: Header, _ bytes: Span<UInt8>, _ start: Int) -> Outcome {
        if case .incomplete = header { return .incomplete(needed: bytes.count - start + 1) }
        return .other
    }

    /// Reads a type byte, digits and CRLF.
    @inline(__always)
    private static func header(_ bytes: Span<UInt8>, at position: Int, _ type: UInt8) -> Header {
        guard position < bytes.count else { return .incomplete }
        guard bytes[position] == type else { return .other }
        let first = position + 1
        var index = first
        var number = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { break }
            // Eighteen digits fit; more are left to the parser that checks for overflow.
            guard index - first < 18 else { return .other }
            number = number &* 10 &+ Int(digit)
            index += 1
        }
        guard index < bytes.count else { return .incomplete }
        guard bytes[index] == UInt8(ascii: "\r"), index > first else { return .other }
        if bytes[first] == UInt8(ascii: "0"), index - first > 1 { return .other }
        guard index + 1 < bytes.count else { return .incomplete }
        guard bytes[index + 1] == UInt8(ascii: "\n") else { return .other }
        return .number(number, end: index + 2)
    }

    /// Whether CRLF is at `index`; false too when it is not there yet.
    @inline(__always)
    private static func isLineEnd(_ bytes: Span<UInt8>, _ index: Int) -> Bool {
        index <= bytes.count - 2
            && bytes[index] == UInt8(ascii: "\r") && bytes[index + 1] == UInt8(ascii: "\n")
    }

    /// What the whole is where CRLF should be at `index` and is not.
    private static func unended(_ bytes: Span<UInt8>, _ start: Int, _ index: Int) -> Outcome {
        if index >= bytes.count { return .incomplete(needed: index + 1 - start) }
        if bytes[index] != UInt8(ascii: "\r") || index + 1 < bytes.count { return .other }
        return .incomplete(needed: index + 2 - start)
    }
}
