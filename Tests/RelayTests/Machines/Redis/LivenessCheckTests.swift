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
            var check = LivenessCheck(interval: interval, seed: random.next(), duty: .link)
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
                interval: Self.interval, seed: seed &* 0x9E37_79B9_7F4A_7C15, duty: .link)
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
        var check = LivenessCheck(interval: Self.interval, seed: 99, duty: .link)
        var now = Self.start
        check.begin(now: now)
        for _ in 0..<10_000 {
            now = now + .milliseconds(2_500)
            #expect(check.nextQuestion > now)
            check.heard(now: now)
        }
    }

    @Test func aBusyLinkWhoseGapsAreToldOfIsAskedOnceAnInterval() {
        var check = LivenessCheck(interval: Self.interval, seed: 99, duty: .gaps)
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
            var check = LivenessCheck(interval: interval, seed: seed, duty: .link)
            #expect(check.nextQuestion == .never)
            check.begin(now: Self.start)
            #expect(check.nextQuestion > Self.start)
            check.begin(now: Instant(nanoseconds: .max - 1))
            #expect(check.nextQuestion == .never)
        }
    }

    // MARK: - Many links, and a probe that vouches for them

    @Test(
        arguments: [
            (0, 5), (250, 5), (300, 10), (599, 20), (5_000, 60), (1_000_000, 60),
        ] as [(Int, Int64)])
    func linksThatAreVouchedForShareTheirQuestions(links: Int, seconds: Int64) {
        #expect(
            LivenessCheck.patience(links: links, interval: Self.interval) == .seconds(seconds))
    }

    @Test(arguments: [Nanoseconds.zero, Nanoseconds(1), .seconds(90), .max])
    func patienceIsNeverLessThanAnInterval(interval: Nanoseconds) {
        let patience = LivenessCheck.patience(links: 1 << 40, interval: interval)
        #expect(patience >= interval && patience >= .seconds(60))
        #expect(LivenessCheck.patience(links: 0, interval: interval) >= interval)
    }

    @Test func aLinkWithPatienceIsAskedOnceInIt() {
        var checks = Self.checks(5_000)
        for index in checks.indices { checks[index].setPatience(.seconds(60)) }
        let asked = Self.questions(&checks, from: Self.start, for: .seconds(600))
        #expect(asked.count == 5_000 * 10)
        #expect(Self.crowd(asked) < 12)
    }

    @Test func neitherAProbeNorALinkWhoseGapsAreToldOfHasPatience() {
        for duty in [LivenessCheck.Duty.gaps, .probe] {
            var check = LivenessCheck(interval: Self.interval, seed: 3, duty: duty)
            check.begin(now: Self.start)
            let next = check.nextQuestion
            check.setPatience(.seconds(60))
            #expect(check.nextQuestion == next)
            check.suspect(within: Nanoseconds(1), now: Self.start)
            #expect(check.nextQuestion == next)
        }
    }

    @Test func suspectedLinksAreAskedWithinTheRoundButForThoseThatAreHeard() {
        var checks = Self.checks(5_000)
        let now = Self.start + .seconds(1)
        let span = LivenessCheck.roundLength(links: 5_000, interval: Self.interval)
        #expect(span == .milliseconds(1_250))
        for index in checks.indices {
            checks[index].setPatience(.seconds(60))
            checks[index].suspect(within: span, now: now)
        }
        #expect(checks.allSatisfy { $0.nextQuestion >= now && $0.nextQuestion < now + span })
        // 5,000 in 1,250 ms: 40 in each 10 ms.
        #expect(Self.crowd(checks.map(\.nextQuestion)) < 80)
        checks[7].heard(now: now)
        #expect(checks[7].nextQuestion > now + .seconds(29))
        // However short the interval is, Redis is not asked more often than it can answer.
        #expect(LivenessCheck.roundLength(links: 20_000, interval: .zero) == .seconds(2))
    }

    @Test(arguments: [
        (5_000, 1_000, 500), (5_000, 10_000, 1_250), (300, 300, 75), (5_000, 0, 1_250),
    ])
    func aProbeIsDoubtedInTimeToAskAllLinks(interval: Int64, timeout: Int64, trust: Int64) {
        var check = LivenessCheck(
            interval: .milliseconds(interval), timeout: .milliseconds(timeout), seed: 11,
            duty: .probe)
        var output = RESPEncoder()
        check.begin(now: Self.start)
        #expect(check.nextQuestion - Self.start <= .milliseconds(interval / 2))
        #expect(check.doubtAt == .never)
        check.ping(now: Self.start, output: &output)
        #expect(check.doubtAt == Self.start + .milliseconds(trust))
        // Half an interval, this, and the round are an interval at most: what is left is the answer.
        #expect(interval / 2 + trust + interval / 4 <= interval)
        check.end()
        #expect(check.doubtAt == .never)
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
