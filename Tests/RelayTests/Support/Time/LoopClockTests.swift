@testable import Relay
import Testing

/// The clock of a loop, and the wall clock's settings.
@Suite struct LoopClockTests {
    private static let start = BootTime(nanoseconds: 7_000_000_000)

    @Test func itGoesOnWithTheBootClockWithinTheTolerance() {
        var clock = LoopClock(Self.start)
        let expected = clock.now
        #expect(clock.read(Self.start + LoopClock.tolerance, expected: expected) == nil)
        #expect(clock.now == expected + LoopClock.tolerance)
        #expect(clock.stoodStill == .zero)
    }

    @Test func aStandstillIsLeftOutWholly() {
        var clock = LoopClock(Self.start)
        let expected = clock.now + .seconds(1)
        let late = Nanoseconds.seconds(9)
        #expect(clock.read(Self.start + .seconds(10), expected: expected) == late)
        #expect(clock.now == expected)
        #expect(clock.boot == Self.start + .seconds(10))
        #expect(clock.boot(at: expected + .seconds(1)) == Self.start + .seconds(11))
    }

    @Test func aWaitWithoutADeadlineIsNeverLate() {
        var clock = LoopClock(Self.start)
        #expect(clock.read(Self.start + .seconds(3600), expected: .never) == nil)
        #expect(clock.now == Instant(nanoseconds: Self.start.nanoseconds) + .seconds(3600))
    }

    @Test func itNeverGoesBack() {
        var clock = LoopClock(Self.start)
        let expected = clock.now
        _ = clock.read(BootTime(nanoseconds: 1), expected: expected)
        #expect(clock.now == expected)
    }

    // MARK: - Unix time

    private static let second: Int64 = 1_000_000_000

    @Test func aRangeIsToldByTheSettingInForce() {
        var offsets = UnixTimeOffsets()
        offsets.note(unixTime: 1_000 * Self.second, at: Self.start)
        let range = offsets.milliseconds(from: Self.start, to: Self.start + .seconds(5))
        #expect(range.from == 1_000_000)
        #expect(range.to == 1_005_000)
    }

    @Test func partsOfAMillisecondAreRoundedOutwards() {
        var offsets = UnixTimeOffsets()
        offsets.note(unixTime: 1_000 * Self.second, at: Self.start)
        let range = offsets.milliseconds(
            from: Self.start + Nanoseconds(1_999_999), to: Self.start + Nanoseconds(2_000_001))
        #expect(range.from == 1_000_001)
        #expect(range.to == 1_000_003)
    }

    @Test func settingsBeforeTheRangeDoNotCount() {
        var offsets = UnixTimeOffsets()
        offsets.note(unixTime: 0, at: Self.start)
        offsets.note(unixTime: 1_000 * Self.second, at: Self.start + .seconds(1))
        let range = offsets.milliseconds(
            from: Self.start + .seconds(2), to: Self.start + .seconds(3))
        #expect(range.from == 1_001_000)
        #expect(range.to == 1_002_000)
    }

    @Test(arguments: [1, 31, 32, 33, 500])
    func everySettingInTheRangeCountsHoweverManyThereWere(count: Int) {
        var offsets = UnixTimeOffsets()
        offsets.note(unixTime: 500 * Self.second, at: Self.start)
        for number in 1...count {
            let boot = Self.start + .seconds(Int64(number))
            let jump: Int64 = number % 2 == 0 ? -100 : 100
            offsets.note(unixTime: (500 + Int64(number) + jump) * Self.second, at: boot)
        }
        let end = Self.start + .seconds(Int64(count) + 1)
        let range = offsets.milliseconds(from: Self.start, to: end)
        #expect(range.from == (count > 1 ? 400_000 : 500_000))
        #expect(range.to == 500_000 + (Int64(count) + 1) * 1_000 + 100_000)
    }

    @Test func aClockThatIsSlewedIsCoveredOverItsWholeWay() {
        var offsets = UnixTimeOffsets()
        // Half a millisecond a second, as time servers do it, for a hundred seconds.
        for number in 0...100 {
            offsets.note(
                unixTime: (1_000 + Int64(number)) * Self.second + Int64(number) * 500_000,
                at: Self.start + .seconds(Int64(number)))
        }
        let range = offsets.milliseconds(from: Self.start, to: Self.start + .seconds(100))
        #expect(range.from == 1_000_000)
        #expect(range.to == 1_100_050)
    }
}
