import RESP
import Testing

@testable import Relay
@testable import Simulation

/// How servers are greeted that take `HELLO` in their own ways, and by whose name.
@Suite struct GreetingTests {
    private static func commands(_ daemon: SimulatedDaemon) -> [[String]] {
        daemon.redis.sessions[0].commands
    }

    // MARK: - RESP2

    /// What servers, proxies and managed services say to `HELLO`.
    private static let refusals = [
        "ERR unknown command 'HELLO'", "ERR unknown command `HELLO`, with args beginning with: `3`",
        "unsupported command 'HELLO'", "ERR unsupported command 'HELLO'",
        "ERR command 'HELLO' is not allowed", "ERR Command HELLO is disabled",
        "NOPROTO unsupported protocol version",
        "NOPROTO sorry, this protocol version is not supported",
        "NOPERM this user has no permissions to run the 'hello' command", "invalid request",
        "ERR syntax error", "ERR Syntax error in HELLO option 'SETNAME'",
        "ERR wrong number of arguments for 'hello' command",
        "ERR Protocol version is not an integer",
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO"
            + " <proto> AUTH <user> <pass> option can be used", "NOAUTH Authentication required.",
        "ERR unknown or unsupported command", "ERR", "", "MISCONF what", "READONLY what",
    ]

    @Test(arguments: refusals)
    func whateverHelloIsRefusedWithThePasswordIsGivenByAuth(refusal: String) {
        let daemon = SimulatedDaemon(
            { $0.redis.password = Secret("hunter2") }, redisErrors: ["HELLO": refusal])
        #expect(daemon.phase == .serving)
        #expect(
            Self.commands(daemon).map { $0.joined(separator: " ") } == [
                "HELLO 3 AUTH default hunter2 SETNAME status2", "AUTH hunter2",
                "CLIENT SETNAME status2", "SELECT 2", "SUBSCRIBE status2:probe",
            ])
        let page = daemon.open()
        daemon.advance(.seconds(20))
        daemon.redis.publish("run:status", "hello")
        daemon.settle()
        #expect(page.statuses == ["hello"])
        #expect(daemon.world.dials.count == 2)
    }

    @Test(arguments: refusals.filter { !$0.hasPrefix("NOAUTH") })
    func withoutAPasswordTheNameComesNext(refusal: String) {
        let daemon = SimulatedDaemon(redisErrors: ["HELLO": refusal])
        #expect(daemon.phase == .serving)
        #expect(Self.commands(daemon)[1] == ["CLIENT", "SETNAME", "status2"])
    }

    @Test func aServerThatAsksForAPasswordAndGetsNoneEndsTheStart() {
        let daemon = SimulatedDaemon(redisErrors: ["HELLO": "NOAUTH Authentication required."])
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains("NOAUTH"))
    }

    @Test(arguments: [
        "ERR unknown command 'CLIENT'", "NOPERM no permissions", "ERR syntax error",
        "ERR Client names cannot contain spaces", "unsupported command",
    ])
    func aServerThatKnowsNoNamesServesAllTheSame(refusal: String) {
        let daemon = SimulatedDaemon(redisErrors: ["HELLO": "ERR unknown", "CLIENT": refusal])
        #expect(daemon.phase == .serving)
        #expect(daemon.open().messages == ["ping"])
    }

    @Test(arguments: [
        (
            "ERR AUTH <password> called without any password configured for the default user.",
            "Redis asks for none"
        ),
        ("ERR unknown command 'AUTH', with args beginning with: 'hunter2'", "does not know AUTH"),
        ("WRONGPASS invalid username-password pair", "WRONGPASS"),
        ("ERR invalid password", "WRONGPASS"),
    ])
    func aRefusalOfAuthIsCalledWhatItIsAndNeverRepeatsThePassword(refusal: String, named: String) {
        let daemon = SimulatedDaemon(
            { $0.redis.password = Secret("hunter2") },
            redisErrors: ["HELLO": "ERR unknown command", "AUTH": refusal])
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains(named))
        #expect(!fatal.contains("hunter2"))
        #expect(daemon.log.lines("hunter2").isEmpty)
    }

    @Test func databaseZeroIsNotSelected() {
        let daemon = SimulatedDaemon(
            { $0.redis.database = 0 }, redisErrors: ["SELECT": "ERR SELECT is not allowed"])
        #expect(daemon.phase == .serving)
        #expect(daemon.open().messages == ["ping"])
    }

    // MARK: - Servers that close the connection at HELLO

    @Test func aServerThatClosesAtHelloIsDialedAgainOnceInRESP2() {
        let daemon = SimulatedDaemon({ _ in }, prepare: { redis, _ in redis.closesAt = "HELLO" })
        #expect(daemon.phase == .serving)
        #expect(daemon.world.dials.count == 2)
        #expect(daemon.redis.sessions[1].commands[0] == ["CLIENT", "SETNAME", "status2"])
        #expect(daemon.log.linkFailures.isEmpty)
        // It is remembered for the dials that follow, and not for ever.
        #expect(daemon.open().messages == ["ping"])
        #expect(daemon.world.dials.count == 3)
        daemon.redis.closesAt = nil
        let page = daemon.open("/run:other")
        #expect(daemon.redis.subscribers.last?.version == .resp2)
        for _ in 0..<21 {
            daemon.advance(.seconds(30))
            page.say(#"{"type":"pong"}"#)
        }
        _ = daemon.open("/run:third")
        #expect(daemon.redis.subscribers.last?.version == .resp3)
    }

    @Test func aServerThatRefusesHelloAndThenClosesIsDialedAgainOnceInRESP2() {
        let daemon = SimulatedDaemon(
            { $0.redis.password = Secret("pw") }, redisErrors: ["HELLO": "ERR unknown command"],
            prepare: { redis, _ in redis.closesAfterErrors = true })
        #expect(daemon.phase == .serving)
        #expect(daemon.world.dials.count == 2)
        #expect(daemon.redis.sessions[1].commands[0] == ["AUTH", "pw"])
        #expect(daemon.log.linkFailures.isEmpty)
        #expect(daemon.open().messages == ["ping"])
        #expect(daemon.world.dials.count == 3)
    }

    @Test func aServerThatRefusesThePasswordTooIsNotDialedAgainForThat() {
        let daemon = SimulatedDaemon(
            { $0.redis.password = Secret("pw") },
            redisErrors: ["HELLO": "ERR unknown command", "AUTH": "WRONGPASS"],
            prepare: { redis, _ in redis.closesAfterErrors = true })
        #expect(daemon.world.dials.count == 2)
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains("WRONGPASS"))
    }

    @Test func aServerThatClosesEveryConnectionIsDialedTwiceInAnAttempt() {
        let daemon = SimulatedDaemon(
            { $0.redisMaxRetries = 0 },
            prepare: { redis, _ in
                redis.answers[SimulatedDaemon.redisPort] = ""
            })
        #expect(daemon.world.dials.count == 2)
        #expect(daemon.log.lines(#""cause":"closed""#).count == 1)
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test func aServerThatIsKnownToAnswerHelloIsNotTriedInRESP2() {
        let daemon = SimulatedDaemon { $0.redisMaxRetries = 0 }
        daemon.redis.answers[SimulatedDaemon.redisPort] = ""
        let dials = daemon.world.dials.count
        _ = daemon.open()
        #expect(daemon.world.dials.count == dials + 1)
    }

    // MARK: - Who is logged in

    @Test func aUserWithoutAPasswordHasAnEmptyOneAndIsNobodyElse() {
        let daemon = SimulatedDaemon { $0.redis.username = "relay" }
        #expect(
            Self.commands(daemon)[0]
                == ["HELLO", "3", "AUTH", "relay", "", "SETNAME", "status2"])
        let old = SimulatedDaemon({ $0.redis.username = "relay" }, redisErrors: ["HELLO": "ERR"])
        #expect(Self.commands(old)[1] == ["AUTH", "relay", ""])
    }

    // MARK: - Whose messages are relayed

    private static func bulk(_ words: [String]) -> String {
        words.map { "$\($0.utf8.count)\r\n\($0)\r\n" }.joined()
    }

    @Test(
        arguments: [
            ["message", "run:statuS", "x"], ["message", "run:status2", "x"],
            ["message", "run:statu", "x"],
            ["message", "", "x"], ["message", "other:status", "x"],
            ["pmessage", "run:*", "run:status", "x"], ["smessage", "run:status", "x"],
        ], [">", "*"])
    func aMessageOfAnotherChannelOrKindReachesNobody(words: [String], type: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        let message = "\(type)\(words.count)\r\n" + Self.bulk(words)
        for _ in 0..<20 { connection.toDaemon += message.utf8 }
        daemon.redis.publish("run:status", "mine")
        daemon.settle()
        #expect(page.statuses == ["mine"])
        #expect(daemon.metrics.redisRemarks == ["foreign_message": 20])
        #expect(daemon.metrics.ledger.received == 1)
        #expect(daemon.log.lines("not subscribed to").count == 5)
        #expect(daemon.redis.subscribers.count == 1)
    }

    @Test func aForeignPayloadOverTheLimitIsNobodysLoss() {
        let daemon = SimulatedDaemon {
            $0.gapNotices = true
            $0.maxPayloadSize = 10
        }
        let page = daemon.open()
        let long = String(repeating: "x", count: 100)
        let message = ">3\r\n" + Self.bulk(["message", "other:status", long])
        daemon.redis.subscribers[0].connection.toDaemon += message.utf8
        daemon.redis.publish("run:status", "mine")
        daemon.settle()
        #expect(page.messages == ["ping", "status:mine"])
        #expect(daemon.metrics.ledger.received == 1)
    }

    @Test func theEndOfAnotherSubscriptionEndsNothing() {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        let end = ">3\r\n" + Self.bulk(["unsubscribe", "other:status"]) + ":1\r\n"
        daemon.redis.subscribers[0].connection.toDaemon += end.utf8
        daemon.settle()
        #expect(daemon.redis.subscribers.count == 1)
    }

    // MARK: - What is no Redis

    @Test(
        arguments: [
            (Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), "a web server"),
            (Array("<html>\r\n<head><title>400 Bad".utf8), "a web server"),
            (Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), "an SSH server"),
            ([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46], "rediss:// is meant"),
            ([0x16, 0x03, 0x03, 0x00], "rediss:// is meant"),
        ], [false, true])
    func aServerOfAnotherKindIsNamed(answer: (bytes: [UInt8], words: String), byByte: Bool) {
        let daemon = SimulatedDaemon(
            { $0.redisMaxRetries = 0 },
            prepare: { redis, _ in
                redis.isSilent = true
            })
        let connection = daemon.world.redisConnections[0]
        for byte in answer.bytes where !connection.isClosed {
            connection.toDaemon.append(byte)
            if byByte { daemon.settle() }
        }
        daemon.settle()
        #expect(daemon.log.lines(answer.words).count == 1)
        #expect(daemon.log.lines(#""cause":"wrong_server""#).count == 1)
    }

    // MARK: - Credentials that are read again

    @Test func changedCredentialsAreUsedByConnectionsToComeAndKeptOutOfTheTrace() {
        let source = RefreshedAccess()
        var trace = TraceOptions()
        trace.isOn = true
        let daemon = SimulatedDaemon(
            { $0.redis.password = Secret("first") }, trace: trace,
            refreshRedis: source.read)
        _ = daemon.open("/run:one")
        #expect(source.reads == 1)
        var settings = Settings()
        settings.redis = daemon.relay.settings.redis
        settings.redis.password = Secret("second")
        source.answer(.changed(RedisAccess(settings)))
        daemon.advance(.seconds(1))
        for number in 0..<5 { _ = daemon.open("/run:\(number)") }
        #expect(source.reads == 2)
        let words = daemon.redis.sessions.map { $0.commands[0][4] }
        #expect(words == ["first", "first"] + Array(repeating: "second", count: 5))
        #expect(daemon.redis.subscribers.count == 6)
        #expect(daemon.log.lines("redis credentials have changed").count == 1)
        source.answer(.refused("no such file"))
        daemon.advance(.seconds(1))
        _ = daemon.open("/run:last")
        #expect(daemon.redis.sessions.last?.commands[0][4] == "second")
        #expect(daemon.log.lines("the former ones stay in force").count == 1)
        daemon.redis.errors["PING"] = "ERR first and second"
        daemon.advance(.seconds(10))
        let lines = daemon.traced.takeText()
        #expect(lines.contains("*** and ***"))
        #expect(!lines.contains("second") && !lines.contains("first"))
    }

    @Test func aURLThatAsksForTLSWhereNoneIsSetUpStaysOutOfForce() {
        var settings = Settings()
        settings.redis.address = .tcp(host: "redis.test", port: SimulatedDaemon.redisPort)
        settings.redis.usesTLS = true
        let source = RefreshedAccess()
        source.answer(.changed(RedisAccess(settings)))
        let daemon = SimulatedDaemon(refreshRedis: source.read)
        #expect(daemon.phase == .serving)
        #expect(daemon.log.lines("takes a restart").count == 1)
    }
}
