@testable import Relay

/// A channel with its publisher, whose messages are numbered from 1.
final class Channel {
    let index: Int
    let name: [UInt8]
    /// When each message was published: message 1 first.
    private(set) var times: [Int64] = []
    /// When a subscription of the channel last ended.
    var brokenAt: Int64?
    /// When one last began.
    var subscribedAt: Int64 = 0
    /// When the daemon closed connections of pages that may come back to it.
    var keptSince: [Int64] = []
    private var burst = 0

    init(_ index: Int) {
        self.index = index
        name = Array("run\(index):status".utf8)
    }

    /// How many messages were published.
    var count: Int { times.count }

    /// The next message is due; a `detail` of 1 belongs to a burst.
    func publishNext(in world: World, _ detail: Int) {
        guard world.stage == .disturbed else { return }
        publish(in: world)
        if detail == 1 {
            burst -= 1
            if burst > 0 { world.plan(.publish, in: .milliseconds(1), index, 1) }
            return
        }
        world.plan(.publish, in: world.actorDice.around(world.plan.messageInterval), index)
    }

    /// Many messages come at once.
    func beginBurst(of count: Int, in world: World) {
        let isUnderWay = burst > 0
        burst = count
        if !isUnderWay { world.plan(.publish, in: .zero, index, 1) }
    }

    /// Publishes one message, where Redis takes it.
    func publish(in world: World) {
        guard world.redis.takesPublications(of: self) else { return }
        times.append(world.clock)
        world.note(.publish, index, times.count)
        world.redis.publish(Payload.make(index, times.count, world.plan), on: self)
    }
}

/// The payloads: each tells its channel and number, and its other bytes follow from these.
enum Payload {
    /// The payload of a channel's message.
    static func make(_ channel: Int, _ number: Int, _ plan: Plan) -> [UInt8] {
        var bytes = Array("\(channel)#\(number):".utf8)
        let mixed = draw(channel, number, plan.seed)
        let length = length(mixed, plan)
        let isOdd = plan.faults.contains(.oddPayload) && mixed >> 40 & 3 == 0
        let letters = isOdd ? odd : plain
        var index = Int(mixed >> 50 & 15)
        while bytes.count < length {
            bytes.append(letters[index & 15])
            index += 1
        }
        return bytes
    }

    /// Whether the payload is longer than the daemon relays.
    static func isOversized(_ channel: Int, _ number: Int, _ plan: Plan) -> Bool {
        guard plan.faults.contains(.oversizedPayload) else { return false }
        return length(draw(channel, number, plan.seed), plan) > plan.settings.maxPayloadSize
    }

    private static func length(_ mixed: UInt64, _ plan: Plan) -> Int {
        if plan.faults.contains(.oversizedPayload), mixed & 31 == 0 {
            return plan.settings.maxPayloadSize + 1 + Int(mixed >> 8 & 0xFF)
        }
        return Int(mixed >> 8 & 0xFFFF) * 2 * plan.payloadLength / 0x10000
    }

    private static func draw(_ channel: Int, _ number: Int, _ seed: UInt64) -> UInt64 {
        var mixer = SplitMix64(
            seed: seed &+ UInt64(channel) &* 0x9E37_79B9_7F4A_7C15 &+ UInt64(number) << 32)
        return mixer.next()
    }

    private static let plain = Array("the quick brown ".utf8)
    /// What JSON must escape, what needs no escape, and no UTF-8 at all.
    private static let odd: [UInt8] = [
        0x22, 0x5C, 0x0A, 0x01, 0x7F, 0xC3, 0xA4, 0x2F, 0xE2, 0x82, 0xAC, 0xFF, 0x41, 0x09, 0x1F,
        0x20,
    ]

    /// What the inside of a JSON string stands for; nil where it is none.
    static func unescape(_ text: ArraySlice<UInt8>) -> [UInt8]? {
        guard text.contains(0x5C) else { return Array(text) }
        var bytes: [UInt8] = []
        var index = text.startIndex
        while index < text.endIndex {
            let byte = text[index]
            index += 1
            guard byte == 0x5C else {
                bytes.append(byte)
                continue
            }
            guard index < text.endIndex else { return nil }
            let escape = text[index]
            index += 1
            switch escape {
            case UInt8(ascii: "n"): bytes.append(0x0A)
            case UInt8(ascii: "r"): bytes.append(0x0D)
            case UInt8(ascii: "t"): bytes.append(0x09)
            case UInt8(ascii: "b"): bytes.append(0x08)
            case UInt8(ascii: "f"): bytes.append(0x0C)
            case 0x22, 0x5C, 0x2F: bytes.append(escape)
            case UInt8(ascii: "u"):
                guard index + 4 <= text.endIndex,
                    let value = UInt8(
                        String(decoding: text[index..<index + 4], as: UTF8.self), radix: 16)
                else { return nil }
                bytes.append(value)
                index += 4
            default: return nil
            }
        }
        return bytes
    }

    /// The payload as a page must get it: what is no UTF-8 has become U+FFFD.
    static func repaired(_ payload: [UInt8]) -> [UInt8] {
        guard payload.contains(where: { $0 >= 0x80 }) else { return payload }
        return Array(String(decoding: payload, as: UTF8.self).utf8)
    }
}
