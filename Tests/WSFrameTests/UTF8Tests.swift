import Testing
import WSFrame
import WSFrameProperties

@Suite("UTF-8 (RFC 3629; RFC 6455, section 8.1)")
struct UTF8Tests {
    /// Texts as in the clauses 6.5 to 6.22 of the Autobahn suite: the ends of each length, long
    /// forms, surrogates, truncated characters, impossible bytes, non-characters.
    static let wellFormed = [
        "CE BA E1 BD B9 CF 83 CE BC CE B5", "00", "7F", "C2 80", "DF BF", "E0 A0 80",
        "ED 9F BF", "EE 80 80", "EF BF BD", "EF BF BE", "EF BF BF", "F0 90 80 80",
        "F0 9F BF BE", "F4 8F BF BF", "48 65 6C 6C 6F 2D C2 B5 40 C3 9F C3 B6 C3 A4",
    ]
    static let illFormed = [
        "80", "BF", "80 BF 80", "C0 20", "C0 80", "C0 AF", "C1 BF", "E0 80 80", "E0 9F BF",
        "E0 80 AF", "F0 80 80 80", "F0 80 80 AF", "F0 8F BF BF", "F8 88 80 80 80",
        "FC 84 80 80 80 80", "ED A0 80", "ED AF BF", "ED B0 80", "ED BF BF", "ED A0 80 ED B0 80",
        "F4 90 80 80", "F7 BF BF BF", "FB BF BF BF BF", "FD BF BF BF BF BF", "FE", "FF",
        "FE FE FF FF", "C3 28", "E2 28 A1", "E2 82 28", "F0 28 8C BC", "F0 90 28 BC",
        "F0 28 8C 28", "C3 C3", "E2 82 C3", "F1 80 80 41", "CE BA ED A0 80 65 64",
    ]
    static let truncated = ["C3", "E2 82", "E0 A0", "F0 90", "F0 90 8C", "F4 8F BF", "61 CE"]

    @Test("well-formed texts pass, at any place of a text", arguments: wellFormed)
    func accepts(_ text: String) throws { try checkEverywhere(hexadecimal(text), nil) }

    @Test("ill-formed texts are refused, at any place of a text", arguments: illFormed)
    func refuses(_ text: String) throws { try checkEverywhere(hexadecimal(text), .invalidUTF8) }

    @Test("a text must not end within a character", arguments: truncated)
    func refusesTruncated(_ text: String) throws {
        let bytes = hexadecimal(text)
        #expect(UTF8Validator.isComplete(after: bytes) == false)
        try FrameVector("", FrameRuleTests.frame(bytes), [], error: .invalidUTF8).check()
        // Its end may come with the next fragment.
        let half = [0x01, UInt8(bytes.count)] + bytes
        try FrameVector("", half, []).check()
        try FrameVector("", half + [0x80, 0x00], [], error: .invalidUTF8).check()
    }

    @Test("a text fails within its first fragment and before its announced end")
    func failsAtOnce() throws {
        try FrameVector("", hexadecimal("01 7E FF FF CE BA FF"), [], error: .invalidUTF8).check()
        try FrameVector("", hexadecimal("81 04 F4 90"), [], error: .invalidUTF8).check()
        try FrameVector(
            "", hexadecimal("01 02 CE BA 89 00 00 01 ED 00 01 A0"), [.ping([])],
            error: .invalidUTF8
        ).check()
    }

    /// Puts the bytes behind and before 0 to 70 bytes of ASCII, so that they lie at every place of
    /// a word and of a vector.
    private func checkEverywhere(_ bytes: [UInt8], _ error: WebSocketError?) throws {
        for count in [0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 61, 63, 64, 70] {
            let padding = [UInt8](repeating: 0x61, count: count)
            let text = padding + bytes + padding
            #expect(UTF8Validator.isComplete(after: text) == (error == nil))
            try UTF8Properties.check(text, seed: UInt64(count))
        }
        let text = bytes + Array("bc".utf8)
        try FrameVector(
            "", FrameRuleTests.frame(text), error == nil ? [.text(text)] : [], error: error
        ).check()
    }

    @Test(
        "all sequences of two bytes, and three and four by their classes, are as the library says")
    func agreesWithTheLibrary() throws {
        for first in 0...255 as ClosedRange<UInt8> {
            for second in 0...255 as ClosedRange<UInt8> {
                let bytes = [first, second]
                let expected = ReferenceDecoder.isUTF8(bytes)
                #expect(UTF8Validator.isComplete(after: bytes) == expected)
            }
        }
        let edges: [UInt8] = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xFF]
        for first in 0xC0...0xFF as ClosedRange<UInt8> {
            for second in edges {
                for third in edges {
                    for fourth in edges {
                        try UTF8Properties.checkValidator([first, second, third, fourth], cuts: [])
                        try UTF8Properties.checkEscaper([first, second, third, fourth])
                    }
                }
            }
        }
    }
}

extension UTF8Validator {
    static func isComplete(after bytes: [UInt8]) -> Bool {
        var validator = UTF8Validator()
        return validator.append(bytes.span) && validator.isComplete
    }
}

extension FrameRuleTests {
    /// An unmasked text frame.
    static func frame(_ payload: [UInt8]) -> [UInt8] {
        var wire: [UInt8] = []
        FrameEncoder.append(.text, payload.span, to: &wire)
        return wire
    }
}
