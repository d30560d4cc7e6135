import RESP
import RESPProperties
import Testing

@Suite("Command parser")
struct CommandParserTests {
    static func expect(
        _ wire: String, _ commands: [[String]], error: RESPError? = nil,
        limits: RESPLimits = RESPLimits(), sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let bytes = Array(wire.utf8)
        for cuts in everyCut(of: bytes.count) {
            let outcome = CommandOutcome(parsing: bytes, cuts: cuts, limits: limits)
            let texts = outcome.commands.map { $0.map { String(decoding: $0, as: UTF8.self) } }
            #expect(texts == commands, "cut at \(cuts)", sourceLocation: sourceLocation)
            #expect(outcome.error == error, "cut at \(cuts)", sourceLocation: sourceLocation)
        }
    }

    @Test("arrays of bulk strings")
    func arrays() {
        Self.expect(
            "*2\r\n$4\r\nPING\r\n$0\r\n\r\n*1\r\n$4\r\nQUIT\r\n", [["PING", ""], ["QUIT"]])
        Self.expect("*1\r\n$4\r\n\r\n\r\n\r\n", [["\r\n\r\n"]])
    }

    @Test("inline commands")
    func inline() {
        Self.expect("PING\r\nset a  b\t c \n", [["PING"], ["set", "a", "b", "c"]])
        Self.expect("set \"a b\" 'c\"d' \"\"\r\n", [["set", "a b", "c\"d", ""]])
        Self.expect("GET / HTTP/1.1\r\n", [["GET", "/", "HTTP/1.1"]])
    }

    @Test("empty commands are skipped")
    func empty() {
        Self.expect("*0\r\n\r\n \n*1\r\n$4\r\nPING\r\n", [["PING"]])
        Self.expect("\r\n*0\r\n\r\n", [])
    }

    @Test("what is skipped is consumed, though no command follows")
    func skippedIsConsumed() throws {
        var parser = CommandParser()
        var arguments = [0..<1]
        let bytes = Array("*0\r\n\r\n*1".utf8)
        let step = try parser.next(bytes.span, from: 0, arguments: &arguments)
        #expect(step == CommandStep(end: 6, event: .incomplete))
        #expect(arguments.isEmpty && parser.streamOffset == 6)
    }

    @Test(
        "malformed commands",
        arguments: [
            ("*1\r\n:1\r\n", .malformedCommand, 4), ("*1\r\n*1\r\n", .malformedCommand, 4),
            ("*-1\r\n", .malformedLength, 1), ("*+1\r\n", .malformedLength, 1),
            ("*01\r\n", .malformedLength, 1), ("*\r\n", .malformedLength, 1),
            ("*?\r\n", .malformedLength, 1), ("*1\r\n$-1\r\n", .malformedLength, 5),
            ("*1\r\n$+1\r\n", .malformedLength, 5), ("*1\r\n$\r\n", .malformedLength, 5),
            ("*1\n$1\r\n", .malformedLength, 1), ("*1\rx", .malformedLineEnd, 3),
            ("*1\r\n$1\r\nab\r\n", .malformedLineEnd, 9),
            ("*1\r\n$1\r\na\rb", .malformedLineEnd, 10),
            ("*99999999999999999999\r\n", .malformedLength, 1),
            ("*9223372036854775807\r\n", .aggregateTooLarge, 1),
            ("*1\r\n$9223372036854775807\r\n", .bulkTooLarge, 5),
            ("set \"a\r\n", .malformedQuotation, 4), ("set 'a\r\n", .malformedQuotation, 4),
            ("set \"a\"b\r\n", .malformedQuotation, 4), ("set \"\\n\"\r\n", .malformedQuotation, 4),
        ] as [(String, RESPError.Reason, UInt64)])
    func malformed(_ wire: String, _ reason: RESPError.Reason, _ offset: UInt64) {
        Self.expect(wire, [], error: RESPError(reason, at: offset))
        let before = "*1\r\n$4\r\nPING\r\n"
        Self.expect(before + wire, [["PING"]], error: RESPError(reason, at: offset + 14))
    }

    @Test("limits")
    func limits() {
        let limits = RESPLimits(
            bulkSize: 5, aggregateElements: 2, lineLength: 8, valueSize: 26)
        Self.expect("*2\r\n$5\r\n12345\r\n$5\r\n12345\r\n", [["12345", "12345"]], limits: limits)
        Self.expect("*3\r\n", [], error: RESPError(.aggregateTooLarge, at: 1), limits: limits)
        Self.expect("*1\r\n$6\r\n", [], error: RESPError(.bulkTooLarge, at: 5), limits: limits)
        Self.expect("12345678\n", [["12345678"]], limits: limits)
        Self.expect("123456789", [], error: RESPError(.lineTooLong, at: 8), limits: limits)
        let narrow = RESPLimits(valueSize: 25)
        Self.expect(
            "*2\r\n$5\r\n12345\r\n$5\r\n12345\r\n", [], error: RESPError(.valueTooLarge, at: 16),
            limits: narrow)
    }

    @Test("no length traps when there are no limits", arguments: ["*", "*1\r\n$"])
    func hugeLengths(_ start: String) {
        let limits = RESPLimits(
            bulkSize: .max, aggregateElements: .max, depth: .max, lineLength: .max,
            valueSize: .max)
        for length in ["9223372036854775807", "9223372036854775000"] {
            let wire = Array("\(start)\(length)\r\n$1\r\na".utf8)
            for cuts in everyCut(of: wire.count) {
                let outcome = CommandOutcome(parsing: wire, cuts: cuts, limits: limits)
                #expect(outcome.commands.isEmpty)
            }
        }
    }

    @Test("a long argument that comes byte by byte takes linear time", .timeLimit(.minutes(1)))
    func linearTime() throws {
        let content = [UInt8](repeating: 0x61, count: 1 << 18)
        let wire = Array("*2\r\n$1\r\nx\r\n$\(content.count)\r\n".utf8) + content + [13, 10]
        var parser = CommandParser()
        var arguments: [Range<Int>] = []
        for count in 1..<wire.count {
            let step = try parser.next(
                wire.span.extracting(0..<count), from: 0, arguments: &arguments)
            try #require(step.event == .incomplete)
        }
        let step = try parser.next(wire.span, from: 0, arguments: &arguments)
        #expect(step == CommandStep(end: wire.count, event: .command))
        #expect(arguments.last?.count == content.count)
    }
}
