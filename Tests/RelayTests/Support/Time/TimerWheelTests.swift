@testable import Relay
import Testing

/// The timer wheel against a list that is searched.
@Suite struct TimerWheelTests {
    private static let start = Instant(nanoseconds: 5_000_000_123)

    private static func owner(_ number: Int) -> Token {
        Token(.client, SlotID(index: UInt32(number), generation: 0))
    }

    private static func expire(
        _ wheel: inout TimerWheel, at now: Instant, limit: Int = .max
    ) -> [Int] {
        var owners: [Token] = []
        _ = wheel.expire(now: now, limit: limit, into: &owners)
        return owners.map { Int($0.id.index) }
    }

    @Test(
        arguments: [
            0, 1, 63, 64, 65, 4095, 4096, 4097, 262_143, 262_144, 1 << 24, (1 << 30) + 7, 1 << 36,
            1 << 40,
        ] as [Int64])
    func aTimerFiresAtItsDeadlineAndNotBefore(milliseconds: Int64) {
        var wheel = TimerWheel(start: Self.start)
        let timer = wheel.makeTimer(owner: Self.owner(1))
        let deadline = Self.start + .milliseconds(milliseconds)
        wheel.arm(timer, at: deadline)
        if milliseconds > 0 {
            #expect(Self.expire(&wheel, at: deadline + Nanoseconds(-1)) == [])
        }
        #expect(Self.expire(&wheel, at: deadline) == [1])
        #expect(wheel.armedCount == 0)
        #expect(wheel.nextExpiry == nil)
    }

    @Test func aDeadlineBetweenTicksIsRoundedUp() {
        var wheel = TimerWheel(start: Self.start)
        let timer = wheel.makeTimer(owner: Self.owner(1))
        wheel.arm(timer, at: Self.start + Nanoseconds(1_000_001))
        #expect(Self.expire(&wheel, at: Self.start + Nanoseconds(1_999_999)) == [])
        #expect(Self.expire(&wheel, at: Self.start + Nanoseconds(2_000_000)) == [1])
    }

    @Test func aDeadlineInThePastFiresAtOnce() {
        var wheel = TimerWheel(start: Self.start)
        _ = Self.expire(&wheel, at: Self.start + .seconds(100))
        let timer = wheel.makeTimer(owner: Self.owner(1))
        wheel.arm(timer, at: Self.start)
        #expect(Self.expire(&wheel, at: Self.start + .seconds(100)) == [1])
    }

    @Test func aDisarmedTimerDoesNotFire() {
        var wheel = TimerWheel(start: Self.start)
        let timers = (0..<3).map { wheel.makeTimer(owner: Self.owner($0)) }
        for timer in timers { wheel.arm(timer, at: Self.start + .seconds(1)) }
        wheel.disarm(timers[1])
        wheel.disarm(timers[1])
        #expect(wheel.armedCount == 2)
        #expect(Self.expire(&wheel, at: Self.start + .seconds(1)).sorted() == [0, 2])
    }

    @Test func armingAgainReplacesTheFormerDeadline() {
        var wheel = TimerWheel(start: Self.start)
        let timer = wheel.makeTimer(owner: Self.owner(1))
        wheel.arm(timer, at: Self.start + .seconds(1))
        wheel.arm(timer, at: Self.start + .seconds(2))
        #expect(Self.expire(&wheel, at: Self.start + .milliseconds(1999)) == [])
        #expect(Self.expire(&wheel, at: Self.start + .seconds(2)) == [1])
    }

    @Test func aReleasedTimersPlaceIsUsedAgain() {
        var wheel = TimerWheel(start: Self.start)
        let first = wheel.makeTimer(owner: Self.owner(1))
        wheel.arm(first, at: Self.start + .seconds(1))
        wheel.release(first)
        let second = wheel.makeTimer(owner: Self.owner(2))
        wheel.arm(second, at: Self.start + .seconds(3))
        #expect(first == second)
        #expect(Self.expire(&wheel, at: Self.start + .seconds(2)) == [])
        #expect(Self.expire(&wheel, at: Self.start + .seconds(3)) == [2])
    }

    @Test func theWorkOfOneTurnIsBounded() {
        var wheel = TimerWheel(start: Self.start)
        for number in 0..<100 {
            wheel.arm(wheel.makeTimer(owner: Self.owner(number)), at: Self.start + .seconds(1))
        }
        let now = Self.start + .seconds(1)
        var fired: [Token] = []
        var turns = 0
        while wheel.expire(now: now, limit: 10, into: &fired) { turns += 1 }
        #expect(fired.count == 100)
        #expect(turns >= 10)
    }

    @Test(arguments: [1, 2, 3] as [UInt64])
    func itAgreesWithAPlainList(seed: UInt64) {
        var random = SplitMix64(seed: seed)
        var wheel = TimerWheel(start: Self.start)
        var plain: [Int: Instant] = [:]
        let timers = (0..<200).map { wheel.makeTimer(owner: Self.owner($0)) }
        var now = Self.start
        for _ in 0..<5000 {
            let number = Int.random(in: 0..<timers.count, using: &random)
            switch Int.random(in: 0..<10, using: &random) {
            case 0..<6:
                let reach = Int64(1) << Int64.random(in: 0..<38, using: &random)
                let deadline = now + Nanoseconds(Int64.random(in: 0...reach, using: &random))
                wheel.arm(timers[number], at: deadline)
                plain[number] = deadline
            case 6:
                wheel.disarm(timers[number])
                plain[number] = nil
            default:
                let reach = Int64(1) << Int64.random(in: 0..<36, using: &random)
                now = now + Nanoseconds(Int64.random(in: 0...reach, using: &random))
                let fired = Set(Self.expire(&wheel, at: now))
                // Within the tick of the deadline either answer is right.
                let due = Set(plain.filter { $0.value + .milliseconds(1) <= now }.keys)
                let early = plain.filter { $0.value > now }.keys
                #expect(due.isSubset(of: fired))
                #expect(fired.isDisjoint(with: early))
                for number in fired { plain[number] = nil }
            }
            #expect(wheel.armedCount == plain.count)
            if let next = wheel.nextExpiry, let first = plain.values.min() {
                #expect(next <= first + .milliseconds(1))
            }
        }
    }

