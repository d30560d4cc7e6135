@testable import Relay
@testable import Simulation
import Testing

/// Redis away, slow, silent, or unwilling.
@Suite struct RedisFaultTests {
    // MARK: - Start

    @Test func whoComesBeforeRedisHasAnsweredWaitsForThat() {
        let daemon = SimulatedDaemon(dialPolicy: .blackHole)
        let page = daemon.open()
        let health = daemon.get("/health")
        daemon.advance(.milliseconds(900))
        #expect(page.status == 0 && health.status == 0)
        // As soon as that time is over who asks is told.
        daemon.advance(.milliseconds(101))
        #expect(page.status == 503 && health.status == 200)
    }

    @Test func whoComesJustBeforeRedisAnswersIsLetIn() {
        let daemon = SimulatedDaemon(prepare: { redis, _ in redis.isSilent = true })
        let pages = (0..<30).map { daemon.open("/run:\($0)") }
        daemon.advance(.milliseconds(500))
        #expect(daemon.phase == .starting && pages.allSatisfy { $0.status == 0 })
        daemon.redis.isSilent = false
        daemon.settle()
        #expect(pages.allSatisfy { $0.status == 101 && $0.messages == ["ping"] })
    }

    @Test func untilRedisHasAnsweredUpgradesAreRefusedAndHealthIsGood() {
        let daemon = SimulatedDaemon(dialPolicy: .refuse)
        daemon.advance(.seconds(1))
        #expect(daemon.phase == .starting)
        #expect(daemon.open().status == 503)
        let health = daemon.get("/health")
        #expect(health.status == 200)
        #expect(health.body == "OK")
        let ready = daemon.get("/ready")
        #expect(ready.status == 503)
        #expect(ready.body == #"["redis_unavailable"]"#)
        daemon.world.dialPolicy = .accept
        daemon.advance(.seconds(30))
        #expect(daemon.get("/ready").status == 200)
        #expect(daemon.open().status == 101)
    }

