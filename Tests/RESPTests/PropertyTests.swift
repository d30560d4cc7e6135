import RESPProperties
import Testing

/// The properties of the fuzz harness, on random streams that are the same in every run.
@Suite("Properties")
struct PropertyTests {
    @Test("well-formed streams", arguments: 0..<8)
    func wellFormed(_ part: Int) throws {
        for seed in 0..<80 {
            var generator = WireGenerator(seed: UInt64(part * 1000 + seed))
            let wire = generator.stream()
            try Properties.check(wire)
        }
    }

    @Test("damaged streams", arguments: 0..<8)
    func damaged(_ part: Int) throws {
        for seed in 0..<120 {
            var generator = WireGenerator(seed: UInt64(part * 1000 + seed))
            let wire = generator.damagedStream()
            try Properties.check(wire)
        }
    }
}
