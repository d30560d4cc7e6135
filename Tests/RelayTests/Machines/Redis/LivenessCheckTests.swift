import RESP
import Testing

@testable import Relay

/// When quiet links are asked: never all at once, and each in time.
@Suite struct LivenessCheckTests {
    private static let interval = Nanoseconds.seconds(5)
    private static let start = Instant(nanoseconds: 1_234_567_890_123)

    /// When each of so many links asks within `span`; every question is answered after `delay`.
    private static func questions(
        _ checks: inout [LivenessCheck], from start: Instant, for span: Nanoseconds,
        delay: Nanoseconds = .milliseconds(1)
    ) -> [Instant] {
        var asked: [Instant] = []
        let end = start + span
        for index in checks.indices {
            while checks[index].nextQuestion <= end {
                asked.append(checks[index].nextQuestion)
                checks[index].heard(now: checks[index].nextQuestion + delay)
            }
        }
        return asked
    }

    /// The most questions that fall within 10 ms.
    private static func crowd(_ asked: [Instant]) -> Int {
        let sorted = asked.sorted()
        var first = 0
        var largest = 0
        for last in sorted.indices {
            while sorted[last] - sorted[first] >= .milliseconds(10) { first += 1 }
            largest = max(largest, last - first + 1)
        }
        return largest
    }

    private static func checks(_ count: Int) -> [LivenessCheck] {
        var random = SplitMix64(seed: 1)
        return (0..<count).map { _ in
            var check = LivenessCheck(interval: interval, seed: random.next(), isRegular: false)
            check.begin(now: start)
            return check
        }
    }

    @Test func linksThatBecameLiveTogetherAreAskedOneAfterTheOther() {
        var checks = Self.checks(5_000)
        let asked = Self.questions(&checks, from: Self.start, for: .seconds(60))
        #expect(asked.count == 5_000 * 12)
        // 5,000 in half an interval: 20 in each 10 ms.
        #expect(Self.crowd(asked) < 60)
    }

    @Test func linksThatAreAnsweredTogetherAfterAStallAreSpreadAgain() {
        var checks = Self.checks(5_000)
        _ = Self.questions(&checks, from: Self.start, for: .seconds(20))
        let stall = Self.start + .seconds(31)
        for index in checks.indices { checks[index].heard(now: stall) }
        let asked = Self.questions(&checks, from: stall, for: .seconds(60))
        #expect(asked.count == 5_000 * 12)
        #expect(Self.crowd(asked) < 60)
    }

    @Test(arguments: [0, 1, 1_000_000, 2_499_999_999])
    func aLinkIsAskedWithinAnIntervalOfItsLastByteAndOnceAnInterval(delay: Int64) {
        for seed in 0..<50 as Range<UInt64> {
            var check = LivenessCheck(
                interval: Self.interval, seed: seed &* 0x9E37_79B9_7F4A_7C15, isRegular: false)
            check.begin(now: Self.start)
            var last = Self.start
            for number in 0..<10 {
                let next = check.nextQuestion
                #expect(next - last > Nanoseconds(Self.interval.count / 2))
                #expect(next - last <= Self.interval + Nanoseconds(delay))
                if number > 0 { #expect(next - last == Self.interval) }
                check.heard(now: next + Nanoseconds(delay))
                #expect(check.nextQuestion - (next + Nanoseconds(delay)) <= Self.interval)
                last = next
            }
        }
    }

    @Test func aBusyLinkIsNeverAsked() {
        var check = LivenessCheck(interval: Self.interval, seed: 99, isRegular: false)
        var now = Self.start
        check.begin(now: now)
        for _ in 0..<10_000 {
            now = now + .milliseconds(2_500)
            #expect(check.nextQuestion > now)
            check.heard(now: now)
        }
    }

    @Test func aBusyLinkWhoseGapsAreToldOfIsAskedOnceAnInterval() {
        var check = LivenessCheck(interval: Self.interval, seed: 99, isRegular: true)
        var (now, last) = (Self.start, Self.start)
        check.begin(now: now)
        var output = RESPEncoder()
        for number in 0..<10_000 {
            now = now + .milliseconds(10)
            check.heard(now: now)
            guard check.nextQuestion <= now else { continue }
            #expect(now - last <= Self.interval + .milliseconds(10))
            #expect(number < 500 || now - last >= Self.interval - .milliseconds(10))
            check.ping(now: now, output: &output)
            check.end()
            last = now
        }
        #expect(Self.start + .seconds(100) - last <= Self.interval)
    }

    @Test(arguments: [Nanoseconds(1), Nanoseconds(2), Nanoseconds(3), .max])
    func theSmallestAndTheLargestIntervalTrapNothing(interval: Nanoseconds) {
        for seed in [0, 1, .max, 1 << 63] as [UInt64] {
            var check = LivenessCheck(interval: interval, seed: seed, isRegular: false)
            #expect(check.nextQuestion == .never)
            check.begin(now: Self.start)
            #expect(check.nextQuestion > Self.start)
            check.begin(now: Instant(nanoseconds: .max - 1))
            #expect(check.nextQuestion == .never)
        }
    }

    @Test func theWholeRelayAsksItsLinksOneAfterTheOther() {
        let daemon = SimulatedDaemon {
            $0.redisDialRate = 1_000_000
            $0.redisDialConcurrency = 10_000
            $0.pongTimeout = .seconds(1_000)
        }
        let pages = (0..<400).map { daemon.open("/run:\($0)") }
        func pings() -> Int {
            daemon.redis.sessions.reduce(0) { $0 + $1.commands.count { $0[0] == "PING" } }
        }
        func largest() -> Int {
            var before = pings()
            var largest = 0
            for _ in 0..<500 {
                daemon.advance(.milliseconds(10))
                let now = pings()
                largest = max(largest, now - before)
                before = now
            }
            return largest
        }
        // 400 in half an interval: fewer than 2 in each 10 ms.
        #expect(largest() < 10)
        #expect(largest() < 10)
        // A message to all of them at one instant, as after a stall.
        for number in 0..<400 { daemon.redis.publish("run:\(number)", "x") }
        daemon.settle()
        #expect(largest() < 10)
        #expect(pages.allSatisfy { $0.closeCode == nil })
    }
}
