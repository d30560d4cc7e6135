import Testing

@testable import Relay

/// The slots of channels, held against what `CLUSTER KEYSLOT` of Redis 7 says.
@Suite struct HashSlotTests {
    @Test(arguments: [
        ("", 0), ("123456789", 12_739), ("foo", 12_182), ("run:status", 10_620),
        ("run;;sub:status", 1278), ("status2:probe", 923),
    ])
    func isThatOfRedis(name: String, slot: UInt16) {
        #expect(HashSlot(of: Array(name.utf8)).number == slot)
    }

    @Test(
        "the first tag that is anything is hashed alone",
        arguments: [
            ("{foo}bar", "foo"), ("x{foo}{bar}", "foo"), ("{run:status}y", "run:status"),
            ("foo{{bar}}zap", "{bar"), ("}{a}", "a"),
        ])
    func tag(name: String, hashed: String) {
        #expect(HashSlot(of: Array(name.utf8)) == HashSlot(of: Array(hashed.utf8)))
    }

    @Test(
        "without a tag the whole name is hashed",
        arguments: ["foo{}{bar}", "{", "}", "{x", "a}b{"])
    func noTag(name: String) {
        // No byte can be left out of what is hashed.
        let slot = HashSlot(of: Array(name.utf8))
        for index in name.indices {
            var other = name
            other.remove(at: index)
            #expect(HashSlot(of: Array(other.utf8)) != slot)
        }
    }

    @Test func theNamesOfChannelsHaveNoTags() {
        for name in ["{run}:status", "run:{status}", "run:st}atus"] {
            #expect(ChannelName(bytes: Array(name.utf8)) == nil)
        }
    }

    @Test func thereAreSlotsFrom0To16383() {
        #expect(HashSlot(-1) == nil && HashSlot(16_384) == nil)
        #expect(HashSlot(16_383)?.number == 16_383)
        var found = Set<HashSlot>()
        for number in 0..<200_000 { found.insert(HashSlot(of: Array("run\(number):x".utf8))) }
        #expect(found.count == HashSlot.count)
    }
}
