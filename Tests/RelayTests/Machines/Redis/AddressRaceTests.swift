@testable import Relay
@testable import Simulation
import Testing

/// Several addresses of one name: which is dialed when, and which one is taken (RFC 8305).
@Suite struct AddressRaceTests {
    private static func addresses(_ ports: ClosedRange<UInt16>) -> [SocketAddress] {
        ports.compactMap { SocketAddress(numeric: "127.0.0.1", port: $0) }
    }

    /// A daemon whose server has the addresses of so many ports from 7001 on.
    private static func daemon(
        _ count: UInt16, _ policies: [UInt16: World.DialPolicy],
        _ change: (inout Settings) -> Void = { _ in }
    ) -> SimulatedDaemon {
        SimulatedDaemon(
            change,
            prepare: { _, world in
                world.addresses["redis.test"] = Self.addresses(7001...7000 + count)
                world.portPolicies = policies
            })
    }

    private static func ports(_ daemon: SimulatedDaemon) -> [UInt16] {
        daemon.redis.sessions.filter { !$0.connection.isClosed }.map(\.connection.port)
    }

    // MARK: - When

    @Test func aDeadAddressCostsAQuarterOfASecondAndTheNextPageNothing() {
        let daemon = Self.daemon(2, [7001: .blackHole])
        daemon.advance(.milliseconds(249))
        #expect(daemon.phase == .starting)
        daemon.advance(.milliseconds(1))
        #expect(daemon.phase == .serving)
        #expect(Self.ports(daemon) == [7002])
        // The one that lost the race is closed, and the one that answered comes first from now on.
        #expect(daemon.world.openDescriptors == 1)
        let dials = daemon.world.dials.count
        #expect(daemon.open().messages == ["ping"])
        #expect(daemon.world.dials.count == dials + 1)
        #expect(Self.ports(daemon) == [7002, 7002])
    }

    @Test func anAddressThatRefusesLetsTheNextBeginAtOnce() {
        let daemon = Self.daemon(4, [7001: .refuse, 7002: .refuse, 7003: .blackHole])
        daemon.advance(.milliseconds(250))
        #expect(daemon.phase == .serving)
        #expect(Self.ports(daemon) == [7004])
        #expect(daemon.world.openDescriptors == 1)
        #expect(daemon.log.linkFailures.isEmpty)
    }

    @Test func theFirstGoesOnWhileTheNextIsBegunAndMayStillWin() throws {
        let daemon = Self.daemon(3, [7001: .blackHole, 7002: .blackHole, 7003: .blackHole])
        daemon.advance(.milliseconds(600))
        #expect(daemon.world.dials.count == 3)
        daemon.world.decide(port: 7001)
        daemon.settle()
        #expect(daemon.phase == .serving)
        #expect(Self.ports(daemon) == [7001])
        #expect(daemon.world.openDescriptors == 1)
    }

    @Test func twoThatConnectAtTheSameInstantLeaveOne() {
        let daemon = Self.daemon(2, [7001: .blackHole, 7002: .blackHole])
        daemon.advance(.milliseconds(300))
        daemon.world.decide(port: 7001)
        daemon.world.decide(port: 7002)
        daemon.settle()
        #expect(daemon.phase == .serving)
        #expect(daemon.world.openDescriptors == 1)
    }

