import RESP
import RESPProperties
import Testing

/// What is not RESP is refused, with the reason and the place.
@Suite("Malformed input")
struct MalformedInputTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let wire: String
        let reason: RESPError.Reason
        let offset: UInt64
        var testDescription: String { wire.debugDescription }

        init(_ wire: String, _ reason: RESPError.Reason, _ offset: UInt64) {
            self.wire = wire
            self.reason = reason
            self.offset = offset
        }
    }

    static func check(_ vector: Vector) {
        expectError(vector.wire, vector.reason, at: vector.offset)
    }

    @Test(
        "lengths have digits only, no leading zero, and fit",
        arguments: ["$", "!", "=", "*", "%", "~", ">", "|"],
        [
            "", "+5", "-5", "-2", "-0", "05", "00", "5 ", " 5", "0x5", "5.0", "5e0", "-", "\u{0}",
            "9223372036854775808", "18446744073709551616", "99999999999999999999",
            "-9223372036854775808",
        ])
    func lengths(_ type: String, _ length: String) {
        expectError(type + length + "\r\n", .malformedLength, at: 1)
    }

    @Test("only arrays and bulk strings may be null", arguments: ["!", "=", "%", "~", ">", "|"])
    func nullLengths(_ type: String) {
        expectError(type + "-1\r\n", .malformedLength, at: 1)
    }

    @Test(
        "only strings, arrays, maps and sets are streamed", arguments: ["!", "=", ">", "|"])
    func streamedLengths(_ type: String) {
        expectError(type + "?\r\n", .malformedLength, at: 1)
    }

    @Test(
        "lengths near the greatest integer are over a limit, and nothing is kept ready for them",
        arguments: ["$", "!", "=", "*", "%", "~", ">", "|"],
        ["9223372036854775807", "9223372036854775806", "4611686018427387904", "1000000000000"])
    func hugeLengths(_ type: String, _ length: String) {
        let isString = "$!=".contains(type)
        let reason: RESPError.Reason = isString ? .bulkTooLarge : .aggregateTooLarge
        expectError(type + length + "\r\n", reason, at: 1)
    }

    @Test("no length traps when there are no limits", arguments: ["$", "!", "=", "*", "%", "|"])
    func hugeLengthsWithoutLimits(_ type: String) {
        let limits = RESPLimits(
            bulkSize: .max, aggregateElements: .max, depth: .max, lineLength: .max,
            valueSize: .max, channelSize: .max, payloadSize: .max)
        for length in ["9223372036854775807", "9223372036854775000", "4611686018427387904"] {
            let wire = Array("\(type)\(length)\r\n:1\r\n".utf8)
            for cuts in everyCut(of: wire.count) {
                let outcome = StreamOutcome(parsing: wire, cuts: cuts, limits: limits)
                #expect(outcome.items.isEmpty)
                #expect(outcome.stop != .betweenValues)
            }
        }
    }

    @Test(
        "lines end with CRLF and nothing else",
        arguments: [
            Vector("+OK\n", .malformedLineEnd, 3), Vector("+O\nK\r\n", .malformedLineEnd, 2),
            Vector("+OK\rX", .malformedLineEnd, 4), Vector("+OK\r\r\n", .malformedLineEnd, 4),
            Vector("_\n", .malformedLineEnd, 1), Vector(":1\r:2\r\n", .malformedLineEnd, 3),
            Vector("$3\nabc\r\n", .malformedLineEnd, 2), Vector("*1\n:1\r\n", .malformedLineEnd, 2),
        ])
    func lineEnds(_ vector: Vector) { Self.check(vector) }

    @Test(
        "strings end with CRLF where their length says",
        arguments: [
            Vector("$3\r\nabcd\r\n", .malformedLineEnd, 7),
            Vector("$3\r\nabc\n\n", .malformedLineEnd, 7),
            Vector("$3\r\nabc\r\r", .malformedLineEnd, 8),
            Vector("$3\r\nab\r\n\r", .malformedLineEnd, 7),
            Vector("$0\r\n+OK\r\n", .malformedLineEnd, 4),
            Vector("!3\r\nabcX\n", .malformedLineEnd, 7),
            Vector("=5\r\ntxt:ab\r\n", .malformedLineEnd, 9),
            Vector("*1\r\n$1\r\naXX", .malformedLineEnd, 9),
        ])
    func stringEnds(_ vector: Vector) { Self.check(vector) }

    @Test(
        "numbers",
        arguments: [
            Vector(":\r\n", .malformedInteger, 1), Vector(":-\r\n", .malformedInteger, 1),
            Vector(":--1\r\n", .malformedInteger, 1), Vector(": 1\r\n", .malformedInteger, 1),
            Vector(":1 \r\n", .malformedInteger, 1), Vector(":1.0\r\n", .malformedInteger, 1),
            Vector(":0x1\r\n", .malformedInteger, 1), Vector(":1e3\r\n", .malformedInteger, 1),
            Vector(":9223372036854775808\r\n", .malformedInteger, 1),
            Vector(":-9223372036854775809\r\n", .malformedInteger, 1),
            Vector(":99999999999999999999999\r\n", .malformedInteger, 1),
            Vector(",1e999\r\n", .malformedDouble, 1), Vector(",-1e309\r\n", .malformedDouble, 1),
            Vector(",\r\n", .malformedDouble, 1), Vector(",.5\r\n", .malformedDouble, 1),
            Vector(",5.\r\n", .malformedDouble, 1), Vector(",1e\r\n", .malformedDouble, 1),
            Vector(",1e+\r\n", .malformedDouble, 1), Vector(",e5\r\n", .malformedDouble, 1),
            Vector(",0x1p3\r\n", .malformedDouble, 1), Vector(",INF\r\n", .malformedDouble, 1),
            Vector(",+inf\r\n", .malformedDouble, 1), Vector(",infinity\r\n", .malformedDouble, 1),
            Vector(",NaN\r\n", .malformedDouble, 1), Vector(",nan(1)\r\n", .malformedDouble, 1),
            Vector(",1,5\r\n", .malformedDouble, 1), Vector(", 1\r\n", .malformedDouble, 1),
            Vector(",1.2.3\r\n", .malformedDouble, 1), Vector(",--1\r\n", .malformedDouble, 1),
            Vector("(\r\n", .malformedBigNumber, 1), Vector("(-\r\n", .malformedBigNumber, 1),
            Vector("(1.5\r\n", .malformedBigNumber, 1), Vector("(1e9\r\n", .malformedBigNumber, 1),
            Vector("(+-1\r\n", .malformedBigNumber, 1), Vector("(٣\r\n", .malformedBigNumber, 1),
            Vector("#\r\n", .malformedBoolean, 1), Vector("#true\r\n", .malformedBoolean, 1),
            Vector("#T\r\n", .malformedBoolean, 1), Vector("#d\r\n", .malformedBoolean, 1),
            Vector("#1\r\n", .malformedBoolean, 1), Vector("_x\r\n", .malformedNull, 1),
            Vector("_ \r\n", .malformedNull, 1),
        ])
    func numbers(_ vector: Vector) { Self.check(vector) }

    @Test(
        "verbatim strings have a format",
        arguments: [
            Vector("=0\r\n\r\n", .malformedVerbatimString, 1),
            Vector("=3\r\ntxt\r\n", .malformedVerbatimString, 1),
            Vector("=4\r\ntext\r\n", .malformedVerbatimString, 7),
            Vector("=9\r\ntx:some s\r\n", .malformedVerbatimString, 7),
        ])
    func verbatimStrings(_ vector: Vector) { Self.check(vector) }

    @Test(
        "streamed forms",
        arguments: [
            Vector(".\r\n", .unexpectedEnd, 0), Vector("*1\r\n.\r\n", .unexpectedEnd, 4),
            Vector("%?\r\n+a\r\n.\r\n", .unexpectedEnd, 8),
            Vector("*?\r\n*1\r\n.\r\n", .unexpectedEnd, 8),
            Vector("*?\r\n.x\r\n", .malformedLineEnd, 5),
            Vector("*?\r\n|0\r\n.\r\n", .danglingAttribute, 8),
            Vector("|1\r\n+a\r\n.\r\n", .unexpectedEnd, 8),
            Vector("|0\r\n.\r\n", .unexpectedEnd, 4),
            Vector(";4\r\nHell\r\n", .unknownType, 0),
            Vector("$?\r\n+OK\r\n", .malformedChunk, 4),
            Vector("$?\r\n$1\r\na\r\n", .malformedChunk, 4),
            Vector("$?\r\n;-1\r\n", .malformedLength, 5),
            Vector("$?\r\n;?\r\n", .malformedLength, 5),
            Vector("$?\r\n;01\r\na\r\n", .malformedLength, 5),
            Vector("$?\r\n;1\r\nab\r\n", .malformedLineEnd, 9),
            Vector("$??\r\n", .malformedLength, 1), Vector("*??\r\n", .malformedLength, 1),
        ])
    func streamed(_ vector: Vector) { Self.check(vector) }

    @Test(
        "types and places",
        arguments: [
            Vector("\r\n", .unknownType, 0), Vector("hello\r\n", .unknownType, 0),
            Vector("\u{0}", .unknownType, 0), Vector("*1\r\n\r\n", .unknownType, 4),
            Vector("*2\r\n:1\r\nx", .unknownType, 8),
            Vector("*1\r\n>1\r\n+x\r\n", .nestedPush, 4),
            Vector("|1\r\n>0\r\n:1\r\n:1\r\n", .nestedPush, 4),
        ])
    func places(_ vector: Vector) { Self.check(vector) }

    @Test("a parser that has failed fails again in the same way")
    func errorsStay() {
        var parser = RESPParser()
        let error = RESPError(.unknownType, at: 5)
        let wire = Array("+OK\r\nx".utf8)
        #expect(throws: Never.self) { try parser.next(wire.span, from: 0) }
        #expect(throws: error) { try parser.next(wire.span, from: 5) }
        #expect(throws: error) { try parser.next(wire.span, from: 0) }
    }
}
