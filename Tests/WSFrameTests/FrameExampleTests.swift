import Testing
import WSFrame
import WSFrameProperties

/// Bytes of a peer and what they mean.
struct FrameVector: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var role = WebSocketRole.client
    var limits = WebSocketLimits(maxMessageSize: 1 << 20)
    var bytes: [UInt8]
    var expected: Transcript

    init(
        _ name: String, role: WebSocketRole = .client, limit: Int = 1 << 20, _ bytes: [UInt8],
        _ events: [PlainEvent], error: WebSocketError? = nil
    ) {
        testDescription = name
        self.role = role
        limits = WebSocketLimits(maxMessageSize: limit)
        self.bytes = bytes
        expected = Transcript(events, error: error)
    }

    /// Checks the vector whole, byte by byte, and at every two-way split (for long vectors, at the
    /// splits near both ends), against the expectation and the reference decoder.
    func check() throws {
        #expect(ReferenceDecoder.decode(bytes, role: role, limits: limits) == expected)
        #expect(try decode([]) == expected)
        if bytes.count <= 20_000 { #expect(try decode(Array(1..<max(bytes.count, 1))) == expected) }
        for cut in bytes.indices where cut < 300 || cut + 300 > bytes.count {
            let found = try decode([cut])
            #expect(found == expected, "cut at \(cut)")
        }
    }

    private func decode(_ cuts: [Int]) throws -> Transcript {
        try Transcript.decode(bytes, role: role, limits: limits, cuts: cuts)
    }
}

@Suite("The examples of RFC 6455, section 5.7")
struct FrameExampleTests {
    static let hello = Array("Hello".utf8)
    static let long = [UInt8](repeating: 0x2A, count: 65_536)

    static let vectors = [
        FrameVector(
            "an unmasked text message", hexadecimal("81 05 48 65 6c 6c 6f"), [.text(hello)]),
        FrameVector(
            "a masked text message", role: .server,
            hexadecimal("81 85 37 fa 21 3d 7f 9f 4d 51 58"), [.text(hello)]),
        FrameVector(
            "a fragmented unmasked text message", hexadecimal("01 03 48 65 6c 80 02 6c 6f"),
            [.text(hello)]),
        FrameVector("an unmasked ping", hexadecimal("89 05 48 65 6c 6c 6f"), [.ping(hello)]),
        FrameVector(
            "a masked pong", role: .server, hexadecimal("8a 85 37 fa 21 3d 7f 9f 4d 51 58"),
            [.pong(hello)]),
        FrameVector(
            "256 bytes of binary", hexadecimal("82 7E 01 00") + long.prefix(256),
            [.binary(Array(long.prefix(256)))]),
        FrameVector(
            "64 KiB of binary", hexadecimal("82 7F 00 00 00 00 00 01 00 00") + long,
            [.binary(long)]),
    ]

    @Test(arguments: vectors) func decodes(_ vector: FrameVector) throws {
        try vector.check()
    }

    @Test func encodes() {
        func frame(_ body: (inout [UInt8]) -> Void) -> [UInt8] {
            var output: [UInt8] = []
            body(&output)
            return output
        }
        let hello = Self.hello
        #expect(frame { FrameEncoder.appendText("Hello", to: &$0) } == Self.vectors[0].bytes)
        #expect(
            frame { FrameEncoder.appendText("Hello", mask: 0x37fa_213d, to: &$0) }
                == Self.vectors[1].bytes)
        #expect(
            frame {
                FrameEncoder.append(.text, hello.span.extracting(0..<3), isFinal: false, to: &$0)
                FrameEncoder.append(.continuation, hello.span.extracting(3..<5), to: &$0)
            } == Self.vectors[2].bytes)
        #expect(frame { FrameEncoder.append(.ping, hello.span, to: &$0) } == Self.vectors[3].bytes)
        #expect(
            frame { FrameEncoder.append(.pong, hello.span, mask: 0x37fa_213d, to: &$0) }
                == Self.vectors[4].bytes)
        #expect(
            frame { FrameEncoder.append(.binary, Self.long.span, to: &$0) }
                == Self.vectors[6].bytes)
    }
}
