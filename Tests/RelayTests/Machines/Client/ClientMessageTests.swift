@testable import Relay
import Testing

/// What browsers may say.
@Suite struct ClientMessageTests {
    private static func read(_ text: String) -> ClientMessage {
        ClientMessage(Array(text.utf8).span)
    }

    @Test(arguments: [
        #"{"type":"init"}"#, #"{"type":"INIT"}"#, #"{"Type":"init"}"#,
        #" { "type" : "init" } "#, "\t\r\n{\"type\":\"init\"}\n",
        #"{"a":{"type":"pong"},"type":"init","b":[{"type":"pong"}]}"#,
        #"{"type":"pong","type":"init"}"#, #"{"\u0074ype":"in\u0069t"}"#,
        #"{"type":"init","n":-0.5e+10,"t":true,"f":false,"z":null,"s":"\"\\\/\b\f\n\r\t\u00e9"}"#,
    ])
    func isInit(text: String) {
        #expect(Self.read(text) == .initialize)
    }

    @Test(arguments: [#"{"type":"pong"}"#, #"{"type":"Pong","seq":12}"#])
    func isPong(text: String) {
        #expect(Self.read(text) == .pong)
    }

    @Test(arguments: [
        "{}", "[]", "0", "-1.5E-3", #""init""#, "true", "null", #"{"type":"hello"}"#,
        #"{"type":1}"#, #"{"type":"init","type":null}"#, #"{"typ":"init"}"#, #"{"types":"init"}"#,
        #"{"type":"init "}"#, #"{"type":"ini"}"#, #"[{"type":"init"}]"#, #"{"x":{"type":"init"}}"#,
        #"{"type":{"type":"init"}}"#, #"{"type":"ïnit"}"#,
    ])
    func isUnknown(text: String) {
        #expect(Self.read(text) == .unknown)
    }

    @Test(arguments: [
        "", " ", "init", "{", "}", "[", "]", #"{"type":"init""#, #"{"type":"init"}}"#,
        #"{"type":"init"} x"#, #"{"type":"init",}"#, #"{,"type":"init"}"#, #"{"type" "init"}"#,
        #"{"type":}"#, #"{type:"init"}"#, #"{'type':'init'}"#, "[1,]", "[,1]", "[1 2]", "01", "+1",
        "1.", ".5", "1e", "1e+", "-", "0x10", "NaN", "tru", "nulll", "\"\u{1}\"", #""\x""#,
        #""\u12g4""#, #""\u12""#, #""open"#, #""\"#, "{1:2}", "[}", "{]", "\u{FEFF}{}",
    ])
    func isMalformed(text: String) {
        #expect(Self.read(text) == .malformed)
    }

    @Test func nestingHasALimit() {
        let limit = ClientMessage.nestingLimit
        func nested(_ depth: Int) -> String {
            String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
        }
        #expect(Self.read(nested(limit)) == .unknown)
        #expect(Self.read(nested(limit + 1)) == .malformed)
        #expect(Self.read(String(repeating: "[", count: 60_000)) == .malformed)
    }

    @Test func noPrefixOfAMessageIsAMessage() {
        let text = Array(#"{"type":"init","list":[1,{"a":"\u00e9"}]}"#.utf8)
        for end in 0..<text.count {
            #expect(ClientMessage(text.span.extracting(0..<end)) == .malformed)
        }
        #expect(ClientMessage(text.span) == .initialize)
    }
}
