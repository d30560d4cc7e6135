package import Fuzzing
import RESP
import Synchronization

/// What is read can be written, and what is written reads as the same: each value of a stream, in
/// RESP3 as it is and in RESP2 as one value of the older types.
package enum WrittenValues {
    private static let encoder = Mutex(RESPEncoder())

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        try encoder.withLock { (encoder: inout sending RESPEncoder) throws(PropertyFailure) in
            var parser = RESPParser(limits: Properties.limits)
            var start = 0
            while true {
                let step: RESPStep
                do throws(RESPError) {
                    step = try parser.next(bytes, from: start)
                } catch { return }
                guard let value = step.value else { return }
                start = step.end
                try expectRoundTrip(value, &encoder)
            }
        }
    }

    private static func expectRoundTrip(
        _ value: RESPValue, _ encoder: inout RESPEncoder
    ) throws(PropertyFailure) {
        encoder.removeAll()
        encoder.version = .resp3
        encoder.append(value)
        try PropertyFailure.unless(onlyValue(of: encoder.bytes) == value, "no round trip: \(value)")
        encoder.removeAll()
        encoder.version = .resp2
        encoder.append(value)
        let older = onlyValue(of: encoder.bytes)
        try PropertyFailure.unless(
            older != nil && encoder.bytes.first.map { isType2($0) } == true, "in RESP2: \(value)")
    }

    private static func isType2(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: ":"), UInt8(ascii: "$"),
            UInt8(ascii: "*"):
            true
        default: false
        }
    }

    /// The value that the bytes are, to the last one.
    static func onlyValue(of bytes: [UInt8]) -> RESPValue? {
        var parser = RESPParser()
        do throws(RESPError) {
            let step = try parser.next(bytes.span, from: 0)
            return step.end == bytes.count ? step.value : nil
        } catch {
            return nil
        }
    }
}
