import Testing

@testable import Relay

/// Heartbeats leave together, a few at a time, and none is late for it.
@Suite struct HeartbeatPhaseTests {
    private static let start = Instant(nanoseconds: 1_234_567_890_123)

    private static func beats(_ interval: Nanoseconds, seeds: UInt64) -> [Instant: Int] {
        var beats: [Instant: Int] = [:]
        for seed in 0..<seeds {
            let phase = HeartbeatPhase(interval: interval, seed: seed &* 0x9E37_79B9_7F4A_7C15)
            beats[phase.next(after: start, interval: interval), default: 0] += 1
        }
        return beats
    }

    @Test(arguments: [
        (Nanoseconds.seconds(5), 100), (.seconds(30), 600), (.milliseconds(300), 100),
        (.milliseconds(5_010), 101), (.milliseconds(7_777), 156), (Nanoseconds(99_999_999), 100),
    ])
    func anIntervalHasAsManyWakeUpsAsPhases(interval: Nanoseconds, phases: Int) {
        let beats = Self.beats(interval, seeds: 60_000)
        #expect(beats.count == phases)
        // Nothing crowds, and nothing is left out.
        let fair = 60_000 / phases
        #expect(beats.values.allSatisfy { $0 > fair / 2 && $0 < 2 * fair })
        let instants = beats.keys.sorted()
        for (former, next) in zip(instants, instants.dropFirst()) {
            #expect(next - former <= HeartbeatPhase.longestStep)
        }
        #expect(instants.allSatisfy { $0 > Self.start && $0 <= Self.start + interval })
    }

    @Test(arguments: [
        Nanoseconds.seconds(5), .milliseconds(5_010), .milliseconds(1), Nanoseconds(1), .zero, .max,
    ])
    func theNextBeatIsAnIntervalLaterHoweverLateThisOneIs(interval: Nanoseconds) {
        for seed in [0, 1, 77, UInt64.max] {
            let phase = HeartbeatPhase(interval: interval, seed: seed)
            let beat = phase.next(after: Self.start, interval: interval)
            let length = max(Nanoseconds(1), interval)
            #expect(phase.next(after: beat, interval: interval) == beat + length)
            let late = Nanoseconds(length.count / 2)
            #expect(phase.next(after: beat + late, interval: interval) == beat + length)
        }
    }

    @Test func instantsBeforeTheClocksStartHavePhasesToo() {
        let phase = HeartbeatPhase(interval: .seconds(5), seed: 7)
        let early = phase.next(after: Instant(nanoseconds: -3), interval: .seconds(5))
        #expect(early == Instant(nanoseconds: 350_000_000))
    }
}
