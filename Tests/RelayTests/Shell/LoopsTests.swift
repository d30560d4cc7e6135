@testable import Relay
@testable import Simulation
import Synchronization
import Testing

/// Several event loops in one process: what is shared, what holds for all of them, how they end.
@Suite struct LoopsTests {
    private func value(_ series: String, in text: String) -> Int? {
        text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .flatMap { Int($0.dropFirst(series.count + 1)) }
    }

    // MARK: - The inbox

    @Test func messagesComeOnceAndInTheirOrder() {
        let wakes = Atomic(0)
        let inbox = LoopInbox { wakes.add(1, ordering: .relaxed) }
        #expect(inbox.isEmpty)
        inbox.post(.drain)
        inbox.post(.depart)
        #expect(!inbox.isEmpty)
        // The second one finds the loop woken already.
        #expect(wakes.load(ordering: .relaxed) == 1)
        #expect(inbox.takeAll() == [.drain, .depart])
        #expect(inbox.isEmpty)
        inbox.post(.end)
        #expect(wakes.load(ordering: .relaxed) == 2)
        #expect(inbox.takeAll() == [.end])
    }

    @Test func noMessageIsLostBetweenThreads() {
        let inbox = LoopInbox()
        let left = Atomic(4)
        for sender in 0..<4 {
            let isStarted = Thread.start {
                for _ in 0..<1_000 { inbox.post(.report(to: sender)) }
                left.subtract(1, ordering: .releasing)
            }
            #expect(isStarted)
        }
        var received = 0
        while left.load(ordering: .acquiring) > 0 || !inbox.isEmpty {
            received += inbox.takeAll().count
        }
        #expect(received == 4_000)
    }

    // MARK: - Connections

    @Test func longLivedConnectionsAreEvenOverTheLoops() {
        let daemon = SimulatedLoops(4)
        let pages = (0..<40).map { daemon.open("/run:\($0)") }
        #expect(pages.allSatisfy { $0.status == 101 })
        #expect(daemon.connections == [10, 10, 10, 10])
        // A loop that has lost some gets the next ones.
        let lost = pages.filter { $0.connection.loop == 2 }
        for page in lost {
            page.connection.isReset = true
            daemon.settle()
        }
        #expect(daemon.connections == [10, 10, 0, 10])
        for number in 0..<10 { _ = daemon.open("/more:\(number)") }
        #expect(daemon.connections == [10, 10, 10, 10])
    }

    @Test func withOneLoopNothingIsHandedOver() {
        let daemon = SimulatedLoops(1)
        let pages = (0..<5).map { daemon.open("/run:\($0)") }
        #expect(pages.allSatisfy { $0.status == 101 && $0.connection.loop == 0 })
        #expect(daemon.share.loops[0].inbox.isEmpty)
    }

    @Test func everyLoopRelays() {
        let daemon = SimulatedLoops(3)
        let pages = (0..<6).map { daemon.open("/run:\($0)") }
        for number in 0..<6 { daemon.redis.publish("run:\(number)", "for \(number)") }
        daemon.settle()
        #expect(pages.map(\.statuses) == (0..<6).map { ["for \($0)"] })
        #expect(Set(pages.map(\.connection.loop)) == [0, 1, 2])
    }

    @Test func theLimitOfWebSocketsIsThatOfTheProcess() {
        let daemon = SimulatedLoops(3, connectionLimit: 4)
        let pages = (0..<6).map { daemon.open("/run:\($0)") }
        #expect(pages.map(\.status) == [101, 101, 101, 101, 503, 503])
        pages[0].connection.isReset = true
        daemon.settle()
        #expect(daemon.open().status == 101)
        #expect(daemon.open().status == 503)
    }

