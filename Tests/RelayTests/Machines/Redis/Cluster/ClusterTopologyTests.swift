import RESP
import Testing

@testable import Relay

/// Answers to `CLUSTER SLOTS`, good and bad, and what redirections make of what they say.
@Suite struct ClusterTopologyTests {
    static func node(_ host: RESPValue, _ port: Int, _ more: [RESPValue] = []) -> RESPValue {
        .array([host, .integer(port), .bulkString("id")] + more)
    }

    static func node(_ host: String, _ port: Int) -> RESPValue { node(.bulkString(host), port) }

    static func range(_ first: Int, _ last: Int, _ nodes: RESPValue...) -> RESPValue {
        .array([.integer(first), .integer(last)] + nodes)
    }

    private static func slot(_ number: Int) throws -> HashSlot {
        try #require(HashSlot(number))
    }

    private static let three = RESPValue.array([
        range(0, 5460, node("10.0.0.1", 7000), node("10.0.0.4", 7003)),
        range(5461, 10_922, node("10.0.0.2", 7001)),
        range(10_923, 16_383, node("::1", 7002), node("10.0.0.5", 7004)),
    ])

    @Test func saysWhichMasterHasASlot() throws {
        let topology = try #require(ClusterTopology(slots: Self.three, askedAt: "seed"))
        #expect(topology.isComplete && topology.coveredCount == 16_384)
        for (number, host) in [
            (0, "10.0.0.1"), (5460, "10.0.0.1"), (5461, "10.0.0.2"), (16_383, "::1"),
        ] {
            #expect(topology.master(of: try Self.slot(number))?.host == host)
        }
        #expect(topology.masters.map(\.port) == [7000, 7001, 7002])
        #expect(topology.nodes.map(\.port) == [7000, 7003, 7001, 7002, 7004])
    }

    @Test(
        "a node without a name has the host that was asked",
        arguments: [RESPValue.null, .bulkString(""), .bulkString("?")])
    func unnamed(host: RESPValue) throws {
        let reply = RESPValue.array([Self.range(0, 16_383, Self.node(host, 7000))])
        let topology = try #require(ClusterTopology(slots: reply, askedAt: "seed"))
        #expect(topology.masters == [RedisEndpoint(host: "seed", port: 7000)])
    }

    @Test func aNodeThatWasGivenNoHostNameHasItsAddress() throws {
        let pairs = [(RESPValue.bulkString("ip"), RESPValue.bulkString("10.0.0.9"))]
        for members in [RESPValue.map(pairs), .array(pairs.flatMap { [$0.0, $0.1] })] {
            let node = Self.node(.bulkString("?"), 7000, [members])
            let reply = RESPValue.array([Self.range(0, 16_383, node)])
            let topology = try #require(ClusterTopology(slots: reply, askedAt: "seed"))
            #expect(topology.masters.map(\.host) == ["10.0.0.9"])
        }
    }

    @Test func slotsWithoutAMasterAreNobodys() throws {
        let reply = RESPValue.array([
            Self.range(0, 99, Self.node("a", 1)), Self.range(200, 299, Self.node("b", 0)),
        ])
        let topology = try #require(ClusterTopology(slots: reply, askedAt: "seed"))
        #expect(topology.coveredCount == 100 && !topology.isComplete)
        #expect(topology.master(of: try Self.slot(100)) == nil)
        #expect(topology.master(of: try Self.slot(200)) == nil)
        #expect(ClusterTopology(slots: .array([]), askedAt: "seed")?.coveredCount == 0)
    }

    @Test(
        "what is no answer is none",
        arguments: [
            RESPValue.null, .integer(1), .simpleString("OK"), .array([.integer(0)]),
            .array([.array([])]), .array([range(0, 1)]), .array([range(1, 0, node("a", 1))]),
            .array([range(-1, 5, node("a", 1))]), .array([range(0, 16_384, node("a", 1))]),
            .array([range(0, 5, node("a", 65_536))]), .array([range(0, 5, node("a", -1))]),
            .array([range(0, 5, node("a b", 1))]), .array([range(0, 5, node(.integer(3), 1))]),
            .array([range(0, 5, node(String(repeating: "a", count: 254), 1))]),
            .array([range(0, 5, .array([.bulkString("a")]))]),
            .array([.array([.bulkString("0"), .bulkString("5"), node("a", 1)])]),
        ])
    func malformed(reply: RESPValue) {
        #expect(ClusterTopology(slots: reply, askedAt: "seed") == nil)
    }

