import Testing
import WSFrame
import WSFrameProperties

@Suite("Captured frames as JSON")
struct FrameDumpTests {
    /// Dumps at once, byte by byte and at every two-way split, which all have to agree.
    static func dump(
        _ bytes: [UInt8], role: WebSocketRole = .client, limit: Int = 1 << 20
    ) -> (text: String, outcome: FrameDump.Outcome) {
        func feed(_ cuts: [Int]) -> (String, FrameDump.Outcome) {
            var dump = FrameDump(role: role, limits: .init(maxMessageSize: limit))
            var output: [UInt8] = []
            var start = 0
            for end in cuts + [bytes.count] {
                dump.feed(bytes.span.extracting(start..<end), to: &output)
                start = end
            }
            return (String(decoding: output, as: UTF8.self), dump.finish())
        }
        let whole = feed([])
        for cuts in [Array(bytes.indices)] + bytes.indices.map({ [$0] }) {
            let split = feed(cuts)
            #expect(split == whole, "cuts: \(cuts)")
        }
        return whole
    }

    @Test("a line a frame")
    func lines() {
        let (text, outcome) = Self.dump(
            hexadecimal("01 03 48 65 22 89 00 80 02 6c 6f 82 02 FF 00 88 05 03 E8 62 79 65"))
        #expect(
            text == #"""
                {"opcode":"text","fin":false,"masked":false,"length":3,"payload":"He\""}
                {"opcode":"ping","fin":true,"masked":false,"length":0,"payload":""}
                {"opcode":"continuation","fin":true,"masked":false,"length":2,"payload":"lo"}
                {"opcode":"binary","fin":true,"masked":false,"length":2,"payload":{"base64":"/wA="}}
                {"opcode":"close","fin":true,"masked":false,"length":5,"payload":{"base64":"A+hieWU="},"code":1000,"reason":"bye"}

                """#)
        #expect(outcome == .complete)
    }

    @Test("a client's frames are shown unmasked")
    func masked() {
        let (text, outcome) = Self.dump(
            hexadecimal("81 85 37 fa 21 3d 7f 9f 4d 51 58"), role: .server)
        #expect(
            text
                == #"{"opcode":"text","fin":true,"masked":true,"length":5,"payload":"Hello"}"#
                + "\n")
        #expect(outcome == .complete)
    }

    @Test(
        "what is wrong is said with the frame's offset",
        arguments: [
            ("", .complete), ("81", .incomplete(offset: 0)), ("81 01", .incomplete(offset: 0)),
            ("81 01 61 8A", .incomplete(offset: 3)), ("01 01 61", .incomplete(offset: 3)),
            ("81 01 61 F1", .malformed(offset: 3, reason: "reserved bits set")),
            ("81 01 FF", .malformed(offset: 0, reason: "text is not UTF-8")),
            ("01 01 C3 89 00 80 01 61", .malformed(offset: 5, reason: "text is not UTF-8")),
            ("81 00 81 04 FF", .malformed(offset: 2, reason: "text is not UTF-8")),
            ("81 00 80 00", .malformed(offset: 2, reason: "continuation without a message")),
            ("80 81", .malformed(offset: 0, reason: "continuation without a message")),
            ("81 0B", .malformed(offset: 0, reason: "frame too big")),
            ("88 00 81 00", .malformed(offset: 2, reason: "data after the close frame")),
            ("88 00", .complete),
        ] as [(String, FrameDump.Outcome)])
    func outcomes(_ bytes: String, _ expected: FrameDump.Outcome) {
        #expect(Self.dump(hexadecimal(bytes), limit: 10).outcome == expected)
    }
}
