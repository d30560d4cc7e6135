@testable import Relay
@testable import Simulation
import Testing

/// The admin listener of a daemon with several event loops.
@Suite struct AdminLoopsTests {
    private static let port: UInt16 = 9100

    private static func daemon(_ loops: Int) -> SimulatedLoops {
        SimulatedLoops(loops) { $0.adminAddress = .tcp(host: "127.0.0.1", port: port) }
    }

    /// Sends a request to the admin listener, without letting anybody answer.
    private static func ask(
        _ daemon: SimulatedLoops, _ target: String, method: String = "GET"
    ) throws -> SimulatedPage {
        let page = SimulatedPage(try #require(daemon.world.connect(port: port, from: "127.0.0.1")))
        page.send("\(method) \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n")
        return page
    }

    private static func get(_ daemon: SimulatedLoops, _ target: String) throws -> String {
        let page = try ask(daemon, target)
        daemon.settle()
        page.read()
        return page.body
    }

    /// The texts of a member, in the order in which they stand.
    private static func values(_ name: String, in body: String) -> [String] {
        body.split(separator: "\n").compactMap { line in
            let parts = String(line).split(
                separator: "\"\(name)\":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2 else { return nil }
            return String(parts[1].prefix { $0 != "," && $0 != "}" })
        }
    }

    @Test func rowsOfAllLoopsAreOneList() throws {
        let daemon = Self.daemon(3)
        for number in 0..<9 { _ = daemon.open("/run:\(number)") }
        let body = try Self.get(daemon, "/debug/connections?state=open")
        #expect(body.hasPrefix(#"{"matched":9,"#))
        #expect(Set(Self.values("channel", in: body)).count == 9)
        #expect(Set(Self.values("id", in: body).map { $0.prefix(2) }) == ["\"0", "\"1", "\"2"])
        #expect(Self.values("loop", in: try Self.get(daemon, "/debug/loops")) == ["0", "1", "2"])
        let links = try Self.get(daemon, "/debug/links?run=*")
        #expect(Set(Self.values("link", in: links)).count == 9)
    }

    @Test func theCursorLeadsFromLoopToLoop() throws {
        let daemon = Self.daemon(3)
        for number in 0..<9 { _ = daemon.open("/run:\(number)") }
        var seen: [String] = []
        var cursor = ""
        for _ in 0..<9 {
            let body = try Self.get(daemon, "/debug/connections?state=open&limit=2\(cursor)")
            seen += Self.values("channel", in: body)
            guard let next = body.firstMatch(of: /"next":"([0-9.]+)"/) else { break }
            cursor = "&cursor=\(next.output.1)"
        }
        #expect(seen.count == 9 && Set(seen).count == 9)
    }

    @Test func whatHasEndedComesInTheOrderOfTheEndsWhateverTheLoop() throws {
        let daemon = Self.daemon(3)
        let pages = (0..<6).map { daemon.open("/run:\($0)") }
        for page in pages {
            page.sendClose(1000)
            daemon.advance(.seconds(3))
        }
        let body = try Self.get(daemon, "/debug/closed")
        #expect(Self.values("channel", in: body) == (0..<6).reversed().map { "\"\($0)\"" })
        let rest = try Self.get(daemon, "/debug/closed?limit=4&cursor=0.3")
        #expect(Self.values("channel", in: rest) == ["\"1\"", "\"0\""])
    }

    @Test func aLoopThatStandsStillIsNamedAndTheOthersAnswer() throws {
        let daemon = Self.daemon(3)
        for number in 0..<6 { _ = daemon.open("/run:\(number)") }
        daemon.standing = [2]
        let page = try Self.ask(daemon, "/debug/connections?state=open")
        daemon.settle()
        page.read()
        #expect(page.body.isEmpty)
        daemon.advance(AdminShell<SimulatedSys>.answerLimit + .milliseconds(100))
        page.read()
        #expect(page.body.hasPrefix(#"{"matched":4,"loops_missing":"2","#))
        // What comes too late is for nobody.
        daemon.standing = []
        daemon.settle()
        #expect(try Self.get(daemon, "/debug/connections?state=open").hasPrefix(#"{"matched":6,"#))
    }

    @Test func aTraceShowsThePagesOfAllLoopsAndEndsInAllOfThem() throws {
        let daemon = Self.daemon(3)
        let pages = (0..<3).map { daemon.open("/run:\($0)") }
        #expect(Set(pages.map(\.connection.loop)).count == 3)
        let reader = try Self.ask(daemon, "/debug/trace?channel=run:*&for=5s", method: "POST")
        daemon.settle()
        #expect((0..<3).allSatisfy { daemon.isTracing($0) })
        for number in 0..<3 { daemon.redis.publish("run:\(number)", "to \(number)") }
        daemon.settle()
        reader.read()
        for number in 0..<3 { #expect(reader.body.contains("\"to \(number)\"")) }
        #expect(daemon.traced.takeText().isEmpty)
        daemon.advance(.seconds(6))
        #expect((0..<3).allSatisfy { !daemon.isTracing($0) })
        reader.read()
        #expect(reader.body.hasSuffix("0\r\n\r\n"))
    }

    @Test func aTraceEndsInAllLoopsWithWhoReadsIt() throws {
        let daemon = Self.daemon(2)
        let reader = try Self.ask(daemon, "/debug/trace?for=1h", method: "POST")
        daemon.settle()
        #expect(daemon.isTracing(0) && daemon.isTracing(1))
        reader.connection.isReset = true
        daemon.settle()
        #expect(!daemon.isTracing(0) && !daemon.isTracing(1))
    }

    @Test func theMetricsOfAllLoopsAreServed() throws {
        let daemon = Self.daemon(2)
        for number in 0..<4 { _ = daemon.open("/run:\(number)") }
        #expect(try Self.get(daemon, "/metrics").contains("\nstatus2_connections_active 4\n"))
    }
}
