@testable import Relay
@testable import Simulation
import Testing

/// Redis was away and is back: the probe finds it soon, and all links are spared the rest of their waits.
@Suite struct RedisReturnsTests {
    /// The longest that a probe takes to ask again, with the default base of 1 s.
    private static let ask = Nanoseconds.milliseconds(500)

    /// The longest until all links have their turn, which those of single channels are spread over.
    private static func limit(_ mode: RedisSubscriptions) -> Nanoseconds {
        ask + .milliseconds(5) + (mode == .shared ? .zero : .seconds(1))
    }

    private static func goAway(_ daemon: SimulatedDaemon) {
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
    }

    /// When a connection to Redis was begun, in the time that follows.
    private static func dials(_ daemon: SimulatedDaemon, within span: Nanoseconds) -> [Instant] {
        let known = daemon.world.dials.count
        daemon.advance(span)
        return Array(daemon.world.dials.dropFirst(known))
    }

    // MARK: - The probe

    @Test func theProbeAsksBetweenAQuarterAndAHalfOfTheBaseHoweverLongRedisIsAway() {
        let daemon = SimulatedDaemon()
        Self.goAway(daemon)
        daemon.advance(.seconds(600))
        let times = Self.dials(daemon, within: .seconds(60))
        let waits = zip(times, times.dropFirst()).map { $1 - $0 }
        #expect(waits.count > 100)
        #expect(waits.allSatisfy { $0 >= .milliseconds(250) && $0 <= .milliseconds(501) })
        #expect(Set(waits).count > 20)
    }

    @Test func theProbeDoesNotWaitBehindTheLinksThatDial() {
        let daemon = SimulatedDaemon {
            $0.redisMaxRetries = 0
            $0.redisDialRate = 20
            $0.pongTimeout = .seconds(1_000)
        }
        for number in 0..<100 {
            _ = daemon.open("/run:\(number)")
            daemon.advance(.milliseconds(50))
        }
        Self.goAway(daemon)
        // A hundred links have waited for their first retry, and want to dial 20 a second.
        daemon.advance(.seconds(3) + .milliseconds(100))
        daemon.world.dialPolicy = .accept
        daemon.advance(Self.ask + .milliseconds(60))
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(daemon.redis.subscribers.count < 20)
    }

    @Test func aProbeWhosePasswordIsRefusedAsksByTheBackOff() {
        let daemon = SimulatedDaemon { $0.redis.password = Secret("hunter2") }
        daemon.redis.errors = ["HELLO": "WRONGPASS invalid username-password pair"]
        daemon.redis.kill()
        daemon.advance(.seconds(120))
        #expect(Self.dials(daemon, within: .seconds(60)).count < 10)
    }

    // MARK: - A password that has changed

    /// Redis keeps whom it has let in: the probe alone would go on as if all were well.
    @Test(arguments: [1, 3])
    func aLogInThatIsRefusedIsTheProbesTooWhateverLoopMeetsIt(loops: Int) {
        let daemon = SimulatedLoops(loops) { $0.redis.password = Secret("hunter2") }
        let former = (0..<loops).map { daemon.open("/former:\($0)") }
        daemon.redis.errors = ["HELLO": "WRONGPASS invalid username-password pair"]
        daemon.advance(.seconds(20))
        #expect(daemon.get("/ready").status == 200)
        // The last of the loops has the page.
        let page = daemon.open("/run:status")
        daemon.advance(.seconds(1))
        #expect(loops == 1 || daemon.connections.last == 2)
        #expect(daemon.get("/ready").body == #"["redis_unavailable"]"#)
        for number in former.indices { daemon.redis.publish("former:\(number)", "on") }
        daemon.settle()
        #expect(former.allSatisfy { $0.statuses == ["on"] })
        daemon.redis.errors = [:]
        daemon.advance(.seconds(30))
        #expect(daemon.get("/ready").status == 200)
        daemon.redis.publish("run:status", "live")
        daemon.settle()
        #expect(page.statuses == ["live"])
    }

    /// One that raced the change says nothing of those behind it.
    @Test func aProbeThatIsLetInAnewIsAwayForNoTimeAndAskedOnceAnInterval() {
        let daemon = SimulatedDaemon {
            $0.redis.password = Secret("hunter2")
            $0.redisRetryBase = .seconds(60)
            $0.redisRetryMax = .seconds(60)
        }
        let dials = daemon.world.dials.count
        for number in 1...3 {
            daemon.redis.refusedLogIns = 1
            _ = daemon.open("/run:\(number)")
            #expect(daemon.relay.unreadiness.isEmpty)
            // A dial for each page, and one of the probe.
            #expect(daemon.world.dials.count == dials + number + 1)
        }
        daemon.advance(.seconds(5))
        daemon.redis.refusedLogIns = 1
        _ = daemon.open("/run:later")
        #expect(daemon.redis.sessions.count { $0.isProbe } == 3)
    }

