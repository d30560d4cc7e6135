@testable import Relay
@testable import Simulation
import Testing

/// Sentinels asked for the master, and what becomes of their answers.
@Suite struct SentinelTests {
    private static let sentinels: [UInt16] = [26_379, 26_380, 26_381]

    /// A daemon whose service `mymaster` is at first at port 7001.
    private static func daemon(
        master: (host: String, port: UInt16)? = ("10.0.0.1", 7001),
        _ change: (inout Settings) -> Void = { _ in },
        prepare: (SimulatedRedis, World) -> Void = { _, _ in }
    ) -> SimulatedDaemon {
        SimulatedDaemon(
            { settings in
                settings.redis.address = .sentinel(
                    SentinelService(
                        name: "mymaster",
                        sentinels: sentinels.map { .init(host: "sentinel\($0)", port: $0) }))
                settings.redisMaxRetries = 0
                change(&settings)
            },
            prepare: { redis, world in
                redis.sentinels = Set(sentinels)
                if let master { redis.masters["mymaster"] = master }
                prepare(redis, world)
            })
    }

    private static func commands(_ daemon: SimulatedDaemon, at port: UInt16) -> [[String]] {
        daemon.redis.sessions.filter { $0.connection.port == port }.flatMap(\.commands)
    }

    // MARK: - The way to the master

    @Test func theMasterIsAskedForAtEveryDialAndMessagesComeFromIt() {
        let daemon = Self.daemon()
        #expect(daemon.phase == .serving)
        let page = daemon.open()
        let question = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster"]
        #expect(Self.commands(daemon, at: 26_379) == [question, question])
        #expect(daemon.redis.subscribers.map(\.connection.port) == [7001])
        daemon.redis.publish("run:status", "hello")
        daemon.settle()
        #expect(page.statuses == ["hello"])
        // The question's connection is closed as soon as it is answered.
        #expect(daemon.world.openDescriptors == 3)
        #expect(daemon.log.lines(#""address":"127.0.0.1:7001""#).count == 1)
    }

    @Test func theMastersHostMayBeAName() {
        let daemon = Self.daemon(master: ("cache.example", 7001))
        #expect(daemon.phase == .serving)
        #expect(daemon.world.lookUps == ["sentinel26379", "cache.example"])
    }

    @Test(arguments: [World.DialPolicy.refuse, .blackHole])
    func aSentinelThatIsAwayIsPassedOverAndTheOneThatAnswersIsAskedFirstFromThenOn(
        policy: World.DialPolicy
    ) {
        let daemon = Self.daemon({ _ in }) { _, world in world.portPolicies[26_379] = policy }
        daemon.advance(.seconds(2))
        #expect(daemon.phase == .serving)
        #expect(daemon.log.linkFailures.isEmpty)
        let dials = daemon.world.dials.count
        #expect(daemon.open().messages == ["ping"])
        #expect(daemon.world.dials.count == dials + 2)
        #expect(Self.commands(daemon, at: 26_380).count == 2)
    }

    @Test func aSentinelThatDoesNotAnswerIsPassedOverWhenItsTimeIsUp() {
        let daemon = Self.daemon({ _ in }) { redis, _ in redis.silentPorts = [26_379, 26_380] }
        daemon.advance(.milliseconds(1_999))
        #expect(daemon.phase == .starting)
        daemon.advance(.milliseconds(1))
        #expect(daemon.phase == .serving)
    }

    @Test func aSentinelWithoutATimeLimitForCommandsHasOneAllTheSame() {
        let daemon = Self.daemon({ $0.redisRequestTimeout = .zero }) { redis, _ in
            redis.silentPorts = [26_379]
        }
        daemon.advance(SentinelQuery.unlimitedAnswerLimit)
        #expect(daemon.phase == .serving)
    }

    // MARK: - A fail-over

