@testable import Relay
@testable import Simulation
import Testing
import WSFrame

/// Limits at the door: rates, caps, and who gives way.
@Suite struct DoorTests {
    // MARK: - The rate of accepting

    @Test func beyondTheRateConnectionsWaitInTheBacklog() {
        let daemon = SimulatedDaemon { $0.acceptRate = 100 }
        let pages = (0..<150).map { _ in daemon.connect() }
        for page in pages { page.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n") }
        daemon.settle()
        #expect(pages.count { $0.status == 200 } == 100)
        daemon.advance(.milliseconds(100))
        #expect((109...111).contains(pages.count { $0.status == 200 }))
        daemon.advance(.milliseconds(500))
        #expect(pages.allSatisfy { $0.status == 200 })
        // The loop waits while accepting pauses: ten milliseconds at least for each attempt.
        #expect((1...60).contains(daemon.metrics.acceptPauses))
        #expect(daemon.log.lines("more connections than STATUS_ACCEPT_RATE").count == 1)
    }

    @Test func aRateOfZeroIsNoLimit() {
        let daemon = SimulatedDaemon { $0.acceptRate = 0 }
        let pages = (0..<1500).map { _ in daemon.connect() }
        daemon.settle()
        for page in pages { page.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n") }
        daemon.settle()
        #expect(pages.allSatisfy { $0.status == 200 })
        #expect(daemon.metrics.acceptPauses == 0)
    }

    @Test func theListenerIsNotWatchedAgainWhenItHasClosedMeanwhile() {
        let daemon = SimulatedDaemon { $0.acceptRate = 1 }
        let pages = (0..<3).map { _ in daemon.connect() }
        daemon.settle()
        pages[0].sendUpgrade()
        daemon.settle()
        daemon.world.signals = [15]
        daemon.advance(.seconds(3))
        #expect(daemon.phase == .draining)
        #expect(!daemon.isListening)
    }

    // MARK: - Who gives way

    @Test func theConnectionThatHasWaitedLongestGivesWay() {
        let daemon = SimulatedDaemon(clientLimit: 3)
        let pages = (0..<5).map { _ in daemon.connect() }
        daemon.settle()
        #expect(pages.map(\.isClosed) == [true, true, false, false, false])
        #expect(daemon.metrics.refusals == ["gave_way": 2])
        #expect(daemon.log.lines("\"reason\":\"gave_way\"").count == 2)
        #expect(daemon.get("/health").status == 200)
    }

    @Test func webSocketsDoNotGiveWay() {
        let daemon = SimulatedDaemon(clientLimit: 2)
        let pages = [daemon.open("/run:a"), daemon.open("/run:b")]
        let late = daemon.connect()
        daemon.settle()
        #expect(pages.allSatisfy { !$0.isClosed })
        #expect(late.isClosed)
        #expect(daemon.metrics.refusals == ["client_limit": 1])
        #expect(daemon.log.lines("refused for a limit").count == 1)
        pages[0].connection.isReset = true
        daemon.settle()
        #expect(daemon.open("/run:c").status == 101)
    }

    @Test func whenDescriptorsRunOutTheOldestIdleConnectionGivesWay() {
        let daemon = SimulatedDaemon()
        let webSocket = daemon.open()
        let idle = (0..<3).map { _ in daemon.connect() }
        daemon.settle()
        daemon.world.hasNoDescriptors = true
        let late = daemon.connect()
        late.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        daemon.settle()
        // They have come only just now.
        #expect(idle.allSatisfy { !$0.isClosed })
        daemon.advance(.milliseconds(200))
        #expect(idle.map(\.isClosed) == [true, false, false])
        daemon.world.hasNoDescriptors = false
        daemon.advance(.milliseconds(200))
        #expect(late.status == 200)
        #expect(!webSocket.isClosed)
    }

    // MARK: - Requests that are late

    @Test func aRequestThatIsNotCompleteInTimeGets408() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send("GET /run:status HTTP/1.1\r\n")
        daemon.advance(ClientConnection.requestLimit)
        #expect(page.status == 408)
        daemon.advance(ClientConnection.lingerLimit)
        #expect(page.isClosed)
        #expect(daemon.metrics.refusals == ["request_timeout": 1])
    }

    @Test func aConnectionThatAsksForNothingIsClosedUnanswered() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        daemon.advance(ClientConnection.requestLimit)
        page.read()
        #expect(page.isClosed)
        #expect(page.status == 0)
        #expect(daemon.metrics.refusals == ["request_timeout": 1])
    }

    // MARK: - The cap of an address

    private static func capped(_ cap: Int) -> SimulatedDaemon {
        SimulatedDaemon {
            $0.maxConnectionsPerAddress = cap
            $0.trustedProxies = (try? TrustedProxies(parsing: "10.0.0.0/8")) ?? TrustedProxies()
        }
    }

    private static func from(_ address: String) -> [String] { ["X-Forwarded-For: \(address)"] }

