package import Fuzzing
import RESP
import Synchronization

/// What holds of ``CommandParser`` for any bytes, cheaply: no trap, offsets that only grow, arguments
/// that lie in what was consumed, limits kept, and the same commands for a stream in one piece as in
/// two.
package enum CommandStreams {
    /// What a parser made of a stream: the arguments of all commands, as ranges of the stream.
    private struct Recording: Sendable {
        var arguments: [Range<Int>] = []
        var ends: [Int] = []
        var error: RESPError?
    }

    private struct Storage: Sendable {
        var whole = Recording()
        var split = Recording()
        var ranges: [Range<Int>] = []
    }

    private static let storage = Mutex(Storage())

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            let cut = InputBytes.cut(bytes)
            try parse(bytes, cut: bytes.count, &storage.ranges, &storage.whole)
            try parse(bytes, cut: cut, &storage.ranges, &storage.split)
            try PropertyFailure.unless(
                storage.whole.error == storage.split.error
                    && storage.whole.ends == storage.split.ends
                    && storage.whole.arguments == storage.split.arguments,
                "\(storage.split), cut at \(cut); whole: \(storage.whole)")
        }
    }

    private static func parse(
        _ bytes: Span<UInt8>, cut: Int, _ ranges: inout [Range<Int>], _ recording: inout Recording
    ) throws(PropertyFailure) {
        recording.arguments.removeAll(keepingCapacity: true)
        recording.ends.removeAll(keepingCapacity: true)
        recording.error = nil
        var parser = CommandParser(limits: Properties.limits)
        var consumed = 0
        for received in [cut, bytes.count] {
            let lower = max(0, consumed - 3)
            let shown = bytes.extracting(lower..<received)
            while true {
                let step: CommandStep
                do throws(RESPError) {
                    step = try parser.next(shown, from: consumed - lower, arguments: &ranges)
                } catch {
                    recording.error = error
                    return try expectSameError(error, &parser, shown, &ranges)
                }
                let end = step.end + lower
                try PropertyFailure.unless(
                    end >= consumed && end <= received && parser.streamOffset == UInt64(end)
                        && (step.event == .incomplete) == ranges.isEmpty
                        && ranges.count
                            <= max(
                                Properties.limits.aggregateElements, Properties.limits.lineLength),
                    "\(step) after \(consumed), \(ranges)")
                for range in ranges {
                    let argument = range.lowerBound + lower..<range.upperBound + lower
                    try PropertyFailure.unless(
                        argument.lowerBound >= consumed && argument.upperBound <= end
                            && argument.count <= Properties.limits.bulkSize,
                        "argument \(argument) of \(consumed)..<\(end)")
                    recording.arguments.append(argument)
                }
                consumed = end
                if step.event == .incomplete { break }
                recording.ends.append(end)
            }
        }
    }

    private static func expectSameError(
        _ error: RESPError, _ parser: inout CommandParser, _ shown: Span<UInt8>,
        _ ranges: inout [Range<Int>]
    ) throws(PropertyFailure) {
        do throws(RESPError) {
            _ = try parser.next(shown, from: shown.count, arguments: &ranges)
        } catch let again {
            return try PropertyFailure.unless(again == error, "\(again) after \(error)")
        }
        throw PropertyFailure("read on after \(error)")
    }
}
