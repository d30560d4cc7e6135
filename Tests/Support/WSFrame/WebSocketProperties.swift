package import Fuzzing
package import WSFrame

/// What has to hold for any bytes whatsoever: the body of the frame fuzzer, and of tests.
package enum WebSocketProperties {
    /// Checks one input of the fuzzer.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        try check(InputBytes.array(input))
    }

    /// Checks all properties on one input of the fuzzer.
    ///
    /// The first byte picks the role and the limits, the second and third the cuts; the rest is what
    /// the peer sends.
    package static func check(_ input: [UInt8]) throws(PropertyFailure) {
        guard input.count >= 3 else { return }
        let role: WebSocketRole = input[0] & 1 == 0 ? .server : .client
        let limits =
            input[0] & 2 == 0
            ? WebSocketLimits(maxMessageSize: 1 << 20)
            : WebSocketLimits(maxFrameSize: 200, maxMessageSize: 300)
        let bytes = Array(input[3...])
        let seed = UInt64(input[1]) << 8 | UInt64(input[2])
        try checkSplits(bytes, role: role, limits: limits, seed: seed)
        try checkRoundTrip(bytes, role: role, seed: seed)
        try UTF8Properties.check(bytes, seed: seed)
    }

    /// Any split of the bytes gives the reference decoder's events.
    package static func checkSplits(
        _ bytes: [UInt8], role: WebSocketRole, limits: WebSocketLimits, seed: UInt64
    ) throws(PropertyFailure) {
        let expected = ReferenceDecoder.decode(bytes, role: role, limits: limits)
        let splits = [[], Array(0..<bytes.count), cuts(bytes.count, seed: seed)]
        for cuts in splits {
            let found = try Transcript.decode(bytes, role: role, limits: limits, cuts: cuts)
            guard found == expected else {
                throw .init("cuts \(cuts.prefix(9)): \(found), reference: \(expected)")
            }
        }
    }

    /// What the encoder writes for a message, fragmented or not, with a ping in between, is what the
    /// decoder of the other role reads.
    package static func checkRoundTrip(
        _ payload: [UInt8], role: WebSocketRole, seed: UInt64
    ) throws(PropertyFailure) {
        let isText = ReferenceDecoder.isUTF8(payload)
        let mask: UInt32? = role == .server ? UInt32(truncatingIfNeeded: seed &* 0x9E37_79B9) : nil
        let opcode: WebSocketOpcode = isText ? .text : .binary
        let ping = Array(payload.prefix(125))
        var wire: [UInt8] = []
        FrameEncoder.append(opcode, payload.span, mask: mask, to: &wire)
        let cuts = cuts(payload.count, seed: seed)
        var start = 0
        for end in cuts {
            let part = payload.span.extracting(start..<end)
            FrameEncoder.append(
                start == 0 ? opcode : .continuation, part, isFinal: false, mask: mask, to: &wire)
            if end > 0 { start = end }
            if start == 0 { break }
        }
        let isFragmented = start > 0
        if isFragmented {
            FrameEncoder.append(.ping, ping.span, mask: mask, to: &wire)
            let part = payload.span.extracting(start..<payload.count)
            FrameEncoder.append(.continuation, part, mask: mask, to: &wire)
        }
        FrameEncoder.appendClose(code: 1001, reason: "bye", mask: mask, to: &wire)

        let message: PlainEvent = isText ? .text(payload) : .binary(payload)
        let expected =
            [message] + (isFragmented ? [.ping(ping), message] : [])
            + [.close(1001, Array("bye".utf8))]
        let limits = WebSocketLimits(maxMessageSize: payload.count)
        let found = try Transcript.decode(
            wire, role: role, limits: limits, cuts: Self.cuts(wire.count, seed: seed ^ 0xFF))
        guard found == Transcript(expected) else {
            throw .init("round trip: \(found), sent: \(expected)")
        }
    }

    /// Ascending offsets in `1..<count`, some near each other and some far apart.
    package static func cuts(_ count: Int, seed: UInt64) -> [Int] {
        var state = seed
        var cuts: [Int] = []
        var position = 0
        while cuts.count < 64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            let random = Int(truncatingIfNeeded: state >> 40)
            position += 1 + (random & 3 == 0 ? random >> 2 & 0xFF : random >> 2 & 0xF)
            guard position < count else { break }
            cuts.append(position)
        }
        return cuts
    }
}
