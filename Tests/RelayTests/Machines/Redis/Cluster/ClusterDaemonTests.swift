@testable import Relay
@testable import Simulation
import Testing

/// A daemon at a cluster of three masters whose slots move, and which do not always answer.
@Suite struct ClusterDaemonTests {
    /// Channels of the first, the second and the third master.
    private static let channels = ["run:7", "run:status", "run:0"]
    private static let ports: [UInt16] = [7001, 7002, 7003]

    private static func slot(_ channel: String) -> Int {
        Int(HashSlot(of: Array(channel.utf8)).number)
    }

    private static func daemon(
        _ mode: RedisSubscriptions, _ change: (inout Settings) -> Void = { _ in },
        prepare: (SimulatedRedis, World) -> Void = { _, _ in }
    ) -> SimulatedDaemon {
        SimulatedDaemon(
            { settings in
                settings.redis.address = .cluster(
                    ClusterSeeds(nodes: ports.map { RedisEndpoint(host: "10.0.0.1", port: $0) }))
                settings.redis.database = 0
                settings.redisSubscriptions = mode
                settings.gapNotices = true
                settings.pongTimeout = .seconds(600)
                change(&settings)
            },
            prepare: { redis, world in
                redis.slots = [
                    (0...5460, 7001), (5461...10_922, 7002), (10_923...16_383, 7003),
                ]
                prepare(redis, world)
            })
    }

    private static func subscribers(_ daemon: SimulatedDaemon, of channel: String) -> [UInt16] {
        daemon.redis.subscribers.filter { $0.channels.contains(channel) }
            .map(\.connection.port)
    }

