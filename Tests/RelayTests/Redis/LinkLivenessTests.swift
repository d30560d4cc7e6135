@testable import Relay
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
    ])
    func anAnswerWithAnotherNonceEndsTheLink(answer: String) {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.redis.isSilent = true
        daemon.advance(.milliseconds(5_500))
        daemon.redis.subscribers[0].connection.toDaemon += answer.utf8
        daemon.settle()
        #expect(daemon.log.lines("the answer to another PING").count == 1)
        #expect(daemon.log.lines(#""cause":"protocol""#).count == 1)
    }

    @Test func aUserWhoMayNotPingIsServedAndItsLinksAreNotStalled() {
        let refusal = "NOPERM this user has no permissions to run the 'ping' command"
        let daemon = SimulatedDaemon(redisErrors: ["PING": refusal])
        #expect(daemon.phase == .serving)
        let page = daemon.open()
        for _ in 0..<20 {
            daemon.advance(.seconds(30))
            page.say(Self.pong)
        }
        daemon.redis.publish("run:status", "hello")
        daemon.settle()
        #expect(page.statuses == ["hello"])
        #expect(daemon.redis.sessions.count == 2)
    }

    @Test func theProbeOfAUserWhoMayNotPingOnlyHasToBeAllowedToSubscribe() {
        let ping = "NOPERM User relay has no permissions to run the 'ping' command"
        let channel = "NOPERM No permissions to access one of the channels used as arguments"
        let narrow = SimulatedDaemon(redisErrors: ["PING": ping, "SUBSCRIBE": channel])
        #expect(narrow.phase == .serving)
        let command = "NOPERM User channels has no permissions to run the 'subscribe' command"
        let none = SimulatedDaemon(redisErrors: ["PING": ping, "SUBSCRIBE": command])
        guard case .stopped(let fatal?) = none.phase else {
            Issue.record("the daemon goes on: \(none.phase)")
            return
        }
        #expect(fatal.contains("'subscribe'"))
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

    @Test func aDialThatIsNotDecidedIsGivenUpAfterItsLimit() {
        let daemon = SimulatedDaemon(dialPolicy: .blackHole)
        daemon.advance(RedisLink.dialLimit - .milliseconds(1))
        #expect(daemon.log.lines("no connection in time").isEmpty)
        daemon.advance(.milliseconds(1))
        #expect(daemon.log.lines("no connection in time").count == 1)
    }

    // MARK: - Addresses

    private static func addresses(_ ports: ClosedRange<UInt16>) -> [SocketAddress] {
        ports.compactMap { SocketAddress(numeric: "127.0.0.1", port: $0) }
    }

    @Test(arguments: [World.DialPolicy.refuse, .blackHole])
    func theAddressesOfANameAreTriedInTurn(policy: World.DialPolicy) {
        let daemon = SimulatedDaemon(prepare: { _, world in
            world.addresses["redis.test"] = Self.addresses(7001...7003)
            world.portPolicies = [7001: policy, 7002: policy]
        })
        daemon.advance(RedisLink.dialLimit * 2)
        #expect(daemon.phase == .serving)
        #expect(daemon.redis.sessions.map(\.connection.port) == [7003])
        #expect(daemon.log.linkFailures.isEmpty)
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

    @Test func aNameWithVeryManyAddressesIsNotTriedForEver() {
        let daemon = SimulatedDaemon(prepare: { _, world in
            world.addresses["redis.test"] = Self.addresses(7001...7100)
            world.dialPolicy = .refuse
        })
        #expect(daemon.world.dials.count == RedisLink.addressLimit)
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
        connection.readError = .timedOut
        connection.isReset = true
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
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.advance(.seconds(30))
        func number(_ name: String, _ line: String) throws -> Int {
            let rest = try #require(line.firstRange(of: "\"\(name)\":")).upperBound
            return try #require(Int(line[rest...].prefix { $0.isNumber }))
        }
        let lines = daemon.log.linkFailures
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
