import Testing
import WSFrame

@testable import Relay

@Suite("Believing X-Forwarded-For")
struct TrustedProxiesTests {
    private func client(
        _ trusted: String, peer: String?, _ values: [String]
    ) throws -> String? {
        let proxies = try TrustedProxies(parsing: trusted)
        let headers = HTTPHeaders(values.map { HTTPHeader("x-forwarded-for", $0) })
        return proxies.client(peer: peer.flatMap { NetworkAddress($0) }, headers: headers)?
            .description
    }

    static let cases: [(peer: String?, values: [String], client: String?)] = [
        // From the trusted proxies alone.
        ("10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("::ffff:10.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("203.0.113.9", ["203.0.113.7"], nil), ("203.0.113.9", ["10.0.0.2"], nil),
        (nil, ["203.0.113.7"], nil), ("10.0.0.1", [], nil), ("10.0.0.1", [""], nil),
        // The right-most that is not a proxy of ours; what a client wrote itself is further left.
        ("10.0.0.1", ["1.1.1.1, 203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", ["1.1.1.1, 203.0.113.7, 10.9.9.9,2001:db8::5"], "203.0.113.7"),
        ("10.0.0.1", ["1.1.1.1", "203.0.113.7", "10.2.3.4"], "203.0.113.7"),
        ("2001:db8::1", ["[2001:db9::1]:4711"], "2001:db9::1"),
        ("10.0.0.1", ["203.0.113.7:1234"], "203.0.113.7"),
        ("10.0.0.1", ["::ffff:203.0.113.7"], "203.0.113.7"),
        ("10.0.0.1", [" , 203.0.113.7 ,, "], "203.0.113.7"),
        // The furthest, where all are proxies.
        ("10.0.0.1", ["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
        // An entry that is no address ends the search.
        ("10.0.0.1", ["203.0.113.7, unknown"], nil),
        ("10.0.0.1", ["203.0.113.7, unknown, 10.0.0.2"], "10.0.0.2"),
    ]

    @Test(arguments: cases)
    func theClientIsTheRightMostAddressThatIsNoProxy(
        peer: String?, values: [String], client: String?
    ) throws {
        #expect(try self.client("10.0.0.0/8, 2001:db8::/32", peer: peer, values) == client)
    }

    @Test func aUnixSocketIsTrustedOnlyWhereItIsListed() throws {
        #expect(try client("10.0.0.0/8", peer: nil, ["203.0.113.7"]) == nil)
        #expect(try client("unix", peer: nil, ["203.0.113.7"]) == "203.0.113.7")
        #expect(try client("unix", peer: "10.0.0.1", ["203.0.113.7"]) == nil)
    }

    @Test func noMoreThanTheLimitIsLookedAt() throws {
        let limit = TrustedProxies.entryLimit
        let proxies = (1...limit).map { "10.0.0.\($0)" }
        #expect(try client("10.0.0.0/8", peer: "10.9.9.9", ["1.1.1.1"] + proxies) == "10.0.0.1")
        #expect(
            try client("10.0.0.0/8", peer: "10.9.9.9", ["1.1.1.1"] + proxies.dropFirst())
                == "1.1.1.1")
    }
}
