import Fuzzing
package import RESP

/// What a subscribed connection receives, in one form for both parsers.
package enum PubSubItem: Equatable, Sendable {
    case message(channel: [UInt8], payload: [UInt8])
    case oversized(channel: [UInt8], length: Int)
    case subscribed(channel: [UInt8], count: Int)
    case unsubscribed(channel: [UInt8], count: Int)
    case other(RESPValue)

    /// The item that a value is, by its content alone.
    package init(_ value: RESPValue, payloadSize: Int, isSharded: Bool) {
        self = .other(value)
        let children = Array(value.children)
        guard value.kind == .push || value.kind == .array, children.count == 3,
            children[0].kind == .bulkString, let kind = children[0].string,
            children[1].kind == .bulkString, let channel = children[1].bytes.map({ Array($0) })
        else { return }
        switch kind {
        case isSharded ? "smessage" : "message":
            guard children[2].kind == .bulkString, let payload = children[2].bytes else { return }
            self =
                payload.count > payloadSize
                ? .oversized(channel: channel, length: payload.count)
                : .message(channel: channel, payload: Array(payload))
        case "subscribe", isSharded ? "ssubscribe" : "subscribe":
            guard let count = children[2].integer else { return }
            self = .subscribed(channel: channel, count: count)
        case "unsubscribe", isSharded ? "sunsubscribe" : "unsubscribe":
            guard let count = children[2].integer else { return }
            self = .unsubscribed(channel: channel, count: count)
        default: break
        }
    }
}

extension PubSubItem {
    /// The item that an event is, whose ranges are of `bytes`; nil where more bytes are needed.
    package init?(
        _ event: PubSubEvent, in bytes: [UInt8], _ limits: RESPLimits, isSharded: Bool
    ) {
        switch event {
        case .incomplete: return nil
        case .message(let channel, let payload):
            self = .message(channel: Array(bytes[channel]), payload: Array(bytes[payload]))
        case .oversized(let channel, let length):
            self = .oversized(channel: Array(bytes[channel]), length: length)
        case .subscribed(let channel, let count):
            self = .subscribed(channel: Array(bytes[channel]), count: count)
        case .unsubscribed(let channel, let count):
            self = .unsubscribed(channel: Array(bytes[channel]), count: count)
        case .reply(let value):
            self.init(value, payloadSize: limits.payloadSize, isSharded: isSharded)
        }
    }
}

/// Everything that ``PubSubParser`` makes of a stream, however the stream was cut.
package struct PubSubOutcome: Equatable, Sendable {
    package var items: [PubSubItem] = []
    /// The offsets behind the items.
    package var ends: [UInt64] = []
    package var error: RESPError?
    /// The bytes consumed in all.
    package var consumed = 0

    package init(
        parsing bytes: [UInt8], cuts: [Int] = [], limits: RESPLimits = RESPLimits(),
        isSharded: Bool = false
    ) {
        var parser = PubSubParser(limits: limits, isSharded: isSharded)
        var window = Window()
        do throws(RESPError) {
            for cut in cuts + [bytes.count] {
                window.received = cut
                while true {
                    let shown = bytes.span.extracting(window.shown)
                    let step = try parser.next(shown, from: window.offset)
                    let item = PubSubItem(
                        step.event, in: Array(bytes[window.shown]), limits, isSharded: isSharded)
                    window.consume(to: step.end, parser.streamOffset)
                    consumed = window.consumed
                    guard let item else { break }
                    items.append(item)
                    ends.append(parser.streamOffset)
                }
            }
        } catch {
            self.error = error
        }
    }
}

extension Properties {
    /// The Pub/Sub parser gives the same as the general one, wherever the stream is cut.
    static func checkPubSub(
        _ bytes: [UInt8], _ cuts: [[Int]], isSharded: Bool = false
    ) throws(PropertyFailure) {
        var expected: [PubSubItem] = []
        let values = StreamOutcome(parsing: bytes, limits: limits, separatesAttributes: true)
        for value in values.values where value.kind != .attribute {
            expected.append(
                PubSubItem(value, payloadSize: limits.payloadSize, isSharded: isSharded))
        }
        for cuts in [[]] + cuts {
            let outcome = PubSubOutcome(
                parsing: bytes, cuts: cuts, limits: limits, isSharded: isSharded)
            var items = outcome.items
            // A payload over the limit is said before its end is seen.
            if items.count == expected.count + 1, case .oversized = items[items.count - 1] {
                items.removeLast()
            }
            try expect(items == expected, "Pub/Sub, cut at \(cuts): \(outcome.items)")
            if case .error(let error) = values.stop {
                try expect(
                    outcome.error == error,
                    "Pub/Sub, cut at \(cuts): \(String(describing: outcome.error)), not \(error)")
            } else {
                try expect(outcome.error == nil, "Pub/Sub: \(String(describing: outcome.error))")
            }
        }
    }
}