    @Test func allOfThemTogetherHaveTheLimitOfADial() {
        let daemon = SimulatedDaemon(
            { _ in }, dialPolicy: .blackHole,
            prepare: { _, world in
                world.addresses["redis.test"] = Self.addresses(7001...7016)
            })
        daemon.advance(RedisLink.dialLimit - .milliseconds(1))
        #expect(daemon.world.dials.count == 16)
        #expect(daemon.world.openDescriptors == 16)
        #expect(daemon.log.linkFailures.isEmpty)
        daemon.advance(.milliseconds(1))
        #expect(daemon.log.lines("no connection in time").count == 1)
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test func aDialThatIsNotDecidedIsGivenUpAfterItsLimit() {
        let daemon = SimulatedDaemon(dialPolicy: .blackHole)
        daemon.advance(RedisLink.dialLimit - .milliseconds(1))
        #expect(daemon.log.lines("no connection in time").isEmpty)
        daemon.advance(.milliseconds(1))
        #expect(daemon.log.lines("no connection in time").count == 1)
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test(arguments: [World.DialPolicy.refuse, .blackHole])
    func aPageThatLeavesMeanwhileLeavesNoConnectionBehind(last: World.DialPolicy) {
        let daemon = Self.daemon(5, [:]) { $0.redisDialConcurrency = 1 }
        let before = daemon.world.openDescriptors
        daemon.world.portPolicies = [
            7001: .blackHole, 7002: .blackHole, 7003: .refuse, 7004: .blackHole, 7005: last,
        ]
        let page = daemon.open()
        daemon.advance(.milliseconds(700))
        #expect(daemon.world.openDescriptors > before + 2)
        page.connection.isReset = true
        daemon.settle()
        #expect(daemon.world.openDescriptors == before)
        // Nor does it keep a place at the gate.
        daemon.world.portPolicies = [:]
        #expect(daemon.open().messages == ["ping"])
    }

    @Test func theRaceOfALinkTakesOnePlaceAtTheGate() {
        let daemon = Self.daemon(4, [:]) {
            $0.redisDialConcurrency = 2
            $0.redisDialRate = 100_000
        }
        daemon.world.dialPolicy = .blackHole
        let dials = daemon.world.dials.count
        for number in 0..<10 { _ = daemon.open("/run:\(number)") }
        #expect(daemon.world.dials.count == dials + 2)
        daemon.advance(.milliseconds(250))
        #expect(daemon.world.dials.count == dials + 4)
    }

    @Test func aNameWithVeryManyAddressesIsNotTriedForEver() {
        let daemon = SimulatedDaemon(
            { _ in }, dialPolicy: .refuse,
            prepare: { _, world in
                world.addresses["redis.test"] = Self.addresses(7001...7100)
            })
        #expect(daemon.world.dials.count == AddressRace.addressLimit)
    }

    @Test func anAddressThatConnectsAndAnswersNothingComesLastFromThenOn() {
        let daemon = SimulatedDaemon(
            { _ in },
            prepare: { redis, world in
                world.addresses["redis.test"] = Self.addresses(7001...7003)
                redis.silentPorts = [7001]
            })
        daemon.advance(.seconds(4))
        #expect(daemon.phase == .serving)
        #expect(Self.ports(daemon) == [7002])
    }

    @Test func sentinelsHaveSeveralAddressesToo() {
        let daemon = SimulatedDaemon(
            {
                $0.redis.address = .sentinel(
                    SentinelService(name: "m", sentinels: [.init(host: "s", port: 26_379)]))
            },
            prepare: { redis, world in
                world.addresses["s"] = Self.addresses(26_379...26_380)
                world.portPolicies[26_379] = .blackHole
                redis.sentinels = [26_380]
                redis.masters["m"] = ("10.0.0.1", 7001)
            })
        daemon.advance(.milliseconds(250))
        #expect(daemon.phase == .serving)
        let dials = daemon.world.dials.count
        #expect(daemon.open().messages == ["ping"])
        #expect(daemon.world.dials.count == dials + 2)
        #expect(daemon.world.openDescriptors == 3)
    }

    // MARK: - In which order

    private static func address(_ host: String) -> SocketAddress {
        guard let address = SocketAddress(numeric: host, port: 6379) else {
            preconditionFailure("\(host) is no address")
        }
        return address
    }

    private static func order(
        _ hosts: [String], first: String? = nil, last: String? = nil
    ) -> [String] {
        AddressRace.order(
            hosts.map(address), first: first.map(address), last: last.map(address)
        ).map(\.hostDescription)
    }

    @Test func theFamiliesTakeTurnsAndTheirOwnOrderIsKept() {
        #expect(
            Self.order(["::1", "::2", "::3", "10.0.0.1", "10.0.0.2"])
                == ["::1", "10.0.0.1", "::2", "10.0.0.2", "::3"])
        #expect(Self.order(["10.0.0.2", "10.0.0.1"]) == ["10.0.0.2", "10.0.0.1"])
        #expect(Self.order(["10.0.0.1", "::1", "10.0.0.1"]) == ["10.0.0.1", "::1"])
        #expect(Self.order([]) == [])
    }

    @Test func theOneThatAnsweredComesFirstAndTheSilentOneLast() {
        let hosts = ["::1", "::2", "10.0.0.1"]
        #expect(Self.order(hosts, first: "10.0.0.1") == ["10.0.0.1", "::1", "::2"])
        #expect(Self.order(hosts, last: "::1") == ["::2", "10.0.0.1", "::1"])
        #expect(
            Self.order(hosts, first: "10.9.9.9", last: "10.8.8.8") == ["::1", "10.0.0.1", "::2"])
    }

    // MARK: - What is remembered

    @Test func theMemoryOfHostsAndServersIsBoundedAndThatOfHelloEnds() {
        var history = ConnectionHistory()
        let both = ["10.0.0.1", "10.0.0.2"].map(Self.address)
        for number in 0...ConnectionHistory.limit {
            history.note(.init(host: "h\(number)", address: both[1], conduct: .answered))
        }
        #expect(history.order(both, of: "h0") == both)
        #expect(history.order(both, of: "h1") == both.reversed())
        let start = Instant(nanoseconds: 0)
        history.note(.closesConnection, of: both[0], now: start)
        let end = start + ConnectionHistory.helloSpan
        #expect(history.hello(of: both[0], now: start) == .closesConnection)
        #expect(history.hello(of: both[0], now: end) == .unknown)
        #expect(history.hello(of: both[1], now: start) == .unknown)
    }
}