    @Test func moreRangesThanThereAreSlotsAreNoAnswer() {
        let range = Self.range(0, 0, Self.node("a", 1))
        let many = Array(repeating: range, count: ClusterTopology.rangeLimit + 1)
        #expect(ClusterTopology(slots: .array(many), askedAt: "x") == nil)
    }

    @Test func nodesOverTheLimitAreLeftOut() throws {
        var topology = ClusterTopology()
        for port in 1...ClusterTopology.nodeLimit {
            topology.add(RedisEndpoint(host: "a", port: UInt16(port)))
        }
        topology.move(try Self.slot(1), to: RedisEndpoint(host: "b", port: 1))
        #expect(topology.nodes.count == ClusterTopology.nodeLimit)
        #expect(topology.master(of: try Self.slot(1)) == nil)
    }

    @Test func aSlotThatMovesIsAnothersAndNoOther() throws {
        var topology = try #require(ClusterTopology(slots: Self.three, askedAt: "seed"))
        let next = RedisEndpoint(host: "10.0.0.2", port: 7001)
        topology.move(try Self.slot(7), to: next)
        #expect(topology.master(of: try Self.slot(7)) == next)
        #expect(topology.master(of: try Self.slot(6))?.port == 7000)
        #expect(topology.master(of: try Self.slot(8))?.port == 7000)
        #expect(topology.isComplete)
    }
}

/// `MOVED` in all its forms.
@Suite struct ClusterRedirectionTests {
    private static let origin = RedisEndpoint(host: "10.0.0.1", port: 7000)

    @Test(arguments: [
        ("MOVED 3999 127.0.0.1:6381", "127.0.0.1", UInt16(6381)),
        ("MOVED 0 node-1.example:7000", "node-1.example", 7000),
        ("MOVED 16383 ::1:7001", "::1", 7001), ("MOVED 1 [fe80::1]:7001", "fe80::1", 7001),
        ("MOVED 1 :7002", "10.0.0.1", 7002), ("MOVED 1 a:1 and more", "a", 1),
    ])
    func namesTheNode(reply: String, host: String, port: UInt16) throws {
        let redirection = try #require(ClusterRedirection(reply))
        #expect(redirection.target(from: Self.origin) == RedisEndpoint(host: host, port: port))
        #expect(LinkFailure(reply: reply, to: "SSUBSCRIBE") == .moved(redirection))
    }

    @Test func aNodeWithoutANameIsToBeAskedFor() throws {
        let redirection = try #require(ClusterRedirection("MOVED 5 ?:7000"))
        #expect(redirection.slot.number == 5 && redirection.target(from: Self.origin) == nil)
    }

    @Test(arguments: [
        "MOVED", "MOVED 1", "MOVED 1 ", "MOVED x a:1", "MOVED 16384 a:1", "MOVED -1 a:1",
        "MOVED 1 a", "MOVED 1 a:", "MOVED 1 a:0", "MOVED 1 a:65536", "MOVED 1 a:+1", "moved 1 a:1",
        "MOVED 1 a/b:1", "ASK 1 a:1", "MOVED 000001 a:1",
    ])
    func whatIsNoneIsNone(reply: String) {
        #expect(ClusterRedirection(reply) == nil)
        if case .moved = LinkFailure(reply: reply, to: "SSUBSCRIBE") { Issue.record("\(reply)") }
    }

    @Test(arguments: [
        ("CLUSTERDOWN Hash slot not served", "slot_unserved", false),
        ("CLUSTERDOWN The cluster is down", "slot_unserved", false),
        ("TRYAGAIN Multiple keys request during rehashing of slot", "busy", false),
        ("ASK 5 10.0.0.2:7000", "busy", false),
        ("ERR This instance has cluster support disabled", "no_cluster", true),
    ])
    func otherErrorsOfAClusterHaveCauses(reply: String, cause: String, isFatal: Bool) {
        let failure = LinkFailure(reply: reply, to: "SSUBSCRIBE")
        #expect(failure.cause == cause && failure.isFatalAtStart == isFatal)
        #expect(failure.isOfSlot == !isFatal)
    }
}
