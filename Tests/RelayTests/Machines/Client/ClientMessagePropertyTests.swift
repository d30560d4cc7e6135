import ClientProperties
import Foundation
import Fuzzing
import Relay
import Testing

/// Browser messages against a plain parser, and that parser against Foundation's.
@Suite struct ClientMessagePropertyTests {
    /// The fuzzer's seeds and whatever it found.
    private static let inputs = InputFiles.seeds("client-message").map(\.bytes)

    @Test func seedsHoldTheProperties() throws {
        #expect(Self.inputs.count >= 17)
        for input in Self.inputs {
            try BrowserMessages.check(input.span)
            try ClientMessageProperties.check(input)
        }
    }

    @Test func mutilatedSeedsHoldTheProperties() throws {
        // Those with a name: the others are long, and made by the fuzzer in this way.
        let seeds = InputFiles.seeds("client-message").filter { $0.name.utf8.count < 40 }
        #expect(seeds.count >= 17)
        for input in seeds.map(\.bytes) {
            for index in input.indices {
                try ClientMessageProperties.check(Array(input[..<index]))
                var changed = input
                changed.remove(at: index)
                try ClientMessageProperties.check(changed)
                for byte in #"{}[]",:\0e-. "#.utf8 {
                    changed = input
                    changed[index] = byte
                    try ClientMessageProperties.check(changed)
                }
            }
        }
    }

    // Without a comma before the closing bracket, which Foundation lets pass.
    @Test(arguments: [
        "{}", "[]", "0", "-0", "-1.5E-3", "1e5", "true", "null", #""a""#, #"{"type":1}"#,
        #"{"a":[1,{"b":[]}],"c":"\u00e9\n"}"#, " [ 1 , 2 ] ", "\t{\r\n}", "", " ", "{", "}", "[",
        "]", "[,1]", "[1 2]", "01", "-", "1.", ".5", "1e", "1e+", "+1", "0x10", "tru",
        "nulll", #"{"a"}"#, #"{"a":}"#, #"{a:1}"#, #"{,"a":1}"#, #"{"a":1}}"#,
        #""\x""#, #""\u12g4""#, #""\u12""#, #""open"#, #""\"#, "{1:2}", "[}", "{]", "\"\u{1}\"",
    ])
    func referenceAgreesWithFoundation(text: String) {
        let isJSON =
            (try? JSONSerialization.jsonObject(
                with: Data(text.utf8), options: .fragmentsAllowed)) != nil
        let verdict = ReferenceMessage.verdict(on: Array(text.utf8))
        #expect((verdict != .malformed) == isJSON)
    }
}
