import RESP
import RESPProperties
import Testing

@Suite("Rendering")
struct RenderingTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let wire: String
        let text: String
        let json: String
        var testDescription: String { wire.debugDescription }

        init(_ wire: String, _ text: String, _ json: String) {
            self.wire = wire
            self.text = text
            self.json = json
        }
    }

    @Test(
        "every type as text and as JSON",
        arguments: [
            Vector("+OK\r\n", "OK", #"{"type":"simple_string","value":"OK"}"#),
            Vector("-ERR no\r\n", "(error) ERR no", #"{"type":"simple_error","value":"ERR no"}"#),
            Vector(":-7\r\n", "(integer) -7", #"{"type":"number","value":-7}"#),
            Vector("$3\r\na\"\n\r\n", #""a\"\n""#, #"{"type":"blob_string","value":"a\"\n"}"#),
            Vector("$2\r\né\r\n", #""\xc3\xa9""#, #"{"type":"blob_string","value":"é"}"#),
            Vector(
                "$4\r\n\u{1}\t\\/\r\n", #""\x01\t\\/""#,
                #"{"type":"blob_string","value":"\u0001\t\\/"}"#),
            Vector("_\r\n", "(nil)", #"{"type":"null","value":null}"#),
            Vector("$-1\r\n", "(nil)", #"{"type":"null","value":null}"#),
            Vector("#t\r\n", "(true)", #"{"type":"boolean","value":true}"#),
            Vector("#f\r\n", "(false)", #"{"type":"boolean","value":false}"#),
            Vector(",1.50\r\n", "(double) 1.5", #"{"type":"double","value":1.5}"#),
            Vector(",10\r\n", "(double) 10", #"{"type":"double","value":10}"#),
            Vector(",-inf\r\n", "(double) -inf", #"{"type":"double","value":"-inf"}"#),
            Vector(",nan\r\n", "(double) nan", #"{"type":"double","value":"nan"}"#),
            Vector("(-12\r\n", "(big number) -12", #"{"type":"big_number","value":"-12"}"#),
            Vector("!2\r\nE \r\n", "(error) E ", #"{"type":"blob_error","value":"E "}"#),
            Vector(
                "=6\r\ntxt:hi\r\n", #"(txt) "hi""#,
                #"{"type":"verbatim_string","value":{"format":"txt","text":"hi"}}"#),
            Vector("*0\r\n", "[]", #"{"type":"array","value":[]}"#),
            Vector(
                "~1\r\n:1\r\n", "~[(integer) 1]",
                #"{"type":"set","value":[{"type":"number","value":1}]}"#),
            Vector(
                ">2\r\n+a\r\n*1\r\n_\r\n", ">[a, [(nil)]]",
                #"{"type":"push","value":[{"type":"simple_string","value":"a"},"#
                    + #"{"type":"array","value":[{"type":"null","value":null}]}]}"#),
            Vector(
                "%2\r\n:1\r\n+a\r\n:2\r\n%0\r\n", "{(integer) 1 => a, (integer) 2 => {}}",
                #"{"type":"map","value":[[{"type":"number","value":1},"#
                    + #"{"type":"simple_string","value":"a"}],[{"type":"number","value":2},"#
                    + #"{"type":"map","value":[]}]]}"#),
            Vector(
                "%1\r\n%1\r\n+a\r\n+b\r\n*1\r\n+c\r\n", "{{a => b} => [c]}",
                #"{"type":"map","value":[[{"type":"map","value":[["#
                    + #"{"type":"simple_string","value":"a"},{"type":"simple_string","value":"b"}"#
                    + #"]]},{"type":"array","value":[{"type":"simple_string","value":"c"}]}]]}"#),
            Vector(
                "*2\r\n:1\r\n|1\r\n+k\r\n:2\r\n:3\r\n",
                "[(integer) 1, |{k => (integer) 2} (integer) 3]",
                #"{"type":"array","value":[{"type":"number","value":1},{"attributes":[["#
                    + #"{"type":"simple_string","value":"k"},{"type":"number","value":2}]],"#
                    + #""type":"number","value":3}]}"#),
            Vector(
                "|1\r\n:1\r\n:2\r\n|0\r\n|1\r\n:3\r\n:4\r\n_\r\n",
                "|{(integer) 1 => (integer) 2} |{} |{(integer) 3 => (integer) 4} (nil)",
                #"{"attributes":[[{"type":"number","value":1},{"type":"number","value":2}],"#
                    + #"[{"type":"number","value":3},{"type":"number","value":4}]],"#
                    + #""type":"null","value":null}"#),
            Vector(
                "%1\r\n|0\r\n+k\r\n|0\r\n+v\r\n", "{|{} k => |{} v}",
                #"{"type":"map","value":[[{"attributes":[],"type":"simple_string","value":"k"},"#
                    + #"{"attributes":[],"type":"simple_string","value":"v"}]]}"#),
        ])
    func types(_ vector: Vector) throws {
        let value = try ValueTests.parse(vector.wire)
        #expect(value.description == vector.text)
        var json: [UInt8] = []
        RESPJSON.append(value, to: &json)
        #expect(String(decoding: json, as: UTF8.self) == vector.json)
        #expect(JSONChecker.isWellFormed(json))
    }

    @Test(
        "bytes that are not UTF-8 are base64 in JSON",
        arguments: [
            ([0xFF], "/w=="), ([0xFF, 0xFE], "//4="), ([0xFF, 0xFE, 0xFD], "//79"),
            ([0x61, 0xC3], "YcM="), ([0xED, 0xA0, 0x80, 0x00], "7aCAAA=="),
        ] as [([UInt8], String)])
    func base64(_ bytes: [UInt8], _ text: String) {
        var json: [UInt8] = []
        RESPJSON.append(.bulkString(bytes), to: &json)
        #expect(
            String(decoding: json, as: UTF8.self)
                == #"{"type":"blob_string","value":{"base64":"\#(text)"}}"#)
    }

    @Test("long strings are cut in text")
    func cut() {
        var text: [UInt8] = []
        let value = RESPValue.array([.bulkString("abcdef"), .simpleString("abc")])
        RESPText.append(value, to: &text, maximumStringBytes: 3)
        #expect(String(decoding: text, as: UTF8.self) == #"["abc"...(+3 bytes), abc]"#)
    }

    @Test(
        "passwords are masked",
        arguments: [
            (["AUTH", "secret"], ["AUTH", "***"]),
            (["auth", "user", "secret"], ["auth", "user", "***"]),
            (["AUTH", "a", "b", "c"], ["AUTH", "***", "***", "***"]),
            (["HELLO", "3"], ["HELLO", "3"]),
            (
                ["HELLO", "3", "AUTH", "user", "secret", "SETNAME", "x"],
                ["HELLO", "3", "AUTH", "user", "***", "SETNAME", "x"]
            ),
            (
                ["hello", "3", "setname", "x", "auth", "user", "secret"],
                ["hello", "3", "setname", "x", "auth", "user", "***"]
            ),
            (["HELLO", "3", "AUTH", "secret"], ["HELLO", "3", "AUTH", "***"]),
            (["CONFIG", "SET", "requirepass", "secret"], ["CONFIG", "SET", "requirepass", "***"]),
            (["ACL", "SETUSER", "bob", "on", ">secret"], ["ACL", "SETUSER", "bob", "on", "***"]),
            (
                ["MIGRATE", "h", "1", "k", "0", "9", "AUTH2", "u", "secret"],
                ["MIGRATE", "h", "1", "k", "0", "9", "AUTH2", "***", "***"]
            ),
            (["SUBSCRIBE", "AUTH"], ["SUBSCRIBE", "AUTH"]), (["AUTH"], ["AUTH"]),
            (["GET", "secret"], ["GET", "secret"]),
        ])
    func masking(_ command: [String], _ masked: [String]) {
        let value = RESPValue.array(command.map { .bulkString($0) })
        #expect(value.maskingPasswords() == .array(masked.map { .bulkString($0) }))
    }

    @Test("what is no command is not masked")
    func notMasked() {
        #expect(RESPValue.null.maskingPasswords() == .null)
        let push = RESPValue.push([.bulkString("AUTH"), .bulkString("x")])
        #expect(push.maskingPasswords() == push)
        #expect(RESPValue.array([]).maskingPasswords() == .array([]))
    }
}
