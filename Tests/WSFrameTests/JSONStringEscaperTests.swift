import Testing
import WSFrame
import WSFrameProperties

@Suite("JSON strings (RFC 8259, section 7)")
struct JSONStringEscaperTests {
    static func escape(_ bytes: [UInt8]) -> (String, Int) {
        var output: [UInt8] = []
        let count = JSONStringEscaper.append(bytes.span, to: &output)
        return (String(decoding: output, as: UTF8.self), count)
    }

    @Test(
        "quotes, backslashes and control characters are escaped",
        arguments: [
            ("plain", "plain"), ("", ""), ("say \"x\"", #"say \"x\""#), (#"a\b"#, #"a\\b"#),
            ("\u{8}\u{9}\u{A}\u{C}\u{D}", #"\b\t\n\f\r"#), ("\u{0}\u{1F}", #"\u0000\u001f"#),
            ("\u{1B}[0m/", #"\u001b[0m/"#), ("\u{7F} ä € 😀 \u{2028}", "\u{7F} ä € 😀 \u{2028}"),
        ])
    func escapes(_ text: String, _ expected: String) {
        let (output, count) = Self.escape(Array(text.utf8))
        #expect(output == expected)
        #expect(count == 0)
    }

    /// The examples of the Unicode standard, section 3.9, tables 3-8 to 3-11.
    @Test(
        "each maximal subpart of an ill-formed sequence becomes one U+FFFD",
        arguments: [
            ("C0 AF E0 80 BF F0 81 82 41", "ÿÿÿÿÿÿÿÿA", 8),
            ("ED A0 80 ED BF BF ED AF 41", "ÿÿÿÿÿÿÿÿA", 8),
            ("F4 91 92 93 FF 41 80 BF 42", "ÿÿÿÿÿAÿÿB", 7),
            ("E1 80 E2 F0 91 92 F1 BF 41", "ÿÿÿÿA", 4),
            ("EF BF BD", "ÿ", 0), ("E2 82", "ÿ", 1), ("22 FF 22", #"\"ÿ\""#, 1),
        ])
    func replaces(_ bytes: String, _ expected: String, _ count: Int) {
        let (output, replacements) = Self.escape(hexadecimal(bytes))
        #expect(output == String(expected.map { $0 == "ÿ" ? "\u{FFFD}" : $0 }))
        #expect(replacements == count)
    }

    @Test("every byte at every place of a vector decodes to itself")
    func everywhere() throws {
        for byte in 0...255 as ClosedRange<UInt8> {
            for place in 0..<40 {
                var bytes = [UInt8](repeating: 0x2A, count: 40)
                bytes[place] = byte
                try UTF8Properties.checkEscaper(bytes)
                bytes[39 - place] = 0x22
                try UTF8Properties.checkEscaper(bytes)
            }
        }
    }

    @Test("bytes before the output are kept")
    func appends() {
        var output = Array("{".utf8)
        _ = JSONStringEscaper.append(Array("\n".utf8).span, to: &output)
        #expect(output == Array("{\\n".utf8))
    }
}