    @Test func theCapOfAnAddressIsThatOfTheProcess() {
        let daemon = SimulatedLoops(3) {
            $0.maxConnectionsPerAddress = 2
            $0.trustedProxies = (try? TrustedProxies(parsing: "10.0.0.0/8")) ?? TrustedProxies()
        }
        let from = ["X-Forwarded-For: 203.0.113.7"]
        let pages = (0..<4).map { daemon.open("/run:\($0)", headers: from) }
        #expect(pages.map(\.status) == [101, 101, 429, 429])
        // A refusal gives its place among the WebSockets back.
        #expect(daemon.share.webSockets == 2)
        for page in pages { page.connection.isReset = true }
        daemon.settle()
        #expect(daemon.share.addressCount == 0)
        #expect(daemon.share.webSockets == 0)
        #expect(daemon.share.connections == 0)
    }

    @Test func whoSaysNothingGivesWayOnWhicheverLoopItIs() {
        let daemon = SimulatedLoops(2, clientLimit: 4)
        let silent = (0..<4).map { _ in daemon.connect() }
        daemon.settle()
        let pages = (0..<4).map { daemon.open("/run:\($0)") }
        #expect(pages.map(\.status) == [101, 101, 101, 101])
        #expect(silent.allSatisfy { $0.isClosed })
        #expect(daemon.share.connections == 4)
        // None but WebSockets are left: the next one is closed unanswered.
        let late = daemon.connect()
        daemon.settle()
        #expect(late.isClosed)
        #expect(daemon.share.connections == 4)
    }

    @Test func aLoopThatStandsStillGetsNoConnections() {
        let daemon = SimulatedLoops(2)
        daemon.standing = [1]
        daemon.advance(.seconds(3))
        let pages = (0..<4).map { daemon.open("/run:\($0)") }
        #expect(pages.map(\.status) == [101, 101, 101, 101])
        #expect(daemon.connections == [4, 0])
    }

    // MARK: - Redis

    @Test func dialsOfAllLoopsGoThroughOneGate() {
        let daemon = SimulatedLoops(2) { $0.redisDialConcurrency = 3 }
        daemon.world.dialPolicy = .blackHole
        let before = daemon.world.dials.count
        for number in 0..<8 { _ = daemon.open("/run:\(number)") }
        #expect(daemon.world.dials.count - before == 3)
        daemon.world.dialPolicy = .accept
        daemon.world.decide(port: SimulatedDaemon.redisPort)
        daemon.advance(.milliseconds(500))
        #expect(daemon.redis.subscribers.count == 8)
    }

    @Test func theGateDoesNotWaitForALoopThatStandsStill() {
        let daemon = SimulatedLoops(2) { $0.redisDialConcurrency = 1 }
        daemon.world.dialPolicy = .blackHole
        _ = daemon.open("/run:0")
        // The next in the queue is a link of the loop that is going to stand still.
        let pages = (1..<4).map { daemon.open("/run:\($0)") }
        daemon.standing = [pages[0].connection.loop]
        #expect(pages[0].connection.loop == 0 || pages[0].connection.loop == 1)
        daemon.world.dialPolicy = .accept
        daemon.world.decide(port: SimulatedDaemon.redisPort)
        daemon.advance(.seconds(4))
        let turning = ([pages[1], pages[2]]).filter {
            !daemon.standing.contains($0.connection.loop)
        }
        #expect(!turning.isEmpty)
        for page in turning { page.read() }
        #expect(turning.allSatisfy { !$0.messages.isEmpty })
    }

    @Test func linksHaveNumbersOfTheirOwnInTheProcess() {
        let daemon = SimulatedLoops(3)
        for number in 0..<6 { _ = daemon.open("/run:\(number)") }
        let lines = daemon.log.lines("\"redis subscription established\"")
        let numbers = lines.compactMap { $0.firstMatch(of: /"link":([0-9]+)/)?.output.1 }
        #expect(numbers.count == 6)
        #expect(Set(numbers).count == 6)
    }

    // MARK: - Memory

