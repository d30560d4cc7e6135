import Testing
import WSFrame
import WSFrameProperties

@Suite("The rules of frames (RFC 6455, section 5)")
struct FrameRuleTests {
    static let a = UInt8(ascii: "a")

    static func payload(_ count: Int) -> [UInt8] { [UInt8](repeating: a, count: count) }

    static let lengths = [
        FrameVector("0", hexadecimal("81 00"), [.text([])]),
        FrameVector("1", hexadecimal("81 01 61"), [.text([a])]),
        FrameVector("125", hexadecimal("81 7D") + payload(125), [.text(payload(125))]),
        FrameVector("126", hexadecimal("81 7E 00 7E") + payload(126), [.text(payload(126))]),
        FrameVector("127", hexadecimal("81 7E 00 7F") + payload(127), [.text(payload(127))]),
        FrameVector(
            "65535", hexadecimal("81 7E FF FF") + payload(65_535), [.text(payload(65_535))]),
        FrameVector(
            "65536", hexadecimal("81 7F 00 00 00 00 00 01 00 00") + payload(65_536),
            [.text(payload(65_536))]),
        FrameVector("125 in two bytes", hexadecimal("81 7E 00 7D"), [], error: .lengthNotMinimal),
        FrameVector("0 in two bytes", hexadecimal("81 7E 00 00"), [], error: .lengthNotMinimal),
        FrameVector(
            "65535 in eight bytes", hexadecimal("82 7F 00 00 00 00 00 00 FF FF"), [],
            error: .lengthNotMinimal),
        FrameVector("the highest bit", hexadecimal("82 7F 80"), [], error: .lengthOverflow),
        FrameVector(
            "the largest", hexadecimal("82 7F 7F FF FF FF FF FF FF FF"), [], error: .frameTooBig),
        FrameVector("half a length", hexadecimal("82 7F 00 00 00"), []),
    ]

    @Test("lengths are in their shortest form", arguments: lengths)
    func length(_ vector: FrameVector) throws { try vector.check() }

    static let headers = [
        FrameVector("RSV1", hexadecimal("C1 00"), [], error: .reservedBits),
        FrameVector("RSV2", hexadecimal("A1 00"), [], error: .reservedBits),
        FrameVector("RSV3", hexadecimal("91"), [], error: .reservedBits),
        FrameVector("RSV of a ping", hexadecimal("F9 00"), [], error: .reservedBits),
        FrameVector(
            "after a good frame", hexadecimal("81 01 61 F9"), [.text([a])], error: .reservedBits),
        FrameVector("masked for a client", hexadecimal("81 80"), [], error: .maskedFrame),
        FrameVector(
            "unmasked for a server", role: .server, hexadecimal("81 00"), [],
            error: .unmaskedFrame),
        FrameVector(
            "a mask of zeros", role: .server, hexadecimal("81 81 00 00 00 00 61"), [.text([a])]),
        FrameVector("half a masking key", role: .server, hexadecimal("81 81 01 02 03"), []),
    ]

    @Test("reserved bits are clear, and masks go with the role", arguments: headers)
    func header(_ vector: FrameVector) throws { try vector.check() }

    @Test(
        "reserved opcodes are refused on the first byte",
        arguments: [0x3, 0x4, 0x5, 0x6, 0x7, 0xB, 0xC, 0xD, 0xE, 0xF] as [UInt8])
    func opcode(_ opcode: UInt8) throws {
        for first in [opcode, opcode | 0x80] {
            try FrameVector("", [first], [], error: .reservedOpcode).check()
        }
    }

    static let controls = [
        FrameVector("an empty ping", hexadecimal("89 00"), [.ping([])]),
        FrameVector("an empty pong", hexadecimal("8A 00"), [.pong([])]),
        FrameVector(
            "a ping of 125 bytes that are no UTF-8",
            hexadecimal("89 7D") + [UInt8](repeating: 0xFE, count: 125),
            [.ping([UInt8](repeating: 0xFE, count: 125))]),
        FrameVector("a ping of 126 bytes", hexadecimal("89 7E"), [], error: .controlFrameTooLong),
        FrameVector("a pong of 2^32", hexadecimal("8A 7F"), [], error: .controlFrameTooLong),
        FrameVector("a close of 126 bytes", hexadecimal("88 7E"), [], error: .controlFrameTooLong),
        FrameVector("a ping fragment", hexadecimal("09"), [], error: .fragmentedControlFrame),
        FrameVector("a close fragment", hexadecimal("08"), [], error: .fragmentedControlFrame),
        FrameVector(
            "a ping larger than messages may be", limit: 1, hexadecimal("89 02 61 61"),
            [.ping([a, a])]),
    ]

    @Test("control frames are short and whole", arguments: controls)
    func control(_ vector: FrameVector) throws { try vector.check() }