    @Test(arguments: [
        World.DialPolicy.refuse, .blackHole, .unknownName,
    ])
    func retryableFailuresAtStartAreRetriedUpToTheCap(policy: World.DialPolicy) {
        let daemon = SimulatedDaemon({ $0.redisMaxRetries = 3 }, dialPolicy: policy)
        daemon.advance(.seconds(300))
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains("after 3 attempts"))
        #expect(daemon.log.linkFailures.count == 2)
    }

    @Test func withoutACapTheStartIsRetriedForEver() {
        let daemon = SimulatedDaemon({ $0.redisMaxRetries = 0 }, dialPolicy: .refuse)
        daemon.advance(.seconds(24 * 3600))
        #expect(daemon.phase == .starting)
        #expect(daemon.world.dials.count > 1000)
    }

    @Test(
        arguments: [
            "LOADING Redis is loading the dataset in memory", "BUSY Redis is busy",
            "ERR max number of clients reached", "TRYAGAIN later", "MASTERDOWN no master",
            "DENIED Redis is running in protected mode",
        ], ["HELLO", "SELECT", "PROBE"])
    func loadingAndBusyAreRetried(error: String, command: String) {
        let daemon = SimulatedDaemon({ $0.redisMaxRetries = 0 }, redisErrors: [command: error])
        #expect(daemon.phase == .starting)
        daemon.redis.errors = [:]
        daemon.advance(.seconds(30))
        #expect(daemon.phase == .serving)
    }

    @Test(arguments: [
        ("HELLO", "WRONGPASS invalid username-password pair or user is disabled.", "WRONGPASS"),
        ("SELECT", "NOPERM this user has no permissions to run the 'select' command", "NOPERM"),
        ("PROBE", "NOPERM this user has no permissions to run the 'subscribe' command", "NOPERM"),
        ("SELECT", "ERR DB index is out of range", "database"),
    ])
    func whatTheConfigurationHasWrongEndsTheStartAtOnce(
        command: String, error: String, named: String
    ) {
        let daemon = SimulatedDaemon(
            { $0.redis.password = Secret("hunter2") }, redisErrors: [command: error])
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains(named))
        #expect(!fatal.contains("hunter2"))
        #expect(!fatal.contains("\n"))
    }

    // MARK: - Back-off

    @Test func aLostLinkIsMadeAgainAndTheStreamGoesOn() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.kill()
        daemon.settle()
        #expect(daemon.redis.subscribers.isEmpty)
        daemon.advance(.seconds(3))
        #expect(daemon.redis.subscribers.count == 1)
        daemon.redis.publish("run:status", "back")
        daemon.settle()
        #expect(page.statuses == ["back"])
        #expect(daemon.metrics.redisReconnects == 1)
    }

    @Test func everyDelayLiesBetweenBaseAndMaximumAndTheFirstRetryIsJitteredToo() {
        var firsts: Set<Int64> = []
        for seed in 0..<200 as Range<UInt64> {
            var backoff = Backoff(seed: seed)
            for attempt in 0..<50 {
                let wait = backoff.next(base: .milliseconds(100), maximum: .seconds(3))
                let delay = wait.delay
                #expect((wait.shortest...wait.longest).contains(delay))
                #expect(wait.shortest == .milliseconds(100) && wait.longest <= .seconds(3))
                #expect(delay >= .milliseconds(100))
                #expect(delay <= (attempt == 0 ? .milliseconds(300) : .seconds(3)))
                if attempt == 0 { firsts.insert(delay.count) }
            }
        }
        #expect(firsts.count == 200)
    }

    @Test func manyLinksThatFailTogetherDoNotComeBackTogether() {
        let daemon = SimulatedDaemon { $0.redisDialRate = 100_000 }
        for number in 0..<300 { _ = daemon.open("/run:\(number)") }
        daemon.redis.kill()
        daemon.settle()
        let start = daemon.world.dials.count
        daemon.advance(.seconds(3))
        let redials = daemon.world.dials[start...].map { $0.nanoseconds / 100_000_000 }
        #expect(redials.count == 301)
        let crowd = Dictionary(grouping: redials, by: { $0 }).values.map(\.count).max() ?? 0
        // 300 over two seconds: 15 in each tenth of a second on average.
        #expect(crowd < 40)
    }

    @Test func theDialGateBoundsTheRate() {
        let daemon = SimulatedDaemon {
            $0.redisDialRate = 100
            $0.redisRetryBase = .milliseconds(1)
            $0.redisRetryMax = .milliseconds(1)
            $0.redisMaxRetries = 0
        }
        for number in 0..<50 {
            _ = daemon.open("/run:\(number)")
            daemon.advance(.milliseconds(20))
        }
        daemon.redis.kill()
        daemon.settle()
        let start = daemon.world.dials.count
        daemon.advance(.milliseconds(200))
        #expect((10...31).contains(daemon.world.dials.count - start))
        daemon.advance(.seconds(1))
        #expect(daemon.redis.subscribers.count == 50)
    }

    @Test func theDialGateBoundsTheDialsInFlight() {
        let daemon = SimulatedDaemon { $0.redisDialConcurrency = 4 }
        daemon.world.dialPolicy = .blackHole
        for number in 0..<20 { _ = daemon.open("/run:\(number)") }
        #expect(daemon.world.dials.count == 1 + 4)
    }

    @Test func anAcknowledgedSubscriptionResetsTheAttempts() {
        let daemon = SimulatedDaemon { $0.redisMaxRetries = 2 }
        let page = daemon.open()
        for _ in 0..<10 {
            daemon.redis.kill()
            daemon.advance(.seconds(40))
        }
        page.read()
        #expect(page.closeCode == 1008 || page.closeCode == nil)
        #expect(daemon.metrics.redisReconnects >= 2)
        #expect(!page.messages.contains("hangup"))
    }

    @Test(arguments: [true, false])
    func pastTheCapThePageGets1011AfterAHangupOnlyIfThatIsSet(sendsHangup: Bool) {
        let daemon = SimulatedDaemon {
            $0.redisMaxRetries = 3
            $0.sendsHangup = sendsHangup
        }
        let page = daemon.open()
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.advance(.seconds(60))
        #expect(page.messages.count { $0 == "hangup" } == (sendsHangup ? 1 : 0))
        #expect(page.closeCode == 1011)
        #expect(daemon.phase == .serving)
        #expect(daemon.log.lines("given_up_after_attempts").count == 1)
    }

    @Test func thePageIsKeptThroughALongOutageWithoutACap() {
        let daemon = SimulatedDaemon { $0.redisMaxRetries = 0 }
        let page = daemon.open()
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        for _ in 0..<100 {
            daemon.advance(.seconds(30))
            page.say(#"{"type":"pong"}"#)
        }
        daemon.world.dialPolicy = .accept
        daemon.advance(.seconds(31))
        daemon.redis.publish("run:status", "after the outage")
        daemon.settle()
        #expect(page.statuses == ["after the outage"])
    }

    // MARK: - Idle and stalled

    @Test func aQuietChannelStaysSubscribedAndLosesNothing() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for _ in 0..<120 {
            daemon.advance(.seconds(30))
            page.say(#"{"type":"pong"}"#)
        }
        daemon.redis.publish("run:status", "an hour later")
        daemon.settle()
        #expect(page.statuses == ["an hour later"])
        #expect(daemon.metrics.redisReconnects == 0)
        #expect(daemon.redis.sessions.count == 2)
    }

    @Test func aSilentLinkIsFoundStalledWithinPingIntervalAndTimeout() {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.redis.isSilent = true
        // A quarter of an interval is nobody asked; how long then is a matter of chance.
        daemon.advance(.milliseconds(2_000))
        #expect(daemon.log.lines("stalled").isEmpty)
        daemon.advance(.milliseconds(4_000))
        #expect(daemon.log.lines("stalled").count == 2)
        #expect(daemon.metrics.redisLinkFailures["stalled"] == 2)
        #expect(daemon.metrics.redisTimeouts >= 2)
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
    }

    @Test func anyByteIsLife() {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.redis.isSilent = true
        // Half of a message, byte by byte: no PING is answered, and yet the link lives.
        let connection = daemon.redis.subscribers[0].connection
        for byte in Array(">3\r\n$7\r\nmessage\r\n$10\r\nrun:status\r\n$100\r\n".utf8) {
            connection.toDaemon.append(byte)
            daemon.advance(.milliseconds(900))
        }
        #expect(!connection.isClosed)
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test func withoutARequestTimeoutNothingIsEverStalled() {
        let daemon = SimulatedDaemon { $0.redisRequestTimeout = .zero }
        _ = daemon.open()
        daemon.redis.isSilent = true
        daemon.advance(.seconds(60))
        #expect(daemon.metrics.redisTimeouts == 0)
    }

    @Test(arguments: [
        "+what\r\n", ">3\r\n+x\r\n", "!!!!\r\n", "$-7\r\n", "*99999999999999999999\r\n",
    ])
    func garbageFromRedisEndsTheLinkAndNotTheDaemon(bytes: String) {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.redis.subscribers[0].connection.toDaemon += bytes.utf8
        daemon.advance(.seconds(10))
        #expect(daemon.redis.subscribers.count == 1)
        #expect(daemon.phase == .serving)
    }

    @Test func aPageThatLeavesDuringTheDialTakesItsLinkAlong() {
        let daemon = SimulatedDaemon()
        daemon.world.dialPolicy = .blackHole
        let page = daemon.open()
        page.connection.isReset = true
        daemon.settle()
        #expect(page.isClosed)
        daemon.advance(.seconds(60))
        #expect(daemon.world.dials.count == 2)
        #expect(daemon.world.openDescriptors == 1)
    }
}