    @Test func theLoopThatHoldsTheMostShedsWhereTheBudgetIsUsedUp() {
        let daemon = SimulatedLoops(2) { $0.memoryBudget = 400_000 }
        let pages = (0..<3).map { daemon.open("/run:\($0)") }
        for page in pages {
            page.read()
            page.connection.capacity = 0
        }
        func publish(_ index: Int, times: Int) {
            for _ in 0..<times {
                daemon.redis.publish("run:\(index)", String(repeating: "x", count: 10_000))
                daemon.settle()
            }
        }
        #expect(pages[0].connection.loop != pages[1].connection.loop)
        publish(0, times: 24)
        publish(1, times: 10)
        #expect(!pages.contains { $0.isClosed })
        // The first page's loop is not the one that goes over the budget.
        publish(1, times: 7)
        #expect(pages.map(\.isClosed) == [true, false, false])
        #expect(daemon.bytesHeld(0) + daemon.bytesHeld(1) <= 400_000)
    }

    @Test func aLoopThatStandsStillIsNotAskedForEverToShed() {
        let daemon = SimulatedLoops(2) { $0.memoryBudget = 400_000 }
        let pages = (0..<2).map { daemon.open("/run:\($0)") }
        for page in pages {
            page.read()
            page.connection.capacity = 0
        }
        func publish(_ index: Int, times: Int) {
            for _ in 0..<times {
                daemon.redis.publish("run:\(index)", String(repeating: "x", count: 10_000))
                daemon.settle()
            }
        }
        publish(0, times: 30)
        daemon.standing = [pages[0].connection.loop]
        publish(1, times: 20)
        #expect(pages.map(\.isClosed) == [false, true])
        #expect(daemon.bytesHeld(0) + daemon.bytesHeld(1) <= 450_000)
    }

    // MARK: - Readiness

    @Test(arguments: [0, 1])
    func aLoopThatStandsStillIsToldByTheOthers(_ standing: Int) {
        let daemon = SimulatedLoops(3)
        // The connections that will ask are there before: the first loop is the one that accepts.
        let asking = (0..<3).map { _ in daemon.connect() }
        daemon.settle()
        let other = asking.first { $0.connection.loop == 2 }
        daemon.standing = [standing]
        daemon.advance(.seconds(4))
        #expect(!daemon.watch(2).hasFoundStall)
        daemon.advance(.seconds(3))
        other?.send("GET /ready HTTP/1.1\r\nHost: relay.test\r\n\r\n")
        daemon.settle()
        other?.read()
        #expect(other?.status == 503)
        #expect(other?.body == #"["loop_stalled"]"#)
        let told = daemon.log.lines("\"an event loop does not turn: the daemon is not ready\"")
        #expect(told.count == 1)
        #expect(told.first?.contains("\"loop\":\(standing)") == true)
        daemon.standing = []
        daemon.advance(.seconds(2))
        #expect(daemon.get("/ready").status == 200)
        #expect(daemon.log.lines("\"an event loop turns again\"").count == 1)
    }

    @Test func aStandstillOfTheWholeProcessIsNoStalledLoop() {
        let daemon = SimulatedLoops(2)
        daemon.world.standStill(for: .seconds(60))
        daemon.settle()
        daemon.advance(.seconds(2))
        #expect(daemon.get("/ready").status == 200)
        #expect(daemon.log.lines("\"an event loop does not turn").isEmpty)
        // Each loop has noticed it, and one has said so.
        #expect((0..<2).map { daemon.metrics($0).standstills } == [1, 1])
        #expect(daemon.log.lines("\"the daemon stood still\"").count == 1)
    }

    @Test func everyLoopSaysWhetherRedisAnswers() {
        let daemon = SimulatedLoops(2)
        let answers = (0..<2).map { _ in daemon.get("/ready").body }
        #expect(answers == ["[]", "[]"])
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.settle()
        let later = (0..<2).map { _ in daemon.get("/ready").body }
        #expect(later == Array(repeating: #"["redis_unavailable"]"#, count: 2))
    }
}
