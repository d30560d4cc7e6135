@testable import Relay
@testable import Simulation
import Testing

/// The phases of the way down: announced, departing, ending.
@Suite struct DrainTests {
    private static let sigterm: Int32 = 15

    private func begin(_ daemon: SimulatedDaemon) {
        daemon.world.signals = [Self.sigterm]
        daemon.settle()
    }

    /// Lets time pass in steps; for each page the step in which its close had come.
    private func closes(
        of pages: [SimulatedPage], in daemon: SimulatedDaemon, steps: Int, of step: Nanoseconds
    ) -> [Int?] {
        var closes = [Int?](repeating: nil, count: pages.count)
        for number in 0...steps {
            if number > 0 { daemon.advance(step) }
            for (index, page) in pages.enumerated() where closes[index] == nil {
                page.read()
                guard page.closeCode != nil else { continue }
                closes[index] = number
                page.sendClose(page.closeCode)
                page.connection.peerHasEnded = true
            }
        }
        return closes
    }

    // MARK: - The delay

    @Test func duringTheDelayEverythingGoesOnButReadinessIsGone() {
        let daemon = SimulatedDaemon { $0.drainDelay = .seconds(5) }
        let old = daemon.open("/run:old")
        begin(daemon)
        daemon.advance(.milliseconds(4_999))
        #expect(daemon.phase == .draining)
        #expect(daemon.get("/health").status == 200)
        let ready = daemon.get("/ready")
        #expect(ready.status == 503)
        #expect(ready.body == #"["draining"]"#)
        let new = daemon.open("/run:new")
        #expect(new.status == 101)
        daemon.redis.publish("run:old", "1")
        daemon.redis.publish("run:new", "2")
        daemon.settle()
        #expect(old.statuses == ["1"])
        #expect(new.statuses == ["2"])
        #expect(old.closeCode == nil)
        daemon.advance(.milliseconds(1))
        for page in [old, new] {
            page.read()
            #expect(page.closeCode == 1012)
        }
        #expect(!daemon.isListening)
    }

