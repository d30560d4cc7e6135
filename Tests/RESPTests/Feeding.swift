import RESP
import RESPProperties
import Testing

/// The ways in which every test input is cut: whole, byte by byte, and at every place in two.
func everyCut(of count: Int) -> [[Int]] {
    [[], Array(0..<max(count, 1))] + (0...count).map { [$0] }
}

/// Expects the same outcome of `wire` however it is cut, and the same of the reference parser.
func expectOutcome(
    _ wire: [UInt8], _ expected: StreamOutcome, limits: RESPLimits = RESPLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
) {
    for cuts in everyCut(of: wire.count) {
        let outcome = StreamOutcome(parsing: wire, cuts: cuts, limits: limits)
        #expect(outcome == expected, "cut at \(cuts)", sourceLocation: sourceLocation)
        if outcome != expected { return }
    }
    let reference = ReferenceParser.parse(wire, limits: limits)
    #expect(reference.stop == expected.stop, "reference", sourceLocation: sourceLocation)
    #expect(
        reference.values.map(\.0) == expected.values.map { ReferenceValue($0) }, "reference",
        sourceLocation: sourceLocation)
}

/// Expects exactly one value in `wire`.
func expectValue(
    _ wire: String, _ value: RESPValue, limits: RESPLimits = RESPLimits(),
    sourceLocation: SourceLocation = #_sourceLocation
) {
    let bytes = Array(wire.utf8)
    let expected = StreamOutcome(
        items: [StreamOutcome.Item(value, end: UInt64(bytes.count))], stop: .betweenValues)
    expectOutcome(bytes, expected, limits: limits, sourceLocation: sourceLocation)
}

/// Expects no value in `wire` but an error.
func expectError(
    _ wire: String, _ reason: RESPError.Reason, at offset: UInt64,
    limits: RESPLimits = RESPLimits(), sourceLocation: SourceLocation = #_sourceLocation
) {
    let expected = StreamOutcome(items: [], stop: .error(RESPError(reason, at: offset)))
    expectOutcome(Array(wire.utf8), expected, limits: limits, sourceLocation: sourceLocation)
}
