import Testing
import WSFrame
import WSFrameProperties

@Suite("Properties of any bytes")
struct PropertyTests {
    /// A small generator with a seed, so that a failure comes again.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state ^ state >> 29
        }
    }

    /// Frames, some of them bad, with payloads that often are UTF-8.
    static func frames(_ generator: inout Generator) -> [UInt8] {
        let isServer = Bool.random(using: &generator)
        var bytes: [UInt8] = [isServer ? 0 : 1, .random(in: 0...255, using: &generator), 7]
        if Bool.random(using: &generator) { bytes[0] |= 2 }
        for _ in 0..<Int.random(in: 1...8, using: &generator) {
            let opcodes: [WebSocketOpcode] = [
                .text, .continuation, .continuation, .binary, .ping, .pong, .close,
            ]
            let opcode = opcodes.randomElement(using: &generator) ?? .text
            let texts = ["", "ä€😀", "plain text", String(repeating: "long€", count: 30)]
            var payload = Array((texts.randomElement(using: &generator) ?? "").utf8)
            if opcode.isControl { payload = Array(payload.prefix(125)) }
            if opcode == .close { payload = [0x03, 0xE8] + payload.prefix(100) }
            if Int.random(in: 0..<4, using: &generator) == 0, !payload.isEmpty {
                payload.removeLast()
            }
            FrameEncoder.append(
                opcode, payload.span,
                isFinal: opcode.isControl || Bool.random(using: &generator),
                mask: isServer ? .random(in: 0 ... .max, using: &generator) : nil, to: &bytes)
        }
        if Bool.random(using: &generator) {
            let place = Int.random(in: 3..<bytes.count, using: &generator)
            bytes[place] = .random(in: 0...255, using: &generator)
        }
        return bytes
    }

    @Test("frames hold the properties", arguments: 0..<40 as Range<UInt64>)
    func frames(seed: UInt64) throws {
        var generator = Generator(state: seed)
        for _ in 0..<25 { try WebSocketProperties.check(Self.frames(&generator)) }
    }

    @Test("noise holds the properties", arguments: 0..<10 as Range<UInt64>)
    func noise(seed: UInt64) throws {
        var generator = Generator(state: seed)
        for _ in 0..<50 {
            let count = Int.random(in: 0..<80, using: &generator)
            let bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
            try WebSocketProperties.check(bytes)
            try HTTPProperties.check(bytes)
        }
    }

    @Test("a changed request holds the properties", arguments: 0..<20 as Range<UInt64>)
    func requests(seed: UInt64) throws {
        var generator = Generator(state: seed)
        for _ in 0..<20 {
            var bytes = Array(UpgradeTests.request.utf8)
            let place = Int.random(in: 0..<bytes.count, using: &generator)
            bytes[place] = .random(in: 0...255, using: &generator)
            try HTTPProperties.check(bytes)
        }
    }

    @Test("masking is its own inverse at every length and place of the key")
    func masking() {
        for count in 0..<200 {
            let plain = (0..<count).map { UInt8($0 & 0xFF) }
            let key: [UInt8] = [0x12, 0x34, 0x56, 0x78]
            var masked = plain
            var span = masked.mutableSpan
            FrameEncoder.mask(&span, with: 0x1234_5678)
            #expect(masked == plain.enumerated().map { $0.element ^ key[$0.offset % 4] })
        }
    }
}
