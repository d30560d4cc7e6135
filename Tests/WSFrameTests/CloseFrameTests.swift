import Testing
import WSFrame
import WSFrameProperties

@Suite("Close frames and the close handshake (RFC 6455, sections 5.5.1 and 7)")
struct CloseFrameTests {
    static func close(_ code: UInt16, _ reason: [UInt8] = []) -> [UInt8] {
        [0x88, UInt8(2 + reason.count), UInt8(code >> 8), UInt8(code & 0xFF)] + reason
    }

    static let longest = [UInt8](repeating: 0x2A, count: 123)

    static let bodies = [
        FrameVector("an empty body", hexadecimal("88 00"), [.close(nil, [])]),
        FrameVector("one byte", hexadecimal("88 01 03"), [], error: .closeBodyTooShort),
        FrameVector("a code", close(1000), [.close(1000, [])]),
        FrameVector("a reason", close(1000, Array("ä".utf8)), [.close(1000, Array("ä".utf8))]),
        FrameVector("the longest reason", close(1000, longest), [.close(1000, longest)]),
        FrameVector(
            "a reason that is not UTF-8", close(1000, [0x61, 0xFF]), [],
            error: .invalidCloseReason),
        FrameVector(
            "a reason cut within a character", close(1000, [0xC3]), [], error: .invalidCloseReason),
        FrameVector(
            "a bad reason of which more is to come", hexadecimal("88 10 03 E8 FF"), [],
            error: .invalidCloseReason),
        FrameVector("what follows is ignored", close(1001) + [0xFF, 0xFF], [.close(1001, [])]),
        FrameVector(
            "masked", role: .server, hexadecimal("88 82 01 02 03 04 02 EA"), [.close(1000, [])]),
    ]

    @Test(arguments: bodies) func body(_ vector: FrameVector) throws { try vector.check() }

    @Test(
        "these codes may be sent",
        arguments: [
            1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999,
            4000, 4999,
        ] as [UInt16])
    func validCode(_ code: UInt16) throws {
        try FrameVector("", Self.close(code), [.close(code, [])]).check()
    }

    @Test(
        "these codes may not be sent",
        arguments: [
            0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535,
        ] as [UInt16])
    func invalidCode(_ code: UInt16) throws {
        try FrameVector("", Self.close(code), [], error: .invalidCloseCode).check()
    }

    @Test("the encoder cuts a long reason at a character's end")
    func encodes() throws {
        var wire: [UInt8] = []
        FrameEncoder.appendClose(
            code: 1011, reason: "x" + String(repeating: "ä", count: 80), to: &wire)
        let reason = Array(("x" + String(repeating: "ä", count: 61)).utf8)
        let limits = WebSocketLimits(maxMessageSize: 0)
        #expect(
            try Transcript.decode(wire, role: .client, limits: limits)
                == Transcript([.close(1011, reason)]))
        var empty: [UInt8] = []
        FrameEncoder.appendClose(code: nil, reason: "left out", to: &empty)
        #expect(empty == [0x88, 0x00])
    }

    @Test("a server that closes first waits for the answer, then ends the transport")
    func serverFirst() {
        var handshake = CloseHandshake(role: .server)
        #expect(handshake.maySend && !handshake.isWaiting)
        #expect(handshake.close(code: 1000) == .send(code: 1000))
        #expect(!handshake.maySend && !handshake.mayReceive && handshake.isWaiting)
        #expect(handshake.close(code: 1001) == .none)
        #expect(handshake.received(code: 1000) == .end)
        #expect(handshake.state == .ended && handshake.isClean && handshake.code == 1000)
        #expect(handshake.transportEnded() == .none)
        #expect(handshake.timedOut() == .none)
    }

    @Test("a server answers with the same code, and ends the transport")
    func serverSecond() {
        for code in [1000, nil, 4242] as [UInt16?] {
            var handshake = CloseHandshake(role: .server)
            #expect(handshake.received(code: code) == .sendAndEnd(code: code))
            #expect(handshake.code == code ?? 1005)
            #expect(handshake.isClean && !handshake.isWaiting)
            #expect(handshake.received(code: 1000) == .none)
        }
    }

    @Test("a client leaves the end of the transport to the server")
    func client() {
        var first = CloseHandshake(role: .client)
        #expect(first.close(code: nil) == .send(code: nil))
        #expect(first.received(code: nil) == .wait)
        #expect(first.isWaiting && first.state == .answered)
        #expect(first.transportEnded() == .end)
        #expect(first.isClean)

        var second = CloseHandshake(role: .client)
        #expect(second.received(code: 1012) == .sendAndWait(code: 1012))
        #expect(second.close(code: 1000) == .none)
        #expect(second.timedOut() == .end)
        #expect(second.isClean && second.code == 1012)
    }

    @Test("without a close frame the end is abnormal")
    func abnormal() {
        var halfClosed = CloseHandshake(role: .server)
        #expect(halfClosed.transportEnded() == .end)
        #expect(halfClosed.code == 1006 && !halfClosed.isClean)
        var silent = CloseHandshake(role: .server)
        #expect(silent.timedOut() == .none)
        #expect(silent.close(code: 1001) == .send(code: 1001))
        #expect(silent.timedOut() == .end)
        #expect(silent.code == 1006 && !silent.isClean && silent.state == .ended)
    }

    @Test("a failure sends its code once, and waits for nothing")
    func failure() {
        var open = CloseHandshake(role: .server)
        #expect(open.fail(.invalidUTF8) == .sendAndEnd(code: 1007))
        #expect(open.fail(.invalidUTF8) == .none)
        #expect(open.received(code: 1007) == .none)
        var sent = CloseHandshake(role: .server)
        #expect(sent.close(code: 1000) == .send(code: 1000))
        #expect(sent.fail(.reservedBits) == .end)
    }
}
