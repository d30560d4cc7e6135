import RESP
import Testing

@Suite("Decode session")
struct DecodeSessionTests {
    /// The lines and the outcome, however the capture is cut.
    static func decode(_ wire: String) -> (lines: String, outcome: RESPDecodeSession.Outcome) {
        var results: [(String, RESPDecodeSession.Outcome)] = []
        let bytes = Array(wire.utf8)
        for size in [max(1, bytes.count), 1, 3] {
            var session = RESPDecodeSession()
            var lines: [UInt8] = []
            var start = 0
            while start < bytes.count {
                let end = min(start + size, bytes.count)
                session.feed(Array(bytes[start..<end]), lines: &lines)
                start = end
            }
            results.append((String(decoding: lines, as: UTF8.self), session.outcome))
        }
        #expect(results.allSatisfy { $0 == results[0] })
        return results[0]
    }

    @Test func whole() {
        let result = Self.decode("+OK\r\n|1\r\n:1\r\n:2\r\n:3\r\n")
        #expect(
            result.lines == """
                {"type":"simple_string","value":"OK"}
                {"type":"attribute","value":[[{"type":"number","value":1},{"type":"number","value":2}]]}
                {"type":"number","value":3}

                """)
        #expect(result.outcome == .complete)
    }

    @Test func nothing() {
        #expect(Self.decode("") == ("", .complete))
    }

    @Test("a value is due behind an attribute")
    func attributeAtTheEnd() {
        #expect(Self.decode("|0\r\n").outcome == .incomplete(at: 4))
    }

    @Test("values before the fault are written", arguments: ["x", "$-2\r\n"])
    func malformed(_ fault: String) {
        let result = Self.decode("_\r\n:1\r\n" + fault)
        #expect(
            result.lines
                == "{\"type\":\"null\",\"value\":null}\n{\"type\":\"number\",\"value\":1}\n")
        let reason: RESPError.Reason = fault == "x" ? .unknownType : .malformedLength
        let offset: UInt64 = fault == "x" ? 7 : 8
        #expect(result.outcome == .malformed(RESPError(reason, at: offset)))
        #expect("\(RESPError(.unknownType, at: 7))" == "error at byte 7: unknown type")
    }

    @Test(
        "a capture may end anywhere", arguments: ["*2\r\n:1\r\n", "$3\r\nab", "+O", "+OK\r", "*"])
    func incomplete(_ wire: String) {
        let result = Self.decode(":1\r\n" + wire)
        #expect(result.lines == "{\"type\":\"number\",\"value\":1}\n")
        #expect(result.outcome == .incomplete(at: UInt64(4 + wire.utf8.count)))
    }
}