    @Test func afterAFailOverTheStreamComesFromTheNewMaster() {
        let daemon = Self.daemon()
        let page = daemon.open()
        daemon.world.portPolicies[7001] = .refuse
        daemon.redis.kill(port: 7001)
        daemon.advance(.seconds(10))
        page.say(#"{"type":"pong"}"#)
        #expect(daemon.redis.subscribers.isEmpty)
        daemon.redis.masters["mymaster"] = ("10.0.0.2", 7002)
        daemon.advance(.seconds(30))
        #expect(daemon.redis.subscribers.map(\.connection.port) == [7002])
        daemon.redis.publish("run:status", "after")
        daemon.settle()
        #expect(page.statuses == ["after"])
    }

    @Test func aMasterThatWasReplacedAndLivesOnIsLeft() {
        let daemon = Self.daemon()
        let page = daemon.open()
        daemon.redis.masters["mymaster"] = ("10.0.0.2", 7002)
        daemon.advance(.seconds(5))
        #expect(daemon.log.lines(#""cause":"not_master""#).count == 1)
        #expect(daemon.relay.unreadiness.isEmpty)
        daemon.advance(.seconds(3))
        #expect(daemon.redis.subscribers.map(\.connection.port) == [7002])
        #expect(page.messages.filter { $0 == "hangup" }.isEmpty && page.closeCode == nil)
        #expect(daemon.log.lines("redis answers").count == 2)
    }

    @Test func whileTheMasterStaysNothingChangesButTheProbesConnection() {
        let daemon = Self.daemon()
        let page = daemon.open()
        let session = daemon.redis.subscribers[0].connection
        for _ in 0..<600 {
            daemon.advance(.seconds(1))
            #expect(daemon.relay.unreadiness.isEmpty)
            page.say(#"{"type":"pong"}"#)
        }
        #expect(!session.isClosed)
        #expect(daemon.log.lines("redis answers").count == 1)
        #expect(daemon.log.linkFailures.isEmpty)
        #expect(daemon.world.openDescriptors == 3)
    }

    @Test func aProbeThatFindsNoSentinelAnyMoreIsNotReady() {
        let daemon = Self.daemon()
        for port in Self.sentinels { daemon.world.portPolicies[port] = .refuse }
        daemon.advance(.seconds(6))
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
        daemon.world.portPolicies = [:]
        daemon.advance(.seconds(30))
        #expect(daemon.relay.unreadiness.isEmpty)
    }

    @Test(arguments: [(false, false), (true, false), (false, true)])
    func aMasterThatIsNoneIsNotSubscribedTo(isOld: Bool, hidesRole: Bool) {
        let daemon = Self.daemon({ _ in }) { redis, _ in
            redis.isOld = isOld
            redis.hidesRole = hidesRole
            redis.replicas = [7001]
        }
        #expect(daemon.phase == .starting)
        #expect(daemon.log.lines(#""cause":"not_master""#).count == 1)
        daemon.redis.replicas = []
        daemon.advance(.seconds(30))
        #expect(daemon.phase == .serving)
        #expect(daemon.open().messages == ["ping"])
    }

    // MARK: - Sentinels that are of no help

    @Test func whereNoSentinelAnswersTheStartIsRetried() {
        let daemon = Self.daemon({ _ in }) { _, world in
            for port in Self.sentinels { world.portPolicies[port] = .refuse }
        }
        #expect(daemon.phase == .starting)
        #expect(daemon.world.dials.count == 3)
        let lines = daemon.log.lines("no Sentinel has named a master: connection refused")
        #expect(lines.count == 1 && lines[0].contains(#""cause":"sentinel""#))
        daemon.world.portPolicies = [:]
        daemon.advance(.seconds(5))
        #expect(daemon.phase == .serving)
    }

    @Test func aServiceThatNoneKnowsIsToldAndRetried() {
        let daemon = Self.daemon(master: nil, { _ in }) { _, world in
            world.portPolicies[26_381] = .refuse
        }
        #expect(daemon.phase == .starting)
        let lines = daemon.log.lines("no Sentinel knows the service mymaster")
        #expect(lines.count == 1 && lines[0].contains(#""cause":"unknown_service""#))
        daemon.redis.masters["mymaster"] = ("10.0.0.1", 7001)
        daemon.advance(.seconds(5))
        #expect(daemon.phase == .serving)
    }

    @Test(arguments: [
        "*2\r\n$8\r\n10.0.0.1\r\n$1\r\n0\r\n", "*2\r\n$0\r\n\r\n$4\r\n7001\r\n",
        "*2\r\n$8\r\n10.0.0.1\r\n$5\r\n65536\r\n", "*1\r\n$8\r\n10.0.0.1\r\n", "+OK\r\n", ":1\r\n",
        "*2\r\n$8\r\n10.0.0.1\r\n*0\r\n", "$-7\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n",
        "*2\r\n$254\r\n\(String(repeating: "h", count: 254))\r\n$4\r\n7001\r\n",
        "-ERR unknown command 'SENTINEL'\r\n", "-NOPERM no\r\n", "",
    ])
    func nonsenseOfOneSentinelIsPassedOver(answer: String) {
        let daemon = Self.daemon({ _ in }) { redis, _ in redis.answers[26_379] = answer }
        #expect(daemon.phase == .serving)
        #expect(daemon.redis.sessions.map(\.connection.port) == [26_379, 26_380, 7001])
        #expect(daemon.world.openDescriptors == 1)
    }

    // MARK: - Credentials

    @Test func theSentinelsGetTheirOwnCredentialsAndTheMasterIts() {
        let daemon = Self.daemon { settings in
            settings.redis.password = Secret("hunter2")
            settings.redisSentinelUsername = "watcher"
            settings.redisSentinelPassword = Secret("swordfish")
        }
        #expect(daemon.phase == .serving)
        let asked = Self.commands(daemon, at: 26_379)
        #expect(asked[0] == ["AUTH", "watcher", "swordfish"])
        #expect(asked[1][0] == "SENTINEL")
        let said = Self.commands(daemon, at: 7001).joined()
        #expect(said.contains("hunter2") && !said.contains("swordfish"))
        #expect(!asked.joined().contains("hunter2"))
        #expect(daemon.log.lines("swordfish").isEmpty && daemon.log.lines("hunter2").isEmpty)
    }

    @Test func wrongCredentialsOfTheSentinelsEndTheStart() {
        let daemon = Self.daemon({ $0.redisSentinelPassword = Secret("swordfish") }) { redis, _ in
            redis.errors["AUTH"] = "WRONGPASS invalid username-password pair or user is disabled."
        }
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains("Sentinel") && fatal.contains("WRONGPASS"))
        #expect(!fatal.contains("swordfish"))
    }

    @Test func theTraceShowsNoPasswordOfASentinel() {
        var trace = TraceOptions()
        trace.isOn = true
        let daemon = SimulatedDaemon(
            { settings in
                settings.redis.address = .sentinel(
                    SentinelService(name: "mymaster", sentinels: [.init(host: "s", port: 26_379)]))
                settings.redisSentinelPassword = Secret("swordfish")
            }, trace: trace,
            prepare: { redis, _ in
                redis.sentinels = [26_379]
                redis.masters["mymaster"] = ("10.0.0.1", 7001)
            })
        daemon.settle()
        // Servers of all kinds have repeated what they were sent.
        daemon.redis.answers[26_379] = "-ERR what is swordfish?\r\n"
        _ = daemon.open()
        let text = daemon.traced.takeText()
        #expect(text.contains("GET-MASTER-ADDR-BY-NAME") && text.contains("10.0.0.1"))
        #expect(text.contains("what is ***?") && !text.contains("swordfish"))
    }
}
