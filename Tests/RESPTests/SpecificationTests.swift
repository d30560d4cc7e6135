import RESP
import RESPProperties
import Testing

/// The types of the RESP3 specification, one after another.
@Suite("Specification")
struct SpecificationTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let wire: String
        let value: RESPValue
        var testDescription: String { wire.debugDescription }

        init(_ wire: String, _ value: RESPValue) {
            self.wire = wire
            self.value = value
        }
    }

    @Test(
        "simple strings and errors",
        arguments: [
            Vector("+OK\r\n", .simpleString("OK")),
            Vector("+\r\n", .simpleString("")),
            Vector("+hello world\t\u{0}é\r\n", .simpleString("hello world\t\u{0}é")),
            Vector("+$5\r\n", .simpleString("$5")),
            Vector(
                "-ERR this is the error description\r\n",
                .simpleError("ERR this is the error description")),
            Vector("-\r\n", .simpleError("")),
        ])
    func simple(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "integers of 64 bits, with an optional sign",
        arguments: [
            Vector(":1234\r\n", .integer(1234)),
            Vector(":0\r\n", .integer(0)),
            Vector(":-0\r\n", .integer(0)),
            Vector(":+5\r\n", .integer(5)),
            Vector(":007\r\n", .integer(7)),
            Vector(":9223372036854775807\r\n", .integer(.max)),
            Vector(":-9223372036854775808\r\n", .integer(.min)),
        ])
    func integers(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "bulk strings, bulk errors and verbatim strings",
        arguments: [
            Vector("$11\r\nhello world\r\n", .bulkString("hello world")),
            Vector("$0\r\n\r\n", .bulkString("")),
            Vector("$4\r\n\r\n\r\n\r\n", .bulkString("\r\n\r\n")),
            Vector("$3\r\n$1\r\r\n", .bulkString("$1\r")),
            Vector("!21\r\nSYNTAX invalid syntax\r\n", .bulkError("SYNTAX invalid syntax")),
            Vector("!0\r\n\r\n", .bulkError("")),
            Vector("=15\r\ntxt:Some string\r\n", .verbatimString("Some string")),
            Vector("=4\r\nmkd:\r\n", .verbatimString("", format: "mkd")),
        ])
    func strings(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "nulls in all three forms",
        arguments: [
            Vector("_\r\n", .null), Vector("$-1\r\n", .null), Vector("*-1\r\n", .null),
            Vector("*3\r\n$-1\r\n*-1\r\n_\r\n", .array([.null, .null, .null])),
        ])
    func nulls(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "booleans, doubles and big numbers",
        arguments: [
            Vector("#t\r\n", .boolean(true)),
            Vector("#f\r\n", .boolean(false)),
            Vector(",1.23\r\n", .double(1.23)),
            Vector(",10\r\n", .double(10)),
            Vector(",-0\r\n", .double(-0.0)),
            Vector(",+0.5\r\n", .double(0.5)),
            Vector(",1e3\r\n", .double(1000)),
            Vector(",-1.5E-3\r\n", .double(-0.0015)),
            Vector(",6e+07\r\n", .double(6e7)),
            Vector(",5e-324\r\n", .double(.leastNonzeroMagnitude)),
            Vector(",1.7976931348623157e308\r\n", .double(.greatestFiniteMagnitude)),
            Vector(",0.1000000000000000055511151231257827021181583404541015625\r\n", .double(0.1)),
            Vector(",1e-999\r\n", .double(0)),
            Vector(",inf\r\n", .double(.infinity)),
            Vector(",-inf\r\n", .double(-.infinity)),
            Vector(",nan\r\n", .double(.nan)),
            Vector(",-nan\r\n", .double(.nan)),
            Vector(
                "(3492890328409238509324850943850943825024385\r\n",
                .bigNumber("3492890328409238509324850943850943825024385")),
            Vector("(-0\r\n", .bigNumber("-0")),
            Vector("(+12\r\n", .bigNumber("+12")),
        ])
    func numbers(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "arrays, maps, sets and pushes",
        arguments: [
            Vector("*3\r\n:1\r\n:2\r\n:3\r\n", .array([.integer(1), .integer(2), .integer(3)])),
            Vector("*0\r\n", .array([])),
            Vector("*2\r\n*0\r\n*1\r\n*0\r\n", .array([.array([]), .array([.array([])])])),
            Vector(
                "*2\r\n*3\r\n:1\r\n$5\r\nhello\r\n:2\r\n#f\r\n",
                .array([
                    .array([.integer(1), .bulkString("hello"), .integer(2)]), .boolean(false),
                ])),
            Vector(
                "%2\r\n+first\r\n:1\r\n+second\r\n:2\r\n",
                .map([
                    (.simpleString("first"), .integer(1)), (.simpleString("second"), .integer(2)),
                ])),
            Vector("%0\r\n", .map([])),
            Vector(
                "%1\r\n*1\r\n:1\r\n%1\r\n_\r\n~0\r\n",
                .map([(.array([.integer(1)]), .map([(.null, .set([]))]))])),
            Vector(
                "~3\r\n+orange\r\n+apple\r\n#t\r\n",
                .set([.simpleString("orange"), .simpleString("apple"), .boolean(true)])),
            Vector(
                ">3\r\n+message\r\n+somechannel\r\n+this is the message\r\n",
                .push([
                    .simpleString("message"), .simpleString("somechannel"),
                    .simpleString("this is the message"),
                ])),
        ])
    func aggregates(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "an attribute belongs to the value behind it and is no element",
        arguments: [
            Vector(
                "|1\r\n+key\r\n:1\r\n+value\r\n",
                .simpleString("value").attributed([(.simpleString("key"), .integer(1))])),
            Vector(
                "*3\r\n:1\r\n:2\r\n|1\r\n+ttl\r\n:3600\r\n:3\r\n",
                .array([
                    .integer(1), .integer(2),
                    .integer(3).attributed([(.simpleString("ttl"), .integer(3600))]),
                ])),
            Vector(
                "|0\r\n|1\r\n:1\r\n:2\r\n*1\r\n|0\r\n_\r\n",
                .array([.null.attributed([])]).attributed([(.integer(1), .integer(2))])
                    .attributed([])),
            Vector(
                "%1\r\n|0\r\n+k\r\n|0\r\n+v\r\n",
                .map([(.simpleString("k").attributed([]), .simpleString("v").attributed([]))])),
            Vector(
                "|1\r\n|0\r\n:1\r\n:2\r\n:3\r\n",
                .integer(3).attributed([(.integer(1).attributed([]), .integer(2))])),
            Vector("*?\r\n|0\r\n:1\r\n.\r\n", .array([.integer(1).attributed([])])),
        ])
    func attributes(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test(
        "streamed strings and aggregates are equal to those of a known length",
        arguments: [
            Vector(
                "$?\r\n;4\r\nHell\r\n;5\r\no wor\r\n;1\r\nd\r\n;0\r\n", .bulkString("Hello word")),
            Vector("$?\r\n;0\r\n", .bulkString("")),
            Vector(
                "*2\r\n$?\r\n;2\r\n\r\n\r\n;0\r\n:1\r\n",
                .array([.bulkString("\r\n"), .integer(1)])),
            Vector(
                "*?\r\n:1\r\n:2\r\n:3\r\n.\r\n",
                .array([.integer(1), .integer(2), .integer(3)])),
            Vector(
                "%?\r\n+a\r\n:1\r\n+b\r\n:2\r\n.\r\n",
                .map([(.simpleString("a"), .integer(1)), (.simpleString("b"), .integer(2))])),
            Vector("~?\r\n.\r\n", .set([])),
            Vector(
                "*?\r\n*?\r\n.\r\n*1\r\n*?\r\n.\r\n.\r\n",
                .array([.array([]), .array([.array([])])])),
        ])
    func streamed(_ vector: Vector) { expectValue(vector.wire, vector.value) }

    @Test("several values, the last one unfinished")
    func streamOfValues() {
        let wire = Array("+OK\r\n:1\r\n>1\r\n+x\r\n$3\r\nab".utf8)
        let expected = [
            (RESPValue.simpleString("OK"), 5), (.integer(1), 9), (.push([.simpleString("x")]), 17),
        ]
        expectOutcome(
            wire,
            .init(
                items: expected.map { .init($0.0, end: UInt64($0.1)) }, stop: .insideValue))
    }

    @Test("bytes that are no text stay as they are")
    func anyBytes() {
        let content = Array(UInt8.min...UInt8.max)
        let wire = Array("$256\r\n".utf8) + content + [13, 10]
        expectOutcome(
            wire,
            .init(
                items: [.init(.bulkString(content), end: UInt64(wire.count))],
                stop: .betweenValues))
    }

    @Test("top-level attributes are values of their own when asked for")
    func separateAttributes() {
        let wire = Array("|1\r\n+k\r\n:1\r\n*1\r\n|0\r\n:2\r\n".utf8)
        let expected: [RESPValue] = [
            .array([.integer(2).attributed([])])
        ]
        for cuts in everyCut(of: wire.count) {
            let outcome = StreamOutcome(parsing: wire, cuts: cuts, separatesAttributes: true)
            #expect(outcome.stop == .betweenValues)
            #expect(outcome.values.dropFirst() == expected[...])
            #expect(outcome.values.first?.kind == .attribute)
            #expect(outcome.values.first?.count == 1)
            #expect(outcome.values.first?.children.map(\.kind) == [.simpleString, .integer])
        }
    }
}
