@testable import Relay
@testable import Simulation
import Testing

/// What counts as life of a link, and what its end is put down to.
@Suite struct LinkLivenessTests {
    private static let pong = #"{"type":"pong"}"#

    // MARK: - PING and its answer

    @Test(arguments: [false, true])
    func thePingOfAQuietLinkIsAnsweredByItsNonce(isOld: Bool) {
        let daemon = SimulatedDaemon()
        daemon.redis.isOld = isOld
        _ = daemon.open()
        daemon.advance(.seconds(21))
        let pings = daemon.redis.subscribers[0].commands.filter { $0[0] == "PING" }
        #expect(pings.count == 4)
        #expect(Set(pings.map { $0[1] }).count == 4)
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test(arguments: [
        "$4\r\nbeef\r\n", "*2\r\n$4\r\npong\r\n$4\r\nbeef\r\n", "+PONG\r\n", ":1\r\n",
        ">3\r\n$9\r\nsubscribe\r\n$10\r\nrun:status\r\n:1\r\n", "%0\r\n", "_\r\n",
    ])
    func whateverAnswersAPingIsLife(answer: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.holds = "PING"
        daemon.advance(.milliseconds(5_000))
        #expect(daemon.redis.subscribers[0].commands.last?.first == "PING")
        daemon.redis.subscribers[0].connection.toDaemon += answer.utf8
        daemon.settle()
        daemon.redis.holds = nil
        for _ in 0..<10 {
            daemon.advance(.seconds(10))
            page.say(Self.pong)
        }
        daemon.redis.publish("run:status", "hello")
        daemon.settle()
        #expect(page.statuses == ["hello"])

        #expect(daemon.log.linkFailures.isEmpty)
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test(arguments: [
        "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist",
        "BUSY Redis is busy running a script.", "LOADING Redis is loading the dataset in memory",
        "MASTERDOWN Link with MASTER is down", "NOPERM this user has no permissions",
        "ERR only (P)SUBSCRIBE / (P)UNSUBSCRIBE / PING / QUIT allowed in this context",
        "ERR unknown command 'PING'", "NOAUTH Authentication required.", "WRONGPASS what",
        "ERR max number of clients reached", "DENIED", "",
    ])
    func anErrorIsAnAnswerToPingAndTheStartDoesNotAskForIt(error: String) {
        let daemon = SimulatedDaemon(redisErrors: ["PING": error])
        #expect(daemon.phase == .serving)
        let page = daemon.open()
        for number in 0..<7 {
            daemon.advance(.seconds(30))
            page.say(Self.pong)
            daemon.redis.publish("run:status", "\(number)")
            daemon.settle()
        }
        #expect(page.statuses == (0..<7).map(String.init))
        #expect(daemon.redis.sessions.count == 2)
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(daemon.log.lines("PING with an error").count == 20)
        #expect((daemon.metrics.redisRemarks["ping_error"] ?? 0) >= 40)
    }

    @Test func errorsThatNobodyWaitsForEndNoLink() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        for _ in 0..<100 { connection.toDaemon += "-ERR something\r\n-LOADING it\r\n".utf8 }
        daemon.redis.publish("run:status", "hello")
        daemon.settle()
        #expect(page.statuses == ["hello"])
        #expect(daemon.metrics.redisRemarks == ["error": 200])
        #expect(daemon.log.lines("redis sent an error").count == 5)
    }

    @Test func aUserWhoMayNotUnsubscribeIsLeftAtOnce() {
        let daemon = SimulatedDaemon(
            redisErrors: ["UNSUBSCRIBE": "NOPERM no permissions to run 'unsubscribe'"])
        let page = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        page.sendClose(1000)
        daemon.settle()
        #expect(connection.isClosed)
    }

    // MARK: - What the probe asks

    @Test func theProbeOfAUserWhoMayNotPingOnlyHasToBeAllowedToSubscribe() {
        let channel = "NOPERM No permissions to access one of the channels used as arguments"
        let narrow = SimulatedDaemon(redisErrors: ["PROBE": channel])
        #expect(narrow.phase == .serving)
        narrow.advance(.seconds(60))
        #expect(narrow.relay.unreadiness.isEmpty)
        // Redis keeps account of refusals: it is asked once, and then by PING.
        let commands = narrow.redis.sessions[0].commands.map { $0[0] }
        #expect(commands.count { $0 == "SUBSCRIBE" } == 1)
        #expect(commands.count { $0 == "PING" } == 24)
        let command = "NOPERM User channels has no permissions to run the 'subscribe' command"
        let none = SimulatedDaemon(redisErrors: ["PROBE": command])
        guard case .stopped(let fatal?) = none.phase else {
            Issue.record("the daemon goes on: \(none.phase)")
            return
        }
        #expect(fatal.contains("'subscribe'"))
    }

    @Test func aRedisThatTakesNoSubscriptionsAnyMoreIsNotReadyAndItsLinksGoOn() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.errors = [
            "PROBE": "BUSY Redis is busy running a script.", "PING": "BUSY Redis is busy",
        ]
        daemon.advance(.seconds(6))
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
        daemon.redis.publish("run:status", "by the script")
        daemon.settle()
        #expect(page.statuses == ["by the script"])
        daemon.redis.errors = [:]
        daemon.advance(.seconds(30))
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test(arguments: ["LOADING Redis is loading the dataset in memory", "MASTERDOWN no master"])
    func aRefusalOfTheSubscriptionThatPassesIsRetried(error: String) {
        let daemon = SimulatedDaemon({ $0.redisMaxRetries = 0 }, redisErrors: ["PROBE": error])
        #expect(daemon.phase == .starting)
        daemon.redis.errors = [:]
        daemon.advance(.seconds(30))
        #expect(daemon.phase == .serving)
    }

    // MARK: - Probes that are closed while idle

    @Test(arguments: [false, true])
    func aProbeThatIsClosedWhileIdleIsMadeAgainAndNobodySeesIt(isReset: Bool) {
        let daemon = SimulatedDaemon()
        for _ in 0..<20 {
            daemon.advance(.milliseconds(1_000))
            guard let probe = daemon.redis.sessions.last?.connection else { return }
            probe.isReset = isReset
            probe.peerHasEnded = true
            daemon.settle()
            #expect(daemon.relay.unreadiness.isEmpty)
        }
        #expect(daemon.redis.sessions.count == 21)
        #expect(daemon.metrics.redisLinkFailures.isEmpty)
        #expect(daemon.world.openDescriptors == 1)
    }

    @Test func whereThatFailsTheDaemonIsNotReady() {
        let daemon = SimulatedDaemon()
        daemon.advance(.seconds(2))
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.settle()
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
    }

    @Test func aServerThatClosesEveryConnectionAtOnceIsNotDialedWithoutPause() {
        let daemon = SimulatedDaemon()
        let dials = daemon.world.dials.count
        for _ in 0..<100 {
            daemon.redis.kill()
            daemon.advance(.milliseconds(100))
        }
        // In ten seconds; a probe asks at most once in a quarter of the base.
        #expect(daemon.world.dials.count - dials <= 40)
    }

    @Test func aChannelThatIsQuietForTenMinutesMakesNoReconnect() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for _ in 0..<20 {
            daemon.advance(.seconds(30))
            page.say(Self.pong)
        }
        #expect(daemon.metrics.redisReconnects == 0)
        #expect(daemon.log.linkFailures.isEmpty)
    }

