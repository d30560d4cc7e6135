package import Fuzzing
import RESP
import Synchronization

/// What holds of ``RESPParser`` for any bytes, at a cost that lets a fuzzer try tens of thousands of
/// inputs a second: no trap, offsets that only grow, limits kept, and the same values for a stream in
/// one piece as in two.
package enum ValueStreams {
    /// What a parser made of a stream. Its storage is used again for the next input.
    private struct Recording: Sendable {
        var values: [RESPValue] = []
        var ends: [Int] = []
        var error: RESPError?

        mutating func clear() {
            values.removeAll(keepingCapacity: true)
            ends.removeAll(keepingCapacity: true)
            error = nil
        }
    }

    /// What follows from the bytes of an input.
    private struct Choice {
        let separatesAttributes: Bool
        let limits: RESPLimits

        init(_ bytes: Span<UInt8>) {
            let hash = InputBytes.hash(bytes)
            separatesAttributes = hash >> 40 & 1 == 0
            // What is announced may be anything then; what is stored is what has come.
            limits = hash >> 40 & 6 == 0 ? ValueStreams.noLimits : Properties.limits
        }
    }

    private static let noLimits = RESPLimits(
        bulkSize: .max, aggregateElements: .max, depth: .max, lineLength: .max, valueSize: .max,
        channelSize: .max, payloadSize: .max)

    private struct Storage: Sendable {
        var whole = Recording()
        var split = Recording()
    }

    private static let storage = Mutex(Storage())

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            let cut = InputBytes.cut(bytes)
            let choice = Choice(bytes)
            try parse(bytes, cut: bytes.count, choice, &storage.whole)
            try parse(bytes, cut: cut, choice, &storage.split)
            try PropertyFailure.unless(
                storage.whole.error == storage.split.error
                    && storage.whole.ends == storage.split.ends
                    && storage.whole.values == storage.split.values,
                "\(storage.split), cut at \(cut); whole: \(storage.whole)")
        }
    }

    private static func parse(
        _ bytes: Span<UInt8>, cut: Int, _ choice: Choice, _ recording: inout Recording
    ) throws(PropertyFailure) {
        recording.clear()
        var parser = RESPParser(
            limits: choice.limits, separatesAttributes: choice.separatesAttributes)
        var consumed = 0
        for received in [cut, bytes.count] {
            // The first byte shown is not always the first one that is not consumed.
            let lower = max(0, consumed - 3)
            let shown = bytes.extracting(lower..<received)
            while true {
                let step: RESPStep
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
                consumed = step.end + lower
                guard let value = step.value else { break }
                try expectLimits(value, from: recording.ends.last ?? 0, to: consumed, choice.limits)
                recording.values.append(value)
                recording.ends.append(consumed)
            }
        }
    }

    private static func expectSameError(
        _ error: RESPError, _ parser: inout RESPParser, _ shown: Span<UInt8>
    ) throws(PropertyFailure) {
        do throws(RESPError) {
            _ = try parser.next(shown, from: shown.count)
        } catch let again {
            return try PropertyFailure.unless(again == error, "\(again) after \(error)")
        }
        throw PropertyFailure("read on after \(error)")
    }

    private static func expectLimits(
        _ value: RESPValue, from start: Int, to end: Int, _ limits: RESPLimits
    ) throws(PropertyFailure) {
        try PropertyFailure.unless(
            value.count <= limits.aggregateElements
                && (value.bytes?.count ?? 0) <= limits.bulkSize
                && end - start <= limits.valueSize,
            "over the limits: \(value)")
    }
}