    @Test func whatTheProbeRepeatsIsLoggedOnceInTenSeconds() {
        let daemon = SimulatedDaemon()
        Self.goAway(daemon)
        daemon.advance(.seconds(100))
        let lines = daemon.log.lines("redis unavailable, retrying")
        #expect((8...14).contains(lines.count))
        #expect(lines.dropFirst(3).allSatisfy { $0.contains(#""suppressed":"#) })
    }

    // MARK: - The links

    @Test(arguments: [RedisSubscriptions.dedicated, .shared])
    func pagesAreSubscribedAgainAsSoonAsTheProbeIsHoweverLongTheirLinksWouldWait(
        mode: RedisSubscriptions
    ) {
        let daemon = SimulatedDaemon {
            $0.redisSubscriptions = mode
            $0.redisMaxRetries = 0
            $0.pongTimeout = .seconds(1_000)
        }
        let pages = (0..<20).map { daemon.open("/run:\($0)") }
        Self.goAway(daemon)
        daemon.advance(.seconds(120))
        daemon.world.dialPolicy = .accept
        daemon.advance(Self.limit(mode))
        for number in 0..<20 { daemon.redis.publish("run:\(number)", "back") }
        daemon.settle()
        #expect(pages.allSatisfy { $0.statuses == ["back"] })
    }

    @Test(arguments: [RedisSubscriptions.dedicated, .shared])
    func theLinksOfAllLoopsAre(mode: RedisSubscriptions) {
        let daemon = SimulatedLoops(3) {
            $0.redisSubscriptions = mode
            $0.redisMaxRetries = 0
            $0.pongTimeout = .seconds(1_000)
        }
        let pages = (0..<6).map { daemon.open("/run:\($0)") }
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.advance(.seconds(120))
        daemon.world.dialPolicy = .accept
        daemon.advance(Self.limit(mode))
        for number in 0..<6 { daemon.redis.publish("run:\(number)", "back") }
        daemon.settle()
        #expect(pages.allSatisfy { $0.statuses == ["back"] })
    }

    @Test func linksOfSingleChannelsAreSpreadOverTheBase() {
        let daemon = SimulatedDaemon {
            $0.redisDialRate = 1_000_000
            $0.redisMaxRetries = 0
            $0.pongTimeout = .seconds(1_000)
        }
        for number in 0..<100 { _ = daemon.open("/run:\(number)") }
        Self.goAway(daemon)
        daemon.advance(.seconds(120))
        daemon.world.dialPolicy = .accept
        let times = Self.dials(daemon, within: .seconds(2)).map { $0.nanoseconds / 100_000_000 }
        #expect(daemon.redis.subscribers.count == 100)
        let crowd = Dictionary(grouping: times) { $0 }.values.map(\.count).max() ?? 0
        #expect(crowd < 25)
    }

    @Test func theyComeThroughTheGateOneAfterTheOther() {
        let daemon = SimulatedDaemon {
            $0.redisMaxRetries = 0
            $0.pongTimeout = .seconds(1_000)
            $0.redisDialRate = 50
        }
        for number in 0..<80 { _ = daemon.open("/run:\(number)") }
        daemon.advance(.seconds(5))
        Self.goAway(daemon)
        daemon.advance(.seconds(120))
        daemon.world.dialPolicy = .accept
        let times = Self.dials(daemon, within: .seconds(3))
        #expect(daemon.redis.subscribers.count == 80)
        for start in times {
            #expect(times.count { $0 >= start && $0 - start < .milliseconds(100) } <= 12)
        }
    }

    @Test func aLinkThatRedisRefusesIsSparedFiveWaitsInARowAndNoMore() {
        let daemon = SimulatedDaemon { $0.redisMaxRetries = 0 }
        _ = daemon.open()
        daemon.redis.errors = ["SUBSCRIBE": "ERR max number of clients reached"]
        for _ in 0..<40 {
            daemon.redis.kill()
            daemon.advance(.seconds(1))
        }
        let dials = daemon.log.lines("redis subscribe failed").count
        // Forty returns; the back-off alone would have had it fail a few times.
        #expect((5...20).contains(dials))
    }

    @Test func aRedisThatStaysAwayIsGivenUpAsEver() {
        let daemon = SimulatedDaemon { $0.pongTimeout = .seconds(1_000) }
        let page = daemon.open()
        Self.goAway(daemon)
        daemon.advance(.seconds(3))
        #expect(!page.isClosed)
        daemon.advance(.seconds(100))
        page.read()
        #expect(page.closeCode == 1011)
        #expect(daemon.log.lines("redis subscribe failed").count == 4)
    }
}
