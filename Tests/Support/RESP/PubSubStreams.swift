package import Fuzzing
import RESP
import Synchronization

/// What holds of ``PubSubParser`` for any bytes, cheaply: no trap, offsets that only grow, ranges that
/// lie where they should, limits kept, and the same events for a stream in one piece as in two.
package enum PubSubStreams {
    /// Limits of which the channel's is reached before that of all strings.
    private static let limits = {
        var limits = Properties.limits
        limits.channelSize = 60
        return limits
    }()

    /// What a parser made of a stream, with ranges of the stream instead of those of what was shown.
    private struct Recording: Sendable {
        var events: [PubSubEvent] = []
        var ends: [Int] = []
        var error: RESPError?
        var isBetweenValues = true
    }

    private struct Storage: Sendable {
        var whole = Recording()
        var split = Recording()
    }

    private static let storage = Mutex(Storage())

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            let cut = InputBytes.cut(bytes)
            try parse(bytes, cut: bytes.count, &storage.whole)
            try parse(bytes, cut: cut, &storage.split)
            try PropertyFailure.unless(
                storage.whole.error == storage.split.error
                    && storage.whole.ends == storage.split.ends
                    && storage.whole.events == storage.split.events
                    && storage.whole.isBetweenValues == storage.split.isBetweenValues,
                "\(storage.split), cut at \(cut); whole: \(storage.whole)")
        }
    }

    private static func parse(
        _ bytes: Span<UInt8>, cut: Int, _ recording: inout Recording
    ) throws(PropertyFailure) {
        recording.events.removeAll(keepingCapacity: true)
        recording.ends.removeAll(keepingCapacity: true)
        recording.error = nil
        var parser = PubSubParser(limits: limits)
        var consumed = 0
        for received in [cut, bytes.count] {
            let lower = max(0, consumed - 3)
            let shown = bytes.extracting(lower..<received)
            while true {
                let step: PubSubStep
                do throws(RESPError) {
                    step = try parser.next(shown, from: consumed - lower)
                } catch {
                    recording.error = error
                    return try expectSameError(error, &parser, shown)
                }
                try PropertyFailure.unless(
                    step.end + lower >= consumed && step.end <= shown.count
                        && parser.streamOffset == UInt64(step.end + lower),
                    "end \(step.end) after \(consumed)")
                let start = consumed
                consumed = step.end + lower
                if case .incomplete = step.event { break }
                let event = shifted(step.event, by: lower)
                try expectBounds(event, bytes, start..<consumed)
                recording.events.append(event)
                recording.ends.append(consumed)
            }
        }
        recording.isBetweenValues = parser.isBetweenValues
    }

    private static func expectSameError(
        _ error: RESPError, _ parser: inout PubSubParser, _ shown: Span<UInt8>
    ) throws(PropertyFailure) {
        do throws(RESPError) {
            _ = try parser.next(shown, from: shown.count)
        } catch let again {
            return try PropertyFailure.unless(again == error, "\(again) after \(error)")
        }
        throw PropertyFailure("read on after \(error)")
    }

    private static func shifted(_ event: PubSubEvent, by offset: Int) -> PubSubEvent {
        func shift(_ range: Range<Int>) -> Range<Int> {
            range.lowerBound + offset..<range.upperBound + offset
        }
        return switch event {
        case .incomplete, .reply: event
        case .message(let channel, let payload):
            .message(channel: shift(channel), payload: shift(payload))
        case .oversized(let channel, let length):
            .oversized(channel: shift(channel), length: length)
        case .subscribed(let channel, let count):
            .subscribed(channel: shift(channel), count: count)
        case .unsubscribed(let channel, let count):
            .unsubscribed(channel: shift(channel), count: count)
        }
    }

    /// The ranges lie in what was consumed, in their order, each with a line end behind it.
    private static func expectBounds(
        _ event: PubSubEvent, _ bytes: Span<UInt8>, _ consumed: Range<Int>
    ) throws(PropertyFailure) {
        func isFramed(_ range: Range<Int>) -> Bool {
            range.lowerBound >= consumed.lowerBound && range.upperBound + 2 <= consumed.upperBound
                && bytes[range.upperBound] == 0x0D && bytes[range.upperBound + 1] == 0x0A
        }
        let isSound =
            switch event {
            case .incomplete, .reply: true
            case .message(let channel, let payload):
                isFramed(channel) && isFramed(payload) && channel.upperBound < payload.lowerBound
                    && payload.upperBound + 2 == consumed.upperBound
                    && channel.count <= limits.channelSize && payload.count <= limits.payloadSize
            case .oversized(let channel, let length):
                isFramed(channel) && length > limits.payloadSize && length <= limits.bulkSize
            case .subscribed(let channel, let count), .unsubscribed(let channel, let count):
                isFramed(channel) && channel.count <= limits.channelSize && count >= 0
            }
        try PropertyFailure.unless(isSound, "\(event) of \(consumed)")
    }
}
