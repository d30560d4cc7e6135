import WSFrame

@testable import Relay
@testable import Simulation
import Testing

/// Time in which the daemon stood still is held against no page and no link, and a deadline is judged
/// only after everything that had arrived by then has been read.
@Suite struct StandstillTests {
    private static let pong = #"{"type":"pong"}"#

    /// A daemon with pages that were heard just now.
    private static func pages(
        _ count: Int, _ change: (inout Settings) -> Void = { _ in }
    ) -> (SimulatedDaemon, [SimulatedPage]) {
        let daemon = SimulatedDaemon {
            $0.pingInterval = .seconds(1)
            $0.pongTimeout = .seconds(4)
            $0.redisPingInterval = .seconds(5)
            change(&$0)
        }
        let pages = (0..<count).map { daemon.open("/run:\($0)") }
        return (daemon, pages)
    }

    /// Stops the process for so long; what comes meanwhile is in the sockets afterwards.
    private static func stop(_ daemon: SimulatedDaemon, for span: Nanoseconds) {
        daemon.redis.serve()
        daemon.standStill(for: span)
    }

    /// The codes with which pages were closed.
    private static func closed(_ pages: [SimulatedPage]) -> [UInt16] {
        pages.compactMap { page in
            page.read()
            return page.closeCode
        }
    }

    // MARK: - Pages

    @Test(arguments: [1, 16, Int.max])
    func pagesThatAnsweredAreNotClosedHoweverLongTheirAnswersWaited(eventLimit: Int) {
        let (daemon, pages) = Self.pages(40)
        daemon.world.eventLimit = eventLimit
        for _ in 0..<3 {
            daemon.advance(.milliseconds(1_100))
            for page in pages { page.say(Self.pong) }
        }
        Self.stop(daemon, for: .seconds(60))
        daemon.advance(.milliseconds(900))
        for page in pages { page.say(Self.pong) }
        daemon.advance(.seconds(3))
        #expect(Self.closed(pages).isEmpty)
        #expect(daemon.metrics.connectionsActive == 40)
    }

    @Test func aPageIsAskedOnceMoreAndHasItsFullTimeForTheAnswer() {
        let (daemon, pages) = Self.pages(1)
        daemon.advance(.milliseconds(3_900))
        Self.stop(daemon, for: .seconds(8))
        // The loop knows of a standstill from its next timer on.
        daemon.settle()
        let former = pages[0].messages.count
        daemon.advance(.milliseconds(110))
        // What was left of its time has passed: it is asked, and not closed.
        #expect(pages[0].messages.count > former)
        daemon.advance(.milliseconds(3_850))
        #expect(Self.closed(pages).isEmpty)
        daemon.advance(.milliseconds(200))
        pages[0].read()
        #expect(pages[0].closeCode == WebSocketCloseCode.policyViolation)
    }

    @Test func aPageThatIsSilentWithoutAStandstillIsClosedAtItsDeadline() {
        let (daemon, pages) = Self.pages(1)
        daemon.advance(.milliseconds(3_999))
        pages[0].read()
        #expect(pages[0].closeCode == nil)
        daemon.advance(.milliseconds(2))
        pages[0].read()
        #expect(pages[0].closeCode == WebSocketCloseCode.policyViolation)
    }

    @Test func messagesThatWereHeldUpAreNotTooMany() {
        let (daemon, pages) = Self.pages(1) { $0.maxMessageRate = 10 }
        daemon.advance(.milliseconds(500))
        for _ in 0..<240 { pages[0].say(Self.pong) }
        Self.stop(daemon, for: .seconds(20))
        daemon.settle()
        pages[0].read()
        #expect(pages[0].closeCode == nil)
        // The allowance was for what was held up.
        for _ in 0..<60 { pages[0].say(Self.pong) }
        daemon.settle()
        pages[0].read()
        #expect(pages[0].closeCode == WebSocketCloseCode.policyViolation)
    }

    @Test func aPageThatTookItsBytesMeanwhileIsNotSlow() {
        let (daemon, pages) = Self.pages(1)
        pages[0].connection.capacity = 0
        daemon.redis.publish("run:0", "waits")
        daemon.settle()
        daemon.advance(.milliseconds(1_900))
        Self.stop(daemon, for: .seconds(8))
        pages[0].connection.capacity = 1 << 20
        daemon.advance(.milliseconds(200))
        #expect(pages[0].statuses == ["waits"])
        #expect(daemon.metrics.slowClients == 0)
    }

    @Test func roomThatHasComeByTheDeadlineIsUsedBeforeItIsJudged() {
        let (daemon, pages) = Self.pages(1)
        pages[0].connection.capacity = 0
        daemon.redis.publish("run:0", "waits")
        daemon.settle()
        daemon.advance(.milliseconds(1_999))
        // The room is told of in the very turn in which the time is judged.
        pages[0].connection.capacity = 1 << 20
        daemon.world.interruptions = 1
        daemon.world.wakeUp = daemon.now + .milliseconds(50)
        daemon.settle()
        #expect(pages[0].statuses == ["waits"])
        #expect(daemon.metrics.slowClients == 0)
    }

    // MARK: - Links

