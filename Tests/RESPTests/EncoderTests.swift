import RESP
import Testing

@Suite("Encoder")
struct EncoderTests {
    /// What `write` writes in RESP3 and in RESP2.
    static func wire(_ write: (inout RESPEncoder) -> Void) -> [String] {
        [RESPVersion.resp3, .resp2].map { version in
            var encoder = RESPEncoder(version: version)
            write(&encoder)
            return String(decoding: encoder.bytes, as: UTF8.self)
        }
    }

    @Test func commands() {
        #expect(
            Self.wire { $0.command("SUBSCRIBE", "é") }
                == Array(repeating: "*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\né\r\n", count: 2))
        #expect(Self.wire { $0.command(["PING"]) }[0] == "*1\r\n$4\r\nPING\r\n")
        #expect(
            Self.wire { $0.command(bytes: [[13, 10], []]) }[0] == "*2\r\n$2\r\n\r\n\r\n$0\r\n\r\n")
    }

    @Test func lines() {
        #expect(Self.wire { $0.simpleString("OK") } == ["+OK\r\n", "+OK\r\n"])
        #expect(Self.wire { $0.simpleError("ERR no") } == ["-ERR no\r\n", "-ERR no\r\n"])
        #expect(Self.wire { $0.integer(.min) }[0] == ":-9223372036854775808\r\n")
        #expect(Self.wire { $0.integer(.max) }[0] == ":9223372036854775807\r\n")
        #expect(Self.wire { $0.integer(0) }[0] == ":0\r\n")
        #expect(Self.wire { $0.null() } == ["_\r\n", "$-1\r\n"])
        #expect(Self.wire { $0.nullArray() } == ["_\r\n", "*-1\r\n"])
        #expect(Self.wire { $0.boolean(true) } == ["#t\r\n", ":1\r\n"])
        #expect(Self.wire { $0.boolean(false) } == ["#f\r\n", ":0\r\n"])
        #expect(Self.wire { $0.bigNumber("-123") } == ["(-123\r\n", "$4\r\n-123\r\n"])
    }

    @Test("a line never breaks")
    func lineBreaks() {
        #expect(Self.wire { $0.simpleString("a\r\nb") }[0] == "+a  b\r\n")
        #expect(Self.wire { $0.simpleError("a\nb\r") }[0] == "-a b \r\n")
        #expect(Self.wire { $0.bulkError("a\r\nb") } == ["!4\r\na\r\nb\r\n", "-a  b\r\n"])
    }

    @Test(
        "doubles in the fewest digits",
        arguments: [
            (10, "10"), (-0.0, "-0"), (1.5, "1.5"), (0.1, "0.1"), (1e20, "1e+20"),
            (.leastNonzeroMagnitude, "5e-324"), (.infinity, "inf"), (-.infinity, "-inf"),
            (.nan, "nan"),
            (-.nan, "nan"), (1 / 3, "0.3333333333333333"),
        ] as [(Double, String)])
    func doubles(_ number: Double, _ text: String) {
        #expect(
            Self.wire { $0.double(number) } == [
                ",\(text)\r\n", "$\(text.utf8.count)\r\n\(text)\r\n",
            ])
        expectValue(",\(text)\r\n", .double(number))
    }

    @Test func strings() {
        #expect(Self.wire { $0.bulkString("") } == ["$0\r\n\r\n", "$0\r\n\r\n"])
        #expect(Self.wire { $0.bulkString([0x61, 0x0D]) }[0] == "$2\r\na\r\r\n")
        #expect(Self.wire { $0.bulkError("ERR x") } == ["!5\r\nERR x\r\n", "-ERR x\r\n"])
        #expect(Self.wire { $0.verbatimString("hi") } == ["=6\r\ntxt:hi\r\n", "$2\r\nhi\r\n"])
        #expect(Self.wire { $0.verbatimString("hi", format: "m") }[0] == "=6\r\nm  :hi\r\n")
        #expect(Self.wire { $0.verbatimString("hi", format: "mkdown") }[0] == "=6\r\nmkd:hi\r\n")
    }

    @Test func aggregates() {
        #expect(Self.wire { $0.arrayHeader(2) } == ["*2\r\n", "*2\r\n"])
        #expect(Self.wire { $0.pushHeader(3) } == [">3\r\n", "*3\r\n"])
        #expect(Self.wire { $0.setHeader(4) } == ["~4\r\n", "*4\r\n"])
        #expect(Self.wire { $0.mapHeader(5) } == ["%5\r\n", "*10\r\n"])
        #expect(Self.wire { _ = $0.attributeHeader(1) } == ["|1\r\n", ""])
    }

    @Test("a value with everything in it")
    func values() {
        let value = RESPValue.array([
            .map([(.simpleString("k"), .double(1))]), .set([.boolean(true)]), .bulkError("E"),
            .verbatimString("v").attributed([(.integer(1), .array([.integer(2)]))]), .null,
        ])
        #expect(
            Self.wire { $0.append(value) } == [
                "*5\r\n%1\r\n+k\r\n,1\r\n~1\r\n#t\r\n!1\r\nE\r\n"
                    + "|1\r\n:1\r\n*1\r\n:2\r\n=5\r\ntxt:v\r\n_\r\n",
                "*5\r\n*2\r\n+k\r\n$1\r\n1\r\n*1\r\n:1\r\n-E\r\n$1\r\nv\r\n$-1\r\n",
            ])
    }

    @Test("the buffer is used again")
    func reuse() {
        var encoder = RESPEncoder()
        encoder.bulkString(Array(repeating: 0x61, count: 1000))
        let capacity = encoder.bytes.capacity
        encoder.removeAll()
        #expect(encoder.bytes.isEmpty && encoder.bytes.capacity == capacity)
        encoder.removeAll(keepingCapacity: false)
        #expect(encoder.bytes.capacity == 0)
    }
}
