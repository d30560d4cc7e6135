package import Fuzzing
package import RESP

/// What must hold for any bytes whatever, held against the reference parser and for many cuts: the body
/// of the differential harness, and of the tests. The other harnesses try a part of it, faster.
package enum Properties {
    /// Limits small enough that random input reaches each of them.
    package static let limits = RESPLimits(
        bulkSize: 300, aggregateElements: 20, depth: 6, lineLength: 80, valueSize: 600,
        channelSize: 300, payloadSize: 40)

    /// Checks one input of the fuzzer.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        try check(InputBytes.array(input))
    }

    /// Checks everything.
    package static func check(_ bytes: [UInt8]) throws(PropertyFailure) {
        let whole = StreamOutcome(parsing: bytes, limits: limits)
        let cuts = cuts(of: bytes)
        for cuts in cuts {
            let outcome = StreamOutcome(parsing: bytes, cuts: cuts, limits: limits)
            try expect(outcome == whole, "values depend on the cuts \(cuts)")
        }
        try checkReference(bytes, whole)
        try checkRoundTrip(whole.values)
        try checkPubSub(bytes, cuts)
        try checkPubSub(bytes, cuts, isSharded: true)
        try checkCommands(bytes, cuts)
        try checkDecoding(bytes, whole)
        for value in whole.values { try checkRendering(value) }
    }

    static func expect(
        _ condition: Bool, _ text: @autoclosure () -> String
    ) throws(PropertyFailure) {
        if !condition { throw PropertyFailure(text()) }
    }

    /// Byte by byte, some places in two, and some random pieces that follow from the bytes.
    static func cuts(of bytes: [UInt8]) -> [[Int]] {
        var seed: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { seed = (seed ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        var random = SeededGenerator(seed: seed)
        var cuts = [Array(0..<bytes.count)]
        for _ in 0..<3 {
            cuts.append([Int.random(in: 0...bytes.count, using: &random)])
            cuts.append(bytes.indices.filter { _ in Int.random(in: 0..<6, using: &random) == 0 })
        }
        return cuts
    }

    /// The incremental parser agrees with the reference parser.
    static func checkReference(_ bytes: [UInt8], _ whole: StreamOutcome) throws(PropertyFailure) {
        let reference = ReferenceParser.parse(bytes, limits: limits)
        try expect(reference.stop == whole.stop, "\(whole.stop), reference \(reference.stop)")
        try expect(
            reference.values.map { UInt64($0.end) } == whole.items.map(\.end), "other lengths")
        try expect(
            reference.values.map(\.0) == whole.values.map { ReferenceValue($0) }, "other values")
    }

    /// Writing a value and reading it again gives the value, and takes nothing else.
    static func checkRoundTrip(_ values: [RESPValue]) throws(PropertyFailure) {
        for value in values {
            var encoder = RESPEncoder()
            encoder.append(value)
            let again = StreamOutcome(parsing: encoder.bytes)
            try expect(
                again.values == [value] && again.stop == .betweenValues, "no round trip: \(value)")
            try expect(
                again.items.first?.end == UInt64(encoder.bytes.count), "length: \(value)")
            encoder.removeAll()
            encoder.version = .resp2
            encoder.append(value)
            let older = StreamOutcome(parsing: encoder.bytes)
            try expect(
                older.values.count == 1 && older.stop == .betweenValues, "in RESP2: \(value)")
            try expect(
                encoder.bytes.first.map { "+-:$*".utf8.contains($0) } == true, "type: \(value)")
        }
    }

    /// A decoding session gives the lines of the values, however the bytes are cut.
    static func checkDecoding(_ bytes: [UInt8], _ whole: StreamOutcome) throws(PropertyFailure) {
        var session = RESPDecodeSession(limits: limits)
        var lines: [UInt8] = []
        let middle = bytes.count / 3
        session.feed(Array(bytes[..<middle]), lines: &lines)
        session.feed(Array(bytes[middle...]), lines: &lines)
        // The session's limits are those of values and attributes each by itself.
        let separate = StreamOutcome(parsing: bytes, limits: limits, separatesAttributes: true)
        let awaitsValue = separate.values.last?.kind == .attribute
        let expected: RESPDecodeSession.Outcome =
            switch separate.stop {
            case .betweenValues where !awaitsValue: .complete
            case .betweenValues, .insideValue: .incomplete(at: UInt64(bytes.count))
            case .error(let error): .malformed(error)
            }
        try expect(session.outcome == expected, "session: \(session.outcome)")
        let lineCount = lines.count { $0 == 0x0A }
        try expect(lineCount >= whole.values.count, "lines: \(lineCount)")
    }

    /// A value on one line is one line, and well-formed JSON is.
    static func checkRendering(_ value: RESPValue) throws(PropertyFailure) {
        var output: [UInt8] = []
        RESPText.append(value.maskingPasswords(), to: &output, maximumStringBytes: 5)
        RESPText.append(value, to: &output)
        try expect(output.allSatisfy { (0x20...0x7E).contains($0) }, "text: \(value)")
        output = []
        RESPJSON.append(value, to: &output)
        try expect(output.allSatisfy { $0 >= 0x20 }, "JSON on one line: \(value)")
        try expect(JSONChecker.isWellFormed(output), "JSON: \(value)")
    }
}