    static let fragments = [
        FrameVector(
            "three fragments", hexadecimal("01 01 61 00 01 62 80 01 63"),
            [.text(Array("abc".utf8))]),
        FrameVector(
            "pings and pongs between fragments",
            hexadecimal("02 01 61 89 01 70 00 00 8A 01 71 80 01 63"),
            [.ping([0x70]), .pong([0x71]), .binary(Array("ac".utf8))]),
        FrameVector("empty fragments", hexadecimal("01 00 00 00 80 00"), [.text([])]),
        FrameVector(
            "a message after a fragmented one", hexadecimal("01 01 61 80 00 82 01 FF"),
            [.text([a]), .binary([0xFF])]),
        FrameVector(
            "a masked message in fragments with keys of their own", role: .server,
            hexadecimal("01 83 01 02 03 04 60 60 60 80 82 10 20 30 40 71 42"),
            [.text(Array("abcab".utf8))]),
        FrameVector(
            "a continuation of nothing", hexadecimal("80 00"), [], error: .unexpectedContinuation),
        FrameVector(
            "a continuation after the end", hexadecimal("01 01 61 80 00 00"), [.text([a])],
            error: .unexpectedContinuation),
        FrameVector(
            "text within a message", hexadecimal("01 01 61 81 01 62"), [],
            error: .expectedContinuation),
        FrameVector(
            "binary within a message", hexadecimal("01 01 61 02"), [],
            error: .expectedContinuation),
        FrameVector(
            "a close within a message", hexadecimal("01 01 61 88 00 80 01 62"), [.close(nil, [])]),
    ]

    @Test("messages may come in fragments (section 5.4)", arguments: fragments)
    func fragment(_ vector: FrameVector) throws { try vector.check() }

    static let limits = [
        FrameVector("at the limit", limit: 3, hexadecimal("82 03 61 61 61"), [.binary([a, a, a])]),
        FrameVector("over the limit", limit: 3, hexadecimal("82 04"), [], error: .frameTooBig),
        FrameVector(
            "a whole message over the limit", limit: 3, hexadecimal("82 04 61 61 61 61"), [],
            error: .frameTooBig),
        FrameVector(
            "a whole masked message over the limit", role: .server, limit: 3,
            hexadecimal("82 84 00 00 00 00 61 61 61 61"), [], error: .frameTooBig),
        FrameVector(
            "fragments at the limit", limit: 3, hexadecimal("02 01 61 80 02 61 61"),
            [.binary([a, a, a])]),
        FrameVector(
            "fragments over the limit", limit: 3, hexadecimal("02 02 61 61 00 02"), [],
            error: .messageTooBig),
        FrameVector(
            "the limit is for each message", limit: 2,
            hexadecimal("82 02 61 61 02 01 61 80 01 61 82 02 61 61"),
            [.binary([a, a]), .binary([a, a]), .binary([a, a])]),
    ]

    @Test("sizes are refused as announced", arguments: limits)
    func limit(_ vector: FrameVector) throws { try vector.check() }

    @Test("every error has its close code and reason", arguments: WebSocketError.allCases)
    func closeCode(_ error: WebSocketError) {
        #expect([1002, 1007, 1009].contains(error.closeCode))
        #expect(WebSocketCloseCode.isValid(error.closeCode))
        #expect(!error.reason.isEmpty && error.reason.utf8.count <= 123)
    }

    @Test("a failed decoder stays failed, and a closed one ignores what comes")
    func afterTheEnd() throws {
        let limits = WebSocketLimits(maxMessageSize: 100)
        var failed = WebSocketDecoder(role: .client, limits: limits)
        var bad = hexadecimal("FF")
        var good = hexadecimal("81 00")
        #expect(throws: WebSocketError.reservedBits) { try failed.next(&bad, from: 0, to: 1) }
        #expect(throws: WebSocketError.reservedBits) { try failed.next(&good, from: 0, to: 2) }
        var closed = WebSocketDecoder(role: .client, limits: limits)
        var close = hexadecimal("88 00 FF FF")
        #expect(try closed.next(&close, from: 0, to: 4).end == 2)
        #expect(try closed.next(&close, from: 2, to: 4).event == .incomplete)
    }

    @Test("a decoder costs an idle connection less than a cache line")
    func memory() throws {
        #expect(MemoryLayout<WebSocketDecoder>.size <= 64)
        #expect(MemoryLayout<HTTPRequestParser>.size <= 256)
        #expect(MemoryLayout<CloseHandshake>.size <= 8)
        var decoder = WebSocketDecoder(role: .client, limits: .init(maxMessageSize: 100))
        #expect(decoder.isIdle)
        var bytes = hexadecimal("01 01 61 80")
        #expect(try decoder.next(&bytes, from: 0, to: 4).event == .incomplete)
        #expect(!decoder.isIdle)
        var last = hexadecimal("00")
        #expect(try decoder.next(&last, from: 0, to: 1).event == .text(.assembled([0x61])))
        #expect(decoder.isIdle)
    }
}