    // MARK: - Addresses

    private static func addresses(_ ports: ClosedRange<UInt16>) -> [SocketAddress] {
        ports.compactMap { SocketAddress(numeric: "127.0.0.1", port: $0) }
    }

    @Test func theNameIsLookedUpAnewAtEveryDial() {
        let daemon = SimulatedDaemon(prepare: { _, world in
            world.addresses["redis.test"] = Self.addresses(7001...7001)
        })
        _ = daemon.open()
        daemon.world.addresses["redis.test"] = Self.addresses(7002...7002)
        daemon.redis.kill()
        daemon.advance(.seconds(4))
        #expect(daemon.world.lookUps.count == 4)
        #expect(daemon.redis.subscribers.map(\.connection.port) == [7002])
    }

    // MARK: - Ends

    private static func begun(_ payload: Int) -> [UInt8] {
        Array(">3\r\n$7\r\nmessage\r\n$10\r\nrun:status\r\n$\(payload)\r\nabc".utf8)
    }

    @Test(arguments: [false, true], [100, 1 << 21])
    func anEndInTheMidstOfAMessageIsPutDownToTheOutputBuffer(isReset: Bool, payload: Int) {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        connection.toDaemon += Self.begun(payload)
        daemon.settle()
        connection.isReset = isReset
        connection.peerHasEnded = true
        daemon.settle()
        #expect(daemon.log.lines(#""cause":"output_buffer""#).count == 1)
        daemon.advance(.seconds(4))
        #expect(daemon.redis.subscribers.count == 1)
    }

    @Test func anEndBetweenTwoMessagesIsNot() {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.redis.publish("run:status", "x")
        daemon.redis.subscribers[0].connection.peerHasEnded = true
        daemon.settle()
        #expect(daemon.log.lines(#""cause":"closed""#).count == 1)
    }

    @Test func aConnectionWithoutAcknowledgementsIsStalledAndNoFailedDial() {
        let daemon = SimulatedDaemon { $0.redisRequestTimeout = .zero }
        _ = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        connection.fail(with: .timedOut)
        daemon.settle()
        #expect(daemon.log.lines("acknowledges nothing").count == 1)
        #expect(daemon.log.lines(#""cause":"stalled""#).count == 1)
        #expect(daemon.metrics.redisTimeouts == 1)
    }

    @Test func theKernelIsToldHowLongToWait() {
        let daemon = SimulatedDaemon { $0.redisPingInterval = .seconds(7) }
        #expect(
            daemon.world.keepAlive
                == KeepAlive(pingInterval: .seconds(7), requestTimeout: .seconds(1)))
    }

    // MARK: - What is logged

    @Test func theDelayIsLoggedWithItsBounds() throws {
        let daemon = SimulatedDaemon {
            $0.redisRetryBase = .milliseconds(200)
            $0.redisRetryMax = .seconds(1)
            $0.redisMaxRetries = 0
        }
        _ = daemon.open()
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.advance(.seconds(30))
        func number(_ name: String, _ line: String) throws -> Int {
            let rest = try #require(line.firstRange(of: "\"\(name)\":")).upperBound
            return try #require(Int(line[rest...].prefix { $0.isNumber }))
        }
        let lines =
            daemon.log.lines("\"redis stream interrupted\"")
            + daemon.log.lines("\"redis subscribe failed\"")
        var previous = 200
        for line in lines {
            let delay = try number("retry_in_ms", line)
            let longest = try number("retry_max_ms", line)
            #expect(try number("retry_min_ms", line) == 200)
            #expect((200...longest).contains(delay))
            #expect(abs(longest - min(1000, 3 * previous)) <= 3)
            previous = delay
        }
        #expect(lines.count > 20)
    }
}