    @Test(arguments: [1, 16, Int.max])
    func linksWhoseAnswersHaveComeAreNotStalled(eventLimit: Int) {
        let (daemon, pages) = Self.pages(40) { $0.pongTimeout = .seconds(600) }
        daemon.world.eventLimit = eventLimit
        for _ in 0..<20 {
            daemon.advance(.milliseconds(400))
            Self.stop(daemon, for: .seconds(8))
        }
        daemon.advance(.seconds(10))
        #expect(daemon.metrics.redisLinkFailures.isEmpty)
        #expect(Self.closed(pages).isEmpty)
    }

    @Test func aLinkHasItsFullTimeOnceMoreAndIsThenStalled() {
        let (daemon, _) = Self.pages(1) { $0.pongTimeout = .seconds(600) }
        daemon.redis.isSilent = true
        let link = daemon.redis.subscribers[0].connection
        while link.fromDaemon.isEmpty {
            daemon.advance(.milliseconds(1))
        }
        daemon.advance(.milliseconds(900))
        Self.stop(daemon, for: .seconds(8))
        daemon.advance(.milliseconds(950))
        #expect(!link.isClosed)
        daemon.advance(.milliseconds(100))
        #expect(link.isClosed)
        #expect(daemon.metrics.redisLinkFailures["stalled"] != nil)
    }

    // MARK: - Waits

    @Test func anInterruptedWaitHasLookedAtNothing() {
        let (daemon, pages) = Self.pages(20)
        daemon.advance(.milliseconds(3_950))
        for page in pages { page.say(Self.pong) }
        // A stopped process goes on with EINTR, its time over and its sockets full.
        daemon.world.interruptions = 3
        daemon.world.wakeUp = daemon.now + .milliseconds(80)
        daemon.settle()
        daemon.advance(.seconds(3))
        #expect(Self.closed(pages).isEmpty)
        #expect(daemon.metrics.connectionsActive == 20)
    }

    @Test func timersWaitUntilEverySocketWasLookedAt() {
        let (daemon, pages) = Self.pages(50)
        daemon.world.eventLimit = 2
        daemon.advance(.milliseconds(3_930))
        for page in pages { page.say(Self.pong) }
        // All deadlines come in one wait, and two sockets are told of in a turn.
        daemon.world.wakeUp = daemon.now + .milliseconds(90)
        daemon.advance(.seconds(3))
        #expect(Self.closed(pages).isEmpty)
        #expect(daemon.metrics.connectionsActive == 50)
    }

    @Test func heartbeatsDoNotWaitUntilEverySocketWasLookedAt() {
        let (daemon, pages) = Self.pages(50)
        daemon.advance(.milliseconds(1_500))
        let former = pages.map { $0.messages.count }
        for page in pages { page.say(Self.pong) }
        daemon.world.eventLimit = 1
        daemon.world.wakeUp = daemon.now + .milliseconds(90)
        daemon.turn()
        let late = zip(pages, former).count { $0.0.messages.count > $0.1 }
        // Those whose time has come in the 90 ms, in one turn that tells of one socket.
        #expect(late > 0)
        let next = daemon.relay.context.loop.wheel.nextExpiry
        #expect(next.map { $0 > daemon.relay.context.loop.now } == true)
    }

    @Test func timersFireAlthoughSocketsAreAlwaysReady() {
        let (daemon, pages) = Self.pages(10)
        daemon.world.eventLimit = 2
        let noisy = Self.connectNoisy(daemon)
        for _ in 0..<520 {
            for connection in noisy { connection.toDaemon += "x".utf8 }
            daemon.world.wakeUp = daemon.now + .milliseconds(10)
            daemon.turn()
        }
        #expect(pages.allSatisfy { $0.messages.filter { $0 == "ping" }.count >= 4 })
        // Who says nothing is found all the same.
        #expect(Self.closed(pages).count == 10)
    }

    /// Connections whose requests never end.
    private static func connectNoisy(_ daemon: SimulatedDaemon) -> [Connection] {
        let pages = (0..<20).map { _ in daemon.connect() }
        for page in pages { page.send("GET /") }
        daemon.settle()
        return pages.map(\.connection)
    }

    // MARK: - What is told

    @Test func aStandstillIsCountedAndLogged() {
        let (daemon, _) = Self.pages(0)
        daemon.advance(.seconds(100))
        #expect(daemon.metrics.standstills == 0)
        Self.stop(daemon, for: .seconds(8))
        daemon.settle()
        #expect(daemon.metrics.standstills == 1)
        // What is left until the next timer, a second at the most, is not missed.
        #expect(daemon.relay.context.loop.stoodStill >= .seconds(7))
        #expect(daemon.relay.context.loop.stoodStill <= .seconds(8))
        let lines = daemon.log.lines("the daemon stood still")
        #expect(lines.count == 1)
        #expect(lines.first?.contains(#""duration_ms":7"#) == true)
    }

    @Test func aStandstillInAWaitIsNoticedToo() {
        let (daemon, _) = Self.pages(0)
        daemon.world.wakeUp = daemon.now + .seconds(30)
        daemon.turn()
        #expect(daemon.metrics.standstills == 1)
        #expect(daemon.relay.context.loop.stoodStill > .seconds(28))
    }
}
