package import Fuzzing
import RESP
import Synchronization

/// A capture becomes one line of well-formed JSON for each value, however it is cut; a value becomes
/// one line of printable text, with its passwords or without.
package enum RenderedValues {
    private struct Storage: Sendable {
        var whole: [UInt8] = []
        var split: [UInt8] = []
        var line: [UInt8] = []
        var part: [UInt8] = []
    }

    private static let storage = Mutex(Storage())

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            let cut = InputBytes.cut(bytes)
            let whole = decode(bytes, cut: 0, &storage.part, &storage.whole)
            let split = decode(bytes, cut: cut, &storage.part, &storage.split)
            try PropertyFailure.unless(
                whole == split && storage.whole == storage.split, "\(whole), \(split) at \(cut)")
            try checkValues(bytes, &storage)
        }
    }

    private static func decode(
        _ bytes: Span<UInt8>, cut: Int, _ part: inout [UInt8], _ lines: inout [UInt8]
    ) -> RESPDecodeSession.Outcome {
        lines.removeAll(keepingCapacity: true)
        var session = RESPDecodeSession(limits: Properties.limits)
        InputBytes.copy(bytes.extracting(0..<cut), to: &part)
        session.feed(part, lines: &lines)
        InputBytes.copy(bytes.extracting(cut..<bytes.count), to: &part)
        session.feed(part, lines: &lines)
        return session.outcome
    }

    /// The lines are those of the values, in their order, each of them sound.
    private static func checkValues(
        _ bytes: Span<UInt8>, _ storage: inout Storage
    ) throws(PropertyFailure) {
        var parser = RESPParser(limits: Properties.limits, separatesAttributes: true)
        var start = 0
        var position = 0
        var step: RESPStep?
        repeat {
            do throws(RESPError) { step = try parser.next(bytes, from: start) } catch { step = nil }
            guard let end = step?.end, let value = step?.value else { break }
            start = end
            storage.line.removeAll(keepingCapacity: true)
            RESPJSON.append(value, to: &storage.line)
            let next = position + storage.line.count
            try PropertyFailure.unless(
                next < storage.whole.count && storage.whole[next] == 0x0A
                    && storage.whole[position..<next].elementsEqual(storage.line)
                    && storage.line.allSatisfy { $0 >= 0x20 }
                    && JSONChecker.isWellFormed(storage.line),
                "JSON: \(value)")
            position = next + 1
            try checkText(value, &storage.line)
        } while true
        try PropertyFailure.unless(position == storage.whole.count, "more lines than values")
    }

    private static func checkText(
        _ value: RESPValue, _ line: inout [UInt8]
    ) throws(PropertyFailure) {
        line.removeAll(keepingCapacity: true)
        RESPText.append(value.maskingPasswords(), to: &line, maximumStringBytes: 5)
        RESPText.append(value, to: &line)
        try PropertyFailure.unless(
            line.allSatisfy { $0 >= 0x20 && $0 <= 0x7E }, "text: \(value)")
    }
}
