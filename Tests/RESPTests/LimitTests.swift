import RESP
import RESPProperties
import Testing

/// A value at a limit is read, and the next larger one is refused.
@Suite("Limits")
struct LimitTests {
    @Test("strings", arguments: ["$", "!"])
    func bulkSize(_ type: String) {
        let limits = RESPLimits(bulkSize: 5)
        let value: RESPValue = type == "$" ? .bulkString("12345") : .bulkError("12345")
        expectValue("\(type)5\r\n12345\r\n", value, limits: limits)
        expectError("\(type)6\r\n", .bulkTooLarge, at: 1, limits: limits)
    }

    @Test func verbatimStrings() {
        let limits = RESPLimits(bulkSize: 5)
        expectValue("=5\r\ntxt:5\r\n", .verbatimString("5"), limits: limits)
        expectError("=6\r\ntxt:56\r\n", .bulkTooLarge, at: 1, limits: limits)
    }

    @Test func streamedStrings() {
        let limits = RESPLimits(bulkSize: 5)
        expectValue(
            "$?\r\n;3\r\nabc\r\n;2\r\nde\r\n;0\r\n", .bulkString("abcde"), limits: limits)
        expectError("$?\r\n;3\r\nabc\r\n;3\r\n", .bulkTooLarge, at: 14, limits: limits)
    }

    @Test("aggregates", arguments: ["*", "~", ">"])
    func aggregateElements(_ type: String) {
        let limits = RESPLimits(aggregateElements: 2)
        let elements: [RESPValue] = [.null, .null]
        let value: RESPValue =
            switch type {
            case "*": .array(elements)
            case "~": .set(elements)
            default: .push(elements)
            }
        expectValue("\(type)2\r\n_\r\n_\r\n", value, limits: limits)
        expectError("\(type)3\r\n", .aggregateTooLarge, at: 1, limits: limits)
    }

    @Test("a map and an attribute count pairs")
    func pairs() {
        let limits = RESPLimits(aggregateElements: 1)
        expectValue("%1\r\n:1\r\n:2\r\n", .map([(.integer(1), .integer(2))]), limits: limits)
        expectError("%2\r\n", .aggregateTooLarge, at: 1, limits: limits)
        expectError("|2\r\n", .aggregateTooLarge, at: 1, limits: limits)
    }

    @Test("streamed aggregates are counted as they come, attributes are not")
    func streamedAggregates() {
        let limits = RESPLimits(aggregateElements: 2)
        expectValue(
            "*?\r\n_\r\n|0\r\n_\r\n.\r\n", .array([.null, .null.attributed([])]), limits: limits)
        expectError("*?\r\n_\r\n_\r\n_", .aggregateTooLarge, at: 10, limits: limits)
        expectError(
            "%?\r\n_\r\n_\r\n_\r\n_\r\n_", .aggregateTooLarge, at: 16, limits: limits)
    }

    @Test(
        "every kind of element counts",
        arguments: ["$1\r\na\r\n", ":1\r\n", "*0\r\n", "*?\r\n.\r\n", "+\r\n"])
    func streamedElements(_ element: String) {
        let limits = RESPLimits(aggregateElements: 2)
        let wire = "*?\r\n" + element + element + element
        let offset = UInt64(4 + 2 * element.utf8.count)
        expectError(wire, .aggregateTooLarge, at: offset, limits: limits)
    }

    @Test("lines", arguments: ["+", "-", "(", ":"])
    func lineLength(_ type: String) {
        let limits = RESPLimits(lineLength: 6)
        let value: RESPValue =
            switch type {
            case "+": .simpleString("12345")
            case "-": .simpleError("12345")
            case ":": .integer(12345)
            default: .bigNumber("12345")
            }
        expectValue("\(type)12345\r\n", value, limits: limits)
        expectError("\(type)123456\r\n", .lineTooLong, at: 6, limits: limits)
        expectError("\(type)123456789", .lineTooLong, at: 6, limits: limits)
    }

    @Test("headers have a limit of their own", arguments: ["$", "*", "%", "=", "|"])
    func headerLength(_ type: String) {
        expectError(type + String(repeating: "0", count: 40), .lineTooLong, at: 32)
    }

    @Test("depth", arguments: ["*1\r\n", "~1\r\n", "*?\r\n", "%1\r\n", "|1\r\n"])
    func depth(_ opening: String) {
        let limits = RESPLimits(depth: 3)
        let nested = String(repeating: opening, count: 3)
        let outcome = StreamOutcome(parsing: Array(nested.utf8), limits: limits)
        #expect(outcome.stop == .insideValue)
        expectError(nested + opening, .tooDeep, at: 12, limits: limits)
    }

    @Test("the bytes of a value, with its attributes")
    func valueSize() {
        let limits = RESPLimits(valueSize: 16)
        let value = RESPValue.bulkString("123456").attributed([])
        expectValue("|0\r\n$6\r\n123456\r\n", value, limits: limits)
        expectError("|0\r\n$7\r\n1234567\r\n", .valueTooLarge, at: 8, limits: limits)
        expectError("*9\r\n_\r\n_\r\n_\r\n_\r\n_\r\n", .valueTooLarge, at: 16, limits: limits)
        expectValue("*1\r\n:123456789\r\n", .array([.integer(123_456_789)]), limits: limits)
        expectError("*9\r\n:1\r\n:1\r\n:12\r\n", .valueTooLarge, at: 12, limits: limits)
    }

    @Test("the limit of one value says nothing of the next")
    func valueSizeStartsAnew() {
        let limits = RESPLimits(valueSize: 5)
        let wire = Array("+OK\r\n+OK\r\n+OK\r\n".utf8)
        let outcome = StreamOutcome(parsing: wire, cuts: [5, 7], limits: limits)
        #expect(outcome.values == Array(repeating: .simpleString("OK"), count: 3))
    }

    @Test("a million open arrays are refused at the limit and cost no stack")
    func depthBomb() {
        let wire = Array(String(repeating: "*1\r\n", count: 1_000_000).utf8)
        let outcome = StreamOutcome(parsing: wire)
        #expect(outcome.stop == .error(RESPError(.tooDeep, at: 128 * 4)))
    }

    @Test("a value of great depth is read, compared, copied, written and released in loops")
    func deepValue() throws {
        let depth = 200_000
        let limits = RESPLimits(depth: .max)
        let wire = Array((String(repeating: "*1\r\n", count: depth) + ":7\r\n").utf8)
        let outcome = StreamOutcome(parsing: wire, limits: limits)
        let again = StreamOutcome(parsing: wire, cuts: [wire.count / 2], limits: limits)
        #expect(outcome.stop == .betweenValues)
        #expect(outcome.values == again.values)
        let value = try #require(outcome.values.first)
        var encoder = RESPEncoder()
        encoder.append(value)
        #expect(encoder.bytes == wire)
        #expect("\(value)".count > depth)
    }

    @Test("announced elements that never come take no memory")
    func announcedElements() {
        // A parser that kept room for what is announced would want some hundred gigabytes here.
        let limits = RESPLimits(aggregateElements: .max, depth: 1000)
        let wire = Array(String(repeating: "*1000000000\r\n", count: 999).utf8)
        let outcome = StreamOutcome(parsing: wire, limits: limits)
        #expect(outcome.stop == .insideValue)
    }
}