    // MARK: - Many timers

    /// What a plain list says of each timer, against what the wheel did.
    private struct Outcome {
        var fired = 0
        /// Expiries of which the wheel said that more wait, although they lasted too long.
        var calls = 0
        var isEarly = false
        /// The largest lateness that is not the turn's own: the wheel's.
        var lateness = Nanoseconds.zero
    }

    /// Turns a wheel each millisecond, with `limit` timers a call, until it says that none waits.
    private static func run(
        _ wheel: inout TimerWheel, deadlines: inout [Instant], until end: Instant, limit: Int,
        from begin: Instant, rearm: (Int, Instant) -> Instant?, timers: [TimerID]
    ) -> Outcome {
        var outcome = Outcome()
        var now = begin
        var owners: [Token] = []
        while now < end {
            now = now + .milliseconds(1)
            var waits = true
            while waits {
                owners.removeAll(keepingCapacity: true)
                waits = wheel.expire(now: now, limit: limit, into: &owners)
                outcome.calls += 1
                for owner in owners {
                    let number = Int(owner.id.index)
                    outcome.fired += 1
                    outcome.isEarly = outcome.isEarly || deadlines[number] > now
                    outcome.lateness = max(outcome.lateness, now - deadlines[number])
                    if let next = rearm(number, now) {
                        deadlines[number] = next
                        wheel.arm(timers[number], at: next)
                    }
                }
            }
        }
        return outcome
    }

    @Test(arguments: [
        (1, 1), (4_096, 4_096), (4_097, 4_096), (8_000, 4_096), (9_000, 64), (60_000, 4_096),
        (200_000, 4_096), (200_000, 100_000),
    ])
    func noTimerIsLateByMoreThanATickHoweverManyThereAre(count: Int, limit: Int) {
        var random = SplitMix64(seed: UInt64(count))
        var wheel = TimerWheel(start: Self.start)
        let timers = (0..<count).map { wheel.makeTimer(owner: Self.owner($0)) }
        // All within one slot of a higher level, as the heartbeats of pages that are idle.
        var deadlines = timers.map { _ in
            Self.start + .milliseconds(5_000)
                + Nanoseconds(Int64.random(in: 0..<4_000_000_000, using: &random))
        }
        for (timer, deadline) in zip(timers, deadlines) { wheel.arm(timer, at: deadline) }
        let outcome = Self.run(
            &wheel, deadlines: &deadlines, until: Self.start + .seconds(14), limit: limit,
            from: Self.start, rearm: { _, _ in nil }, timers: timers)
        #expect(outcome.fired == count)
        #expect(!outcome.isEarly)
        #expect(outcome.lateness < .milliseconds(1))
        #expect(wheel.armedCount == 0)
    }

    @Test(arguments: [1, 7, 512])
    func heartbeatsThatAreArmedAgainWhileOthersExpireStayOnTime(limit: Int) {
        let count = 5_000
        var random = SplitMix64(seed: 11)
        var wheel = TimerWheel(start: Self.start)
        let timers = (0..<count).map { wheel.makeTimer(owner: Self.owner($0)) }
        var deadlines = timers.map { _ in
            Self.start + Nanoseconds(Int64.random(in: 0..<2_000_000_000, using: &random))
        }
        for (timer, deadline) in zip(timers, deadlines) { wheel.arm(timer, at: deadline) }
        let outcome = Self.run(
            &wheel, deadlines: &deadlines, until: Self.start + .seconds(10), limit: limit,
            from: Self.start, rearm: { _, now in now + .seconds(2) }, timers: timers)
        #expect(outcome.fired >= 4 * count)
        #expect(!outcome.isEarly)
        #expect(outcome.lateness < .milliseconds(1))
    }

    @Test func aCallThatEndsHalfWayThroughASlotGoesOnThereWhateverIsArmedMeanwhile() {
        var wheel = TimerWheel(start: Self.start)
        let count = 1_000
        for number in 0..<count {
            let timer = wheel.makeTimer(owner: Self.owner(number))
            wheel.arm(timer, at: Self.start + .milliseconds(4_096 + Int64(number % 64)))
        }
        // One move a firing, sixteen in all: the slot of four seconds is dealt out in many calls.
        let now = Self.start + .milliseconds(4_096)
        var owners: [Token] = []
        var calls = 1
        while wheel.expire(now: now, limit: 1, into: &owners) {
            let other = wheel.makeTimer(owner: Self.owner(count + calls))
            wheel.arm(other, at: now + .milliseconds(Int64(calls % 50) + 1))
            calls += 1
        }
        #expect(calls > 60)
        #expect(owners.count == 16)
    }

    @Test func aTimerBeyondTheHorizonIsNotDealtOutAgainAndAgain() {
        var wheel = TimerWheel(start: Self.start)
        _ = Self.expire(&wheel, at: Self.start + .milliseconds(5))
        let timer = wheel.makeTimer(owner: Self.owner(1))
        wheel.arm(timer, at: Self.start + .milliseconds(5 + (1 << 36)))
        var owners: [Token] = []
        #expect(!wheel.expire(now: Self.start + .seconds(1), limit: 4, into: &owners))
        #expect(owners.isEmpty)
        #expect((wheel.nextExpiry ?? Self.start) > Self.start + .seconds(3600))
    }
}