    @Test func withNobodyConnectedTheDelayIsWaitedForAllTheSame() {
        let daemon = SimulatedDaemon { $0.drainDelay = .seconds(5) }
        begin(daemon)
        daemon.advance(.milliseconds(4_999))
        #expect(daemon.phase == .draining)
        #expect(daemon.get("/health").status == 200)
        daemon.advance(ClientConnection.lingerLimit)
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func aDaemonThatWasNeverReadyDoesNotWaitForTheDelay() {
        let daemon = SimulatedDaemon({ $0.drainDelay = .seconds(5) }, dialPolicy: .blackHole)
        #expect(daemon.phase == .starting)
        begin(daemon)
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    // MARK: - The window

    @Test func theClosesAreSpreadOverTheWindow() {
        let daemon = SimulatedDaemon {
            $0.drainWindow = .seconds(10)
            $0.sendsHangup = true
        }
        let pages = (0..<50).map { daemon.open("/run:\($0)") }
        begin(daemon)
        #expect(!daemon.isListening)
        let closes = closes(of: pages, in: daemon, steps: 20, of: .milliseconds(500))
        let told = closes.compactMap { $0 }
        #expect(told.count == 50)
        // Fifty closes in twenty steps: two or three in each.
        for step in 1...20 { #expect((1...4).contains(told.count { $0 == step }), "\(step)") }
        #expect(pages.allSatisfy { $0.closeCode == 1000 && $0.messages.last == "hangup" })
        daemon.settle()
        #expect(daemon.phase == .stopped(fatal: nil))
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test func pagesThatWaitForTheirTurnGetTheirMessages() {
        let daemon = SimulatedDaemon { $0.drainWindow = .seconds(10) }
        let pages = (0..<10).map { _ in daemon.open("/run:status") }
        begin(daemon)
        daemon.advance(.seconds(5))
        daemon.redis.publish("run:status", "half-time")
        daemon.settle()
        let closed = pages.count { page in
            page.read()
            return page.closeCode != nil
        }
        #expect((4...6).contains(closed))
        for page in pages {
            #expect(page.statuses == (page.closeCode == nil ? ["half-time"] : []))
        }
    }

    @Test func theLastPageToLeaveEndsTheDaemonBeforeTheWindowDoes() {
        let daemon = SimulatedDaemon { $0.drainWindow = .seconds(100) }
        let pages = (0..<5).map { daemon.open("/run:\($0)") }
        begin(daemon)
        for page in pages { page.connection.isReset = true }
        daemon.settle()
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func theDeadlineCountsFromTheEndOfTheWindow() {
        let daemon = SimulatedDaemon {
            $0.drainWindow = .seconds(10)
            $0.shutdownTimeout = .seconds(1)
        }
        let page = daemon.open()
        begin(daemon)
        let closed = closes(of: [page], in: daemon, steps: 0, of: .zero)
        #expect(closed == [nil])
        // The page is told at some instant of the window and never answers.
        daemon.advance(.seconds(10))
        page.read()
        #expect(page.closeCode == 1012)
        daemon.advance(.seconds(1))
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func requestsThatHadBeenTakenAreAnsweredDuringTheWindow() {
        let daemon = SimulatedDaemon { $0.drainWindow = .seconds(5) }
        let page = daemon.open()
        let others = [daemon.connect(), daemon.connect(), daemon.connect()]
        daemon.settle()
        begin(daemon)
        others[0].send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        others[1].sendUpgrade()
        daemon.settle()
        #expect(others[0].status == 200)
        #expect(others[1].status == 503)
        daemon.advance(.seconds(5))
        page.read()
        #expect(page.closeCode == 1012)
        #expect(others[2].isClosed)
    }

    // MARK: - Coming back

    @Test func withoutHangupTheCloseSaysWhenToComeBack() {
        let daemon = SimulatedDaemon {
            $0.drainWindow = .seconds(10)
        }
        let pages = (0..<100).map { daemon.open("/run:\($0)") }
        begin(daemon)
        daemon.advance(.seconds(10))
        var waits: [Int] = []
        for page in pages {
            page.read()
            #expect(page.closeCode == 1012)
            #expect(page.closeReason.hasPrefix("retry_ms="))
            waits.append(Int(page.closeReason.dropFirst("retry_ms=".count)) ?? -1)
        }
        #expect(waits.allSatisfy { (0...10_000).contains($0) })
        for quarter in 0..<4 {
            #expect(waits.count { $0 / 2_500 == quarter } > 10, "quarter \(quarter)")
        }
        #expect(pages.allSatisfy { $0.messages == ["ping"] || $0.messages.last == "ping" })
    }

    @Test func withoutAWindowThePagesMayComeBackAtOnce() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        begin(daemon)
        page.read()
        #expect(page.closeCode == 1012)
        #expect(page.closeReason == "retry_ms=0")
    }

    // MARK: - Redis

    @Test func theLinkUnsubscribesAndLateMessagesAreCounted() throws {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.isSilent = true
        begin(daemon)
        daemon.redis.publish("run:status", "late")
        daemon.settle()
        #expect(daemon.metrics.ledger.dropped[.closing] == 1)
        daemon.redis.isSilent = false
        daemon.settle()
        let session = try #require(daemon.redis.sessions.last)
        #expect(session.commands.last == ["UNSUBSCRIBE", "run:status"])
        #expect(session.connection.isClosed)
        #expect(!page.isClosed)
        #expect(daemon.metrics.ledgerImbalances == 0)
        #expect(daemon.metrics.redisLinkFailures.isEmpty)
    }

    @Test func aLinkThatDoesNotAnswerIsNotWaitedForNorMadeAgain() throws {
        let daemon = SimulatedDaemon { $0.redisPingInterval = .seconds(60) }
        let page = daemon.open()
        let dials = daemon.world.dials.count
        daemon.redis.isSilent = true
        begin(daemon)
        // Longer than the first wait before a link is made again.
        daemon.advance(.milliseconds(4_900))
        let session = try #require(daemon.redis.sessions.last)
        #expect(session.connection.isClosed)
        #expect(!page.isClosed)
        #expect(daemon.world.dials.count == dials)
        #expect(daemon.metrics.redisLinkFailures.isEmpty)
        page.sendClose(1000)
        page.connection.peerHasEnded = true
        daemon.settle()
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func aHeartbeatOfTheLinkInFlightDoesNotReviveIt() throws {
        let daemon = SimulatedDaemon { $0.redisPingInterval = .seconds(1) }
        let page = daemon.open()
        daemon.advance(.milliseconds(999))
        daemon.redis.isSilent = true
        daemon.advance(.milliseconds(1))
        begin(daemon)
        daemon.redis.isSilent = false
        daemon.settle()
        let session = try #require(daemon.redis.sessions.last)
        #expect(session.commands.suffix(2).map(\.first) == ["PING", "UNSUBSCRIBE"])
        #expect(session.connection.isClosed)
        #expect(daemon.metrics.redisLinkFailures.isEmpty)
        #expect(!page.isClosed)
    }

    @Test func aLinkThatIsBeingMadeAgainIsLeft() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.kill()
        daemon.settle()
        let dials = daemon.world.dials.count
        begin(daemon)
        daemon.advance(.milliseconds(3_999))
        #expect(!page.isClosed)
        #expect(daemon.world.dials.count - dials <= 3)
        #expect(daemon.redis.subscribers.isEmpty)
    }
}
