import WSFrame

/// The WebSocket frames that carry messages to browsers.
enum StatusFrame {
    /// Where the text of a frame under construction begins: room for the longest header in front.
    private static let textStart = 10
    /// What every frame under construction begins with: room for the header, then the JSON.
    private static let prefix =
        [UInt8](repeating: 0, count: textStart) + Array(#"{"type":"status","data":""#.utf8)

    /// A whole frame with `{"type":"ping"}`.
    static let ping = frame(#"{"type":"ping"}"#)
    /// A whole frame with `{"type":"hangup"}`.
    static let hangup = frame(#"{"type":"hangup"}"#)

    private static func frame(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        FrameEncoder.appendText(text, to: &bytes)
        return bytes
    }

    /// Writes the frame for a payload from Redis over `storage`, which is used again and again for
    /// frames and nothing else.
    ///
    /// Returns where in `storage` the frame lies, and how many ill-formed UTF-8 sequences were
    /// replaced by U+FFFD. The escaped text is written once, behind room for its header, so that
    /// the frame can be handed to any number of receivers.
    static func build(_ payload: Span<UInt8>, in storage: inout [UInt8])
        -> (frame: Range<Int>, replacements: Int)
    {
        // The prefix stays in the storage from one frame to the next.
        if storage.count < prefix.count {
            storage = prefix
        } else {
            storage.removeLast(storage.count - prefix.count)
        }
        return finish(payload, in: &storage)
    }

    /// Writes the frame for a payload that has a position in its stream, over `storage`.
    ///
    /// The storage is used for such frames and nothing else.
    static func build(
        _ payload: Span<UInt8>, at position: StreamPosition, in storage: inout [UInt8]
    ) -> (frame: Range<Int>, replacements: Int) {
        storage.removeAll(keepingCapacity: true)
        storage += [UInt8](repeating: 0, count: textStart)
        storage += #"{"type":"status","id":""#.utf8
        position.appendText(to: &storage)
        storage += #"","data":""#.utf8
        return finish(payload, in: &storage)
    }

    private static func finish(
        _ payload: Span<UInt8>, in storage: inout [UInt8]
    ) -> (frame: Range<Int>, replacements: Int) {
        let replacements = JSONStringEscaper.append(payload, to: &storage)
        storage.append(UInt8(ascii: "\""))
        storage.append(UInt8(ascii: "}"))
        let length = storage.count - textStart
        let start = textStart - FrameEncoder.headerLength(payloadLength: length)
        writeHeader(length: length, at: start, in: &storage)
        return (start..<storage.count, replacements)
    }

    /// Writes a final text frame's header, unmasked (RFC 6455, section 5.2).
    private static func writeHeader(length: Int, at start: Int, in storage: inout [UInt8]) {
        storage[start] = 0x81
        switch textStart - start {
        case 2:
            storage[start + 1] = UInt8(length)
        case 4:
            storage[start + 1] = 126
            storage[start + 2] = UInt8(length >> 8)
            storage[start + 3] = UInt8(length & 0xFF)
        default:
            storage[start + 1] = 127
            for index in 0..<8 {
                storage[start + 2 + index] = UInt8(truncatingIfNeeded: length >> (56 - 8 * index))
            }
        }
    }
}

/// Why a browser has missed messages, as a gap notice says it.
enum GapReason: String, Sendable {
    /// The subscription was interrupted.
    case redisOutage = "redis_outage"
    /// A payload was over `STATUS_MAX_PAYLOAD_SIZE`.
    case oversizedPayload = "payload_too_large"
    /// The browser was away, and what it has missed is not here (any more).
    case resume
}

extension StatusFrame {
    /// A whole frame that tells of messages lost between two instants of Unix time.
    static func gap(_ reason: GapReason, fromMilliseconds: Int64, toMilliseconds: Int64) -> [UInt8]
    {
        frame(
            #"{"type":"gap","reason":"\#(reason.rawValue)","from_ms":\#(fromMilliseconds),"#
                + #""to_ms":\#(toMilliseconds)}"#)
    }

    /// A whole frame of a ping that tells where the stream is.
    static func ping(at position: StreamPosition) -> [UInt8] {
        var text: [UInt8] = []
        position.appendText(to: &text)
        return frame(#"{"type":"ping","id":"\#(String(decoding: text, as: UTF8.self))"}"#)
    }

    /// A whole frame that tells that messages do not come, since an instant of Unix time.
    static func outage(sinceMilliseconds: Int64) -> [UInt8] {
        frame(#"{"type":"outage","since_ms":\#(sinceMilliseconds)}"#)
    }
}
