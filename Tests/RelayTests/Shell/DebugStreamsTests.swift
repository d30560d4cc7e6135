@testable import Relay
@testable import Simulation
import Testing

/// What the admin listener tells of pages that can resume and of what is held for them, with several
/// event loops.
@Suite struct DebugStreamsTests {
    private static let adminPort: UInt16 = 9100

    private static func daemon(_ mode: RedisSubscriptions, window: Int64 = 30) -> SimulatedLoops {
        SimulatedLoops(3) {
            $0.adminAddress = .tcp(host: "127.0.0.1", port: adminPort)
            $0.redisSubscriptions = mode
            $0.resumeWindow = .seconds(window)
        }
    }

    /// The answer to a request, and its rows.
    private static func rows(_ daemon: SimulatedLoops, _ target: String) throws -> [String] {
        try get(daemon, target).split(separator: "\n").dropFirst()
            .filter { $0.hasPrefix("{") }.map(String.init)
    }

    private static func get(_ daemon: SimulatedLoops, _ target: String) throws -> String {
        let page = SimulatedPage(
            try #require(daemon.world.connect(port: adminPort, from: "127.0.0.1")))
        page.send("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        daemon.settle()
        page.read()
        return page.body
    }

    private static func vanish(_ pages: [SimulatedPage], of daemon: SimulatedLoops) {
        for page in pages { page.connection.isReset = true }
        daemon.settle()
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aConnectionTellsHowItResumesAndWhatIsHeldOfItsChannel(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode)
        let page = daemon.open("/run:one?resume=1")
        _ = daemon.open("/run:plain")
        for _ in 0..<3 { daemon.redis.publish("run:one", "four") }
        daemon.settle()
        let row = try #require(Self.rows(daemon, "/debug/connections?channel=one").first)
        #expect(row.contains(#""resumes":true,"resumed":"begun","stream":"1."#))
        #expect(row.contains(#""position":3,"held_messages":3,"held_bytes":"#))
        let plain = try #require(Self.rows(daemon, "/debug/connections?channel=plain").first)
        #expect(plain.contains(#""resumes":false}"#))
        #expect(!plain.contains("resumed"))

        let last = try #require(page.messages.last?.firstMatch(of: /"id":"([^"]+)"/)).output.1
        Self.vanish([page], of: daemon)
        daemon.redis.publish("run:one", "missed")
        _ = daemon.open("/run:one?resume=\(last)")
        let back = try #require(Self.rows(daemon, "/debug/connections?channel=one").first)
        #expect(back.contains(#""resumed":"complete","stream":"1."#))
        #expect(back.contains(#""position":4,"held_messages":4"#))
        _ = daemon.open("/run:one?resume=nonsense")
        let gaps = try Self.rows(daemon, "/debug/connections?channel=one").filter {
            $0.contains(#""resumed":"gap""#)
        }
        #expect(gaps.count == 1)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func streamsWithoutPagesAreListedUntilTheirTimeIsOver(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode)
        let pages = (0..<6).map { daemon.open("/run:\($0)?resume=1") }
        let plain = daemon.open("/run:plain")
        for number in 0..<6 { daemon.redis.publish("run:\(number)", "x") }
        daemon.settle()
        let heard = try Self.rows(daemon, "/debug/streams")
        #expect(heard.count == 6)
        #expect(heard.allSatisfy { $0.contains(#""state":"heard","#) })
        #expect(heard.allSatisfy { $0.contains(#""pages":1"#) && !$0.contains("kept_") })

        Self.vanish(Array(pages[0..<4]) + [plain], of: daemon)
        daemon.advance(.seconds(10))
        daemon.redis.publish("run:1", "while it is away")
        daemon.settle()
        let kept = try Self.rows(daemon, "/debug/streams?state=kept")
        #expect(kept.count == 4)
        // They lie in all loops, and say for how long still.
        #expect(Set(kept.map { $0.prefix(8) }).count == 3)
        #expect(kept.allSatisfy { $0.contains(#""pages":0"#) && $0.contains(#""kept_ms":20000,"#) })
        #expect(kept.allSatisfy { $0.contains(#""began":"1970-01-01T00:16:40.000000Z""#) })
        #expect(kept.allSatisfy { $0.contains(#""kept_until":"1970-01-01T00:17:10.000000Z""#) })
        let one = try Self.rows(daemon, "/debug/streams?channel=1&state=kept")
        #expect(one.count == 1)
        #expect(one[0].contains(#""run":"run","channel":"1","#))
        #expect(one[0].contains(#""position":2,"held_messages":2,"held_bytes":"#))
        #expect(try Self.rows(daemon, "/debug/streams?state=heard").count == 2)

        daemon.advance(.seconds(22))
        #expect(try Self.rows(daemon, "/debug/streams?state=kept").isEmpty)
        #expect(try Self.rows(daemon, "/debug/streams").count == 2)
    }

    @Test func theListIsBoundedAndTheCursorLeadsOn() throws {
        let daemon = Self.daemon(.shared)
        let pages = (0..<9).map { daemon.open("/run:\($0)?resume=1") }
        Self.vanish(pages, of: daemon)
        var seen: [String] = []
        var cursor = ""
        for _ in 0..<9 {
            let body = try Self.get(daemon, "/debug/streams?state=kept&limit=2\(cursor)")
            #expect(body.hasPrefix(#"{"matched":9,"#))
            seen += body.matches(of: /"channel":"([0-9])"/).map { String($0.output.1) }
            guard let next = body.firstMatch(of: /"next":"([0-9.]+)"/) else { break }
            cursor = "&cursor=\(next.output.1)"
        }
        #expect(seen.count == 9 && Set(seen).count == 9)
    }

    @Test func nothingThatIsShownIsOfUseToAskForTheMessages() throws {
        let daemon = Self.daemon(.dedicated)
        let page = daemon.open("/run:status?resume=1")
        let id = try #require(page.messages.last?.firstMatch(of: /"id":"([^"]+)-/)).output.1
        for target in ["/debug/streams", "/debug/connections"] {
            #expect(try !Self.get(daemon, target).contains(id.suffix(16)))
        }
    }
}