    @Test func anAddressOverItsCapGets429AndOthersAreLetIn() {
        let daemon = Self.capped(2)
        let pages = (0..<3).map { _ in daemon.open(headers: Self.from("203.0.113.7")) }
        #expect(pages.map(\.status) == [101, 101, 429])
        #expect(pages[2].head.contains("Retry-After: 5\r\n"))
        #expect(daemon.metrics.refusals == ["address_limit": 1])
        #expect(daemon.open(headers: Self.from("203.0.113.8")).status == 101)
        #expect(daemon.log.lines("\"status\":429").count == 1)
    }

    @Test func aPlaceIsFreeAgainWhenAWebSocketEnds() {
        let daemon = Self.capped(1)
        for _ in 0..<5 {
            let page = daemon.open(headers: Self.from("203.0.113.7"))
            #expect(page.status == 101)
            page.connection.isReset = true
            daemon.settle()
        }
        #expect(daemon.relay.place.share.addressCount == 0)
    }

    @Test func whoComesPastTheProxyIsCountedByItsOwnAddress() {
        let daemon = Self.capped(1)
        let pages = ["203.0.113.1", "203.0.113.2"].map { claimed in
            daemon.open(from: "198.51.100.9", headers: Self.from(claimed))
        }
        #expect(pages.map(\.status) == [101, 429])
    }

    @Test func withoutTrustedProxiesThereIsNoCap() {
        let daemon = SimulatedDaemon { $0.maxConnectionsPerAddress = 1 }
        #expect((0..<3).map { _ in daemon.open().status } == [101, 101, 101])
    }

    @Test func aRefusedUpgradeTakesNoPlace() {
        let daemon = Self.capped(1)
        for _ in 0..<3 {
            #expect(daemon.get("/run:a", headers: Self.from("203.0.113.7")).status == 426)
        }
        #expect(daemon.open(headers: Self.from("203.0.113.7")).status == 101)
    }

    @Test func theLogNamesTheClientAndTheProxy() {
        let daemon = Self.capped(0)
        let page = daemon.open(headers: Self.from("203.0.113.7"))
        page.connection.isReset = true
        daemon.settle()
        let lines = daemon.log.lines("\"peer\":\"203.0.113.7\"")
        #expect(lines.count { $0.contains("\"via\":\"10.0.0.1:") } == 2)
    }

    @Test func aPeerAtAUnixSocketIsCalledSo() {
        let daemon = SimulatedDaemon()
        _ = daemon.open(from: "/run/status2.sock")
        #expect(daemon.log.lines("\"peer\":\"unix\"").count == 1)
    }

    // MARK: - The rate of a browser's messages

    @Test func overTheMessageRateABrowserIsClosedWith1008() {
        let daemon = SimulatedDaemon { $0.maxMessageRate = 10 }
        let page = daemon.open()
        for _ in 0..<50 { page.say(#"{"type":"pong"}"#) }
        daemon.settle()
        page.read()
        #expect(page.closeCode == nil)
        page.say(#"{"type":"pong"}"#)
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1008)
        #expect(page.closeReason == "message rate")
        page.connection.peerHasEnded = true
        daemon.settle()
        #expect(page.isClosed)
        #expect(daemon.metrics.refusals == ["message_rate": 1])
        #expect(daemon.metrics.connectionsEnded == ["message_rate": 1])
        #expect(daemon.redis.subscribers.isEmpty)
    }

    @Test(arguments: [WebSocketOpcode.ping, .pong, .text, .binary])
    func framesOfEveryKindCount(opcode: WebSocketOpcode) {
        let daemon = SimulatedDaemon { $0.maxMessageRate = 10 }
        let page = daemon.open()
        for _ in 0..<51 { page.sendFrame(opcode, []) }
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1008)
        #expect(page.pongs == (opcode == .ping ? 50 : 0))
    }

    @Test func aSteadyRateIsTaken() {
        let daemon = SimulatedDaemon { $0.maxMessageRate = 10 }
        let page = daemon.open()
        for _ in 0..<200 {
            page.say(#"{"type":"pong"}"#)
            daemon.advance(.milliseconds(100))
        }
        page.read()
        #expect(page.closeCode == nil)
    }

    @Test func aRateOfZeroLimitsNoBrowser() {
        let daemon = SimulatedDaemon { $0.maxMessageRate = 0 }
        let page = daemon.open()
        for _ in 0..<5000 { page.sendFrame(.ping, []) }
        daemon.settle()
        page.read()
        #expect(page.pongs == 5000)
        #expect(page.closeCode == nil)
    }

    @Test func theCloseOfABrowserThatSpentItsRateIsStillItsOwn() {
        let daemon = SimulatedDaemon { $0.maxMessageRate = 10 }
        let page = daemon.open()
        for _ in 0..<50 { page.say("{}") }
        page.sendClose(1000)
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1000)
        #expect(daemon.metrics.refusals.isEmpty)
    }
}