    /// Says that a page has had a notice of this kind.
    private static func has(_ page: SimulatedPage, _ kind: String) -> Bool {
        page.messages.contains { $0.contains(#""type":"\#(kind)""#) || $0 == kind }
    }

    // MARK: - Where channels are

    @Test(arguments: RedisSubscriptions.allCases)
    func eachChannelIsHeardAtTheMasterOfItsSlot(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode)
        #expect(daemon.phase == .serving && daemon.relay.unreadiness.isEmpty)
        for channel in Self.channels {
            let page = daemon.open("/\(channel)")
            #expect(Self.subscribers(daemon, of: channel) == [daemon.redis.owner(of: channel)])
            daemon.redis.publish(channel, "to \(channel)")
            daemon.settle()
            #expect(page.statuses == ["to \(channel)"])
        }
        #expect(Set(daemon.redis.subscribers.map(\.connection.port)) == Set(Self.ports))
        #expect(daemon.log.linkFailures.isEmpty)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aRedirectionIsFollowedAtOnce(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode)
        let channel = Self.channels[0]
        daemon.redis.movedSlots[Self.slot(channel)] = 7003
        let page = daemon.open("/\(channel)")
        #expect(page.messages == ["ping"])
        #expect(Self.subscribers(daemon, of: channel) == [7003])
        #expect(daemon.metrics.clusterRedirections == 1)
        #expect(daemon.metrics.clusterMoves == 0)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func nodesThatNameEachOtherAreNotAskedWithoutEnd(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode) { $0.redisMaxRetries = 0 }
        let channel = Self.channels[0]
        let slot = Self.slot(channel)
        // Whoever is asked names a third that is away.
        daemon.redis.slotErrors[slot] = "MOVED \(slot) 10.0.0.1:7002"
        daemon.world.hand.portPolicies[7009] = .refuse
        _ = daemon.open("/\(channel)")
        daemon.advance(.seconds(20))
        let asked = daemon.redis.sessions.flatMap(\.commands).count { $0[0] == "SSUBSCRIBE" }
        #expect(asked > 1 && asked < 400)
        daemon.redis.slotErrors = [:]
        daemon.advance(.seconds(30))
        #expect(Self.subscribers(daemon, of: channel) == [7001])
    }

    // MARK: - Slots that go elsewhere

    @Test(arguments: RedisSubscriptions.allCases)
    func whatANodeHasEndedIsHeardAtTheNewMasterWithAGapNotice(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode)
        let pages = Self.channels.map { daemon.open("/\($0)") }
        let channel = Self.channels[0]
        daemon.advance(.seconds(10))
        daemon.redis.movedSlots[Self.slot(channel)] = 7002
        daemon.redis.withdraw(channel, at: 7001)
        daemon.settle()
        #expect(Self.has(pages[0], "outage"))
        // The nodes have not learned of it yet; the former master itself tells.
        daemon.advance(.seconds(3))
        #expect(Self.subscribers(daemon, of: channel) == [7002])
        #expect(Self.has(pages[0], "gap"))
        daemon.redis.publish(channel, "after")
        daemon.settle()
        #expect(pages[0].statuses == ["after"])
        #expect(daemon.metrics.clusterMoves >= 1)
        for page in pages.dropFirst() { #expect(!Self.has(page, "outage")) }
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func theReplicaIsFollowedWhenAMasterDies(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode) { $0.redisMaxRetries = 0 }
        let pages = Self.channels.map { daemon.open("/\($0)") }
        daemon.world.hand.portPolicies[7001] = .refuse
        daemon.redis.kill(port: 7001)
        daemon.advance(.seconds(20))
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.advance(.seconds(5))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7004])
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(Self.has(pages[0], "gap"))
        for page in pages.dropFirst() { #expect(!Self.has(page, "outage")) }
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aMasterThatHasBecomeAReplicaIsLeftWhenThatIsSure(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode)
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(10))
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.redis.replicas = [7001]
        daemon.advance(.seconds(10))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7004])
        #expect(Self.has(page, "gap"))
        #expect(daemon.relay.unreadiness.isEmpty)
    }

    @Test func whatAFormerMasterAcknowledgesAfterTheNewsIsTakenToItsSuccessorToo() throws {
        let daemon = Self.daemon(.shared) { $0.redisRequestTimeout = .seconds(30) }
        let names = (0..<1000).map { "run\($0):status" }
        let other = try #require(names.first { daemon.redis.owner(of: $0) == 7001 })
        _ = daemon.open("/\(Self.channels[0])")
        daemon.redis.silentPorts = [7001]
        let page = daemon.open("/\(other)")
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.redis.replicas = [7001]
        daemon.advance(.seconds(10))
        daemon.redis.silentPorts = []
        daemon.advance(.seconds(10))
        #expect(Self.subscribers(daemon, of: other) == [7004])
        #expect(page.messages.contains("ping"))
    }

    @Test func anEndThatNobodyAskedForIsNotTheAnswerToAnotherChannelsEnd() throws {
        let daemon = Self.daemon(.shared)
        let names = (0..<1000).map { "run\($0):status" }
        let other = try #require(names.first { daemon.redis.owner(of: $0) == 7001 })
        let leaving = daemon.open("/\(other)")
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(5))
        daemon.redis.silentPorts = [7001]
        leaving.sendClose(1000)
        daemon.settle()
        daemon.redis.movedSlots[Self.slot(Self.channels[0])] = 7002
        daemon.redis.withdraw(Self.channels[0], at: 7001)
        daemon.settle()
        #expect(Self.has(page, "outage"))
        daemon.redis.silentPorts = []
        daemon.advance(.seconds(3))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7002])
        #expect(Self.subscribers(daemon, of: other).isEmpty)
    }

    @Test func aReplicaThatRelaysOnIsNotLeftForANodeThatLagsBehind() {
        let daemon = Self.daemon(.shared)
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(10))
        let former = daemon.redis.slots
        // One answer says something else, and the next ones do not.
        daemon.redis.slots[0] = (0...5460, 7004)
        var answers = daemon.metrics.clusterTopologies
        while daemon.metrics.clusterTopologies == answers { daemon.advance(.milliseconds(10)) }
        daemon.redis.slots = former
        answers = daemon.metrics.clusterTopologies
        daemon.advance(.seconds(10))
        #expect(daemon.metrics.clusterTopologies > answers)
        #expect(!Self.has(page, "outage"))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7001])
    }

    @Test func whatANodeRelaysThatHasTheChannelNoMoreReachesNobody() throws {
        let daemon = Self.daemon(.shared)
        let channel = Self.channels[0]
        let page = daemon.open("/\(channel)")
        daemon.advance(.seconds(5))
        let former = try #require(
            daemon.redis.subscribers.first { $0.channels.contains(channel) })
        daemon.redis.movedSlots[Self.slot(channel)] = 7002
        daemon.redis.withdraw(channel, at: 7001)
        daemon.advance(.seconds(3))
        #expect(Self.subscribers(daemon, of: channel) == [7002])
        former.connection.toDaemon += ">3\r\n$8\r\nsmessage\r\n$5\r\nrun:7\r\n$4\r\nlate\r\n".utf8
        daemon.redis.publish(channel, "here")
        daemon.settle()
        #expect(page.statuses == ["here"])
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func theTopologyIsAskedForSoonAfterAFailureAndNotInTheNextInterval(
        mode: RedisSubscriptions
    ) {
        let daemon = Self.daemon(mode) {
            $0.redisMaxRetries = 0
            $0.redisPingInterval = .seconds(600)
        }
        _ = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(1))
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.world.hand.portPolicies[7001] = .refuse
        daemon.redis.kill(port: 7001)
        daemon.advance(.milliseconds(250))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7004])
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func theGapOfAMasterThatWasCutOffBeginsBeforeItsSuccessorsReignHoweverItAnswers(
        mode: RedisSubscriptions
    ) throws {
        let daemon = Self.daemon(mode) { $0.redisPingInterval = .milliseconds(500) }
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(10))
        let began = daemon.world.wall / 1_000_000
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.redis.replicas = [7001]
        daemon.advance(.seconds(10))
        let outage = try #require(page.messages.first { $0.contains("outage") })
        let digits = outage.drop { !$0.isNumber }.prefix { $0.isNumber }
        #expect(try #require(Int64(digits)) <= began)
        #expect(Self.has(page, "gap"))
    }

    // MARK: - Slots that nobody serves

    @Test(arguments: RedisSubscriptions.allCases)
    func aSlotThatNobodyServesConcernsItsPagesAlone(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode) { $0.redisMaxRetries = 0 }
        let open = daemon.open("/\(Self.channels[1])")
        daemon.redis.slotErrors[Self.slot(Self.channels[0])] = "CLUSTERDOWN Hash slot not served"
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(20))
        #expect(!page.messages.contains("ping") || Self.has(page, "outage"))
        #expect(daemon.metrics.redisLinkFailures["slot_unserved"] ?? 0 > 1)
        #expect(!Self.has(open, "outage"))
        daemon.redis.publish(Self.channels[1], "still")
        daemon.settle()
        #expect(open.statuses == ["still"])
        daemon.redis.slotErrors = [:]
        daemon.advance(.seconds(60))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7001])
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func whatNobodyServesIsGivenUpAfterAsManyAttemptsAsAnywhere(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode) { $0.redisMaxRetries = 3 }
        let open = daemon.open("/\(Self.channels[1])")
        daemon.redis.slotErrors[Self.slot(Self.channels[0])] = "CLUSTERDOWN Hash slot not served"
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(60))
        for each in [page, open] { each.read() }
        #expect(page.closeCode == 1011)
        #expect(open.closeCode == nil)
        #expect(daemon.metrics.redisLinkFailures["slot_unserved"] == 3)
    }

    @Test func slotsWithoutAMasterAreToldAndTheirPagesWait() {
        let daemon = Self.daemon(.shared) { _ in
        } prepare: { redis, _ in
            redis.slots.removeFirst()
        }
        #expect(daemon.phase == .serving)
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
        #expect(daemon.log.lines("slots_without_master\":5461").count == 1)
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(5))
        daemon.redis.slots.insert((0...5460, 7001), at: 0)
        daemon.advance(.seconds(5))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7001])
        #expect(daemon.relay.unreadiness.isEmpty)
        page.read()
        #expect(page.closeCode == nil)
    }

    @Test func aPageThatLeavesWhileNobodyServesItsSlotLeavesNothingBehind() {
        let daemon = Self.daemon(.shared) { _ in
        } prepare: { redis, _ in
            redis.slots.removeFirst()
        }
        let page = daemon.open("/\(Self.channels[0])")
        page.sendClose(1000)
        daemon.advance(.seconds(5))
        #expect(daemon.relay.hub.count == 0)
    }

    // MARK: - Nodes that are away

    @Test(arguments: [World.DialPolicy.refuse, .blackHole])
    func aSeedThatIsAwayIsPassedOver(policy: World.DialPolicy) {
        let daemon = Self.daemon(.shared) { _ in
        } prepare: { redis, world in
            // The masters themselves are elsewhere.
            redis.slots = [(0...16_383, 7004)]
            world.hand.portPolicies = [7001: policy, 7003: policy]
        }
        daemon.advance(.seconds(5))
        #expect(daemon.phase == .serving)
        #expect(daemon.open("/\(Self.channels[0])").messages == ["ping"])
    }

    @Test func aNodeThatIsAskedAndDiesIsLeftForAnotherWithoutAWord() throws {
        let daemon = Self.daemon(.shared)
        let asked = try #require(
            daemon.redis.sessions.last { $0.commands.contains(["CLUSTER", "SLOTS"]) })
        let answers = daemon.metrics.clusterTopologies
        asked.connection.isReset = true
        daemon.settle()
        #expect(daemon.metrics.clusterTopologies == answers + 1)
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(daemon.log.linkFailures.isEmpty)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aMasterThatIsCutOffIsNotBelieved(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode)
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(10))
        // It answers on, as does the node that tells the topology: the same one, in the end.
        daemon.redis.formerSlots = daemon.redis.slots
        daemon.redis.failingNodes = [7001]
        for port in [7002, 7003] as [UInt16] { daemon.redis.kill(port: port) }
        daemon.advance(.seconds(1))
        let began = daemon.world.wall / 1_000_000
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.advance(.seconds(12))
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7004])
        let outage = try #require(page.messages.first { $0.contains("outage") })
        let digits = outage.drop { !$0.isNumber }.prefix { $0.isNumber }
        #expect(try #require(Int64(digits)) <= began)
        #expect(Self.has(page, "gap"))
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(daemon.log.lines("cluster is").isEmpty)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func whereNoNodeReachesTheOthersTheDaemonIsNotReadyAndGoesOn(
        mode: RedisSubscriptions
    ) throws {
        let daemon = Self.daemon(mode) { $0.redisMaxRetries = 0 }
        let page = daemon.open("/\(Self.channels[0])")
        daemon.advance(.seconds(10))
        daemon.redis.formerSlots = daemon.redis.slots
        daemon.redis.failingNodes = Set(Self.ports)
        daemon.advance(.seconds(10))
        let began = daemon.world.wall / 1_000_000
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
        daemon.redis.publish(Self.channels[0], "still here")
        daemon.settle()
        #expect(page.statuses == ["still here"])
        // Others, that the daemon does not reach, may have agreed on a new master meanwhile.
        daemon.redis.slots[0] = (0...5460, 7004)
        daemon.redis.failingNodes = []
        daemon.advance(.seconds(10))
        #expect(daemon.relay.unreadiness.isEmpty)
        #expect(Self.subscribers(daemon, of: Self.channels[0]) == [7004])
        let outage = try #require(page.messages.first { $0.contains("outage") })
        let digits = outage.drop { !$0.isNumber }.prefix { $0.isNumber }
        #expect(try #require(Int64(digits)) <= began - 8000)
        #expect(daemon.log.lines("cluster is down").count == 1)
        #expect(daemon.log.lines("cluster is up").count == 1)
    }

    @Test(arguments: ["NOPERM no permissions to run the 'cluster|info' command", "ERR unknown"])
    func aUserWhoMayNotAskForTheStateIsServed(error: String) {
        let daemon = Self.daemon(.shared, prepare: { redis, _ in redis.stateError = error })
        daemon.advance(.seconds(20))
        #expect(daemon.open("/\(Self.channels[0])").messages == ["ping"])
        #expect(daemon.relay.unreadiness.isEmpty && daemon.log.linkFailures.isEmpty)
    }

    @Test func linksToANodeThatIsGoneLeaveTheOthersTheirPlacesAtTheGate() {
        let daemon = Self.daemon(.dedicated) {
            $0.redisDialConcurrency = 8
            $0.redisMaxRetries = 0
        }
        daemon.world.hand.portPolicies[7001] = .blackHole
        for _ in 0..<20 { _ = daemon.open("/\(Self.channels[0])") }
        #expect(daemon.open("/\(Self.channels[1])").messages == ["ping"])
        #expect(daemon.open("/\(Self.channels[2])").messages == ["ping"])
        daemon.world.hand.portPolicies = [:]
        daemon.advance(.seconds(60))
        #expect(Self.subscribers(daemon, of: Self.channels[0]).count == 20)
    }

    @Test func aRedisThatIsNoClusterEndsTheStart() {
        let daemon = Self.daemon(.shared) { _ in
        } prepare: { redis, _ in
            redis.slots = []
        }
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on")
            return
        }
        #expect(fatal.contains("the server is no cluster"))
    }

    @Test(arguments: ["6.2.14", "5.0.0"])
    func aClusterWithoutShardedPubSubEndsTheStart(version: String) {
        let daemon = Self.daemon(.shared) { _ in
        } prepare: { redis, _ in
            redis.version = version
        }
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on")
            return
        }
        #expect(fatal.contains("the cluster is of Redis \(version)"))
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aServerWithoutHelloIsSpokenToInRESP2(mode: RedisSubscriptions) {
        let daemon = Self.daemon(mode) { _ in
        } prepare: { redis, _ in
            redis.isOld = true
        }
        let page = daemon.open("/\(Self.channels[1])")
        daemon.redis.publish(Self.channels[1], "in RESP2")
        daemon.settle()
        #expect(page.statuses == ["in RESP2"])
    }
}
