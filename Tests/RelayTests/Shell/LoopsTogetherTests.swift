@testable import Relay
@testable import Simulation
import Testing

/// What reaches every event loop: questions for the metrics, the trace, the way down.
@Suite struct LoopsTogetherTests {
    private func value(_ series: String, in text: String) -> Int? {
        text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .flatMap { Int($0.dropFirst(series.count + 1)) }
    }

    // MARK: - Metrics

    @Test func theMetricsAreThoseOfAllLoopsWhicheverIsAsked() {
        let daemon = SimulatedLoops(3) { $0.metricsEnabled = true }
        for number in 0..<6 { _ = daemon.open("/run:\(number)") }
        for number in 0..<6 { daemon.redis.publish("run:\(number)", "x") }
        daemon.settle()
        for _ in 0..<3 {
            let text = daemon.get("/metrics").body
            #expect(value("status2_connections_active", in: text) == 6)
            #expect(value("status2_messages_delivered_total", in: text) == 6)
            #expect(value(#"status2_redis_links{state="live"}"#, in: text) == 6)
            for loop in 0..<3 {
                #expect(value("status2_loop_connections{loop=\"\(loop)\"}", in: text) == 2)
            }
            #expect(value("status2_loops_unanswered", in: text) == 0)
        }
    }

    @Test func aLoopThatDoesNotAnswerIsToldAndItsLastFiguresStand() {
        let daemon = SimulatedLoops(2) { $0.metricsEnabled = true }
        let pages = (0..<4).map { daemon.open("/run:\($0)") }
        for number in 0..<4 { daemon.redis.publish("run:\(number)", "x") }
        daemon.settle()
        #expect(value("status2_messages_delivered_total", in: daemon.get("/metrics").body) == 4)
        let asking = (0..<2).map { _ in daemon.connect() }
        daemon.settle()
        daemon.standing = [1]
        let page = asking.first { $0.connection.loop == 0 }
        page?.send("GET /metrics HTTP/1.1\r\nHost: relay.test\r\n\r\n")
        daemon.advance(.milliseconds(499))
        page?.read()
        #expect(page?.status == 0)
        daemon.advance(.milliseconds(10))
        page?.read()
        let text = page?.body ?? ""
        #expect(value("status2_loops_unanswered", in: text) == 1)
        #expect(value("status2_messages_delivered_total", in: text) == 4)
        #expect(value("status2_connections_active", in: text) == 4)
        #expect(pages.allSatisfy { !$0.isClosed })
    }

    @Test func whatFollowsARequestForTheMetricsWaits() {
        let daemon = SimulatedLoops(2) { $0.metricsEnabled = true }
        let asking = (0..<2).map { _ in daemon.connect() }
        daemon.settle()
        daemon.standing = [1]
        let page = asking.first { $0.connection.loop == 0 }
        page?.send("HEAD /metrics HTTP/1.1\r\nHost: relay.test\r\n\r\n")
        daemon.settle()
        page?.send("GET / HTTP/1.1\r\nHost: relay.test\r\n\r\n")
        daemon.settle()
        #expect(page?.connection.toDaemon.isEmpty == false)
        daemon.advance(.seconds(1))
        page?.read()
        // The answer to HEAD has no body, whatever came behind it.
        #expect(page?.status == 200)
        #expect(page?.body == "")
    }

    @Test func whoAsksAndLeavesIsForgotten() {
        let daemon = SimulatedLoops(2) { $0.metricsEnabled = true }
        let asking = (0..<2).map { _ in daemon.connect() }
        daemon.settle()
        daemon.standing = [1]
        let page = asking.first { $0.connection.loop == 0 }
        page?.send("GET /metrics HTTP/1.1\r\nHost: relay.test\r\n\r\n")
        daemon.settle()
        page?.connection.isReset = true
        daemon.advance(.seconds(1))
        #expect(daemon.connections[0] == 0)
        daemon.standing = []
        daemon.advance(.seconds(1))
        #expect(daemon.get("/metrics").status == 200)
    }

    /// Every field is set apart from its neighbours, so that one that is left out shows.
    @Test func theSumHasEveryCount() {
        var one = Metrics()
        one.connectionsActive = 1
        one.messagesForwarded = 2
        one.ledger.received = 3
        one.ledger.delivered = 4
        for reason in DropReason.allCases { one.ledger.dropped[reason] = 5 }
        one.ledgerImbalances = 6
        one.replacements = 7
        one.gapNotices = 8
        one.outageNotices = 9
        one.loopStalls = 10
        one.redisReconnects = 11
        one.redisReconnectsByCause = ["a": 12]
        one.redisLinkFailures = ["b": 13]
        one.redisRemarks = ["c": 14]
        one.redisTimeouts = 15
        one.tlsHandshakesFull = 16
        one.tlsHandshakesResumed = 17
        one.redisOutage = .seconds(18)
        one.writeErrors = 19
        one.clientMessagesMalformed = 20
        one.slowClients = 21
        one.connectionsEnded = ["d": 22]
        one.refusals = ["e": 23]
        one.acceptFailures = 24
        one.acceptPauses = 25
        one.standstills = 26
        one.delivery.add(.milliseconds(27))
        one.heartbeatRoundTrip.add(.milliseconds(28))
        one.redisRoundTrip.add(.milliseconds(29))
        one.loopLag.add(.milliseconds(30))
        one.resumesComplete = 31
        one.resumesFailed = 32
        one.messagesReplayed = 33
        one.redisSuspicions = 34
        one.clusterTopologies = 35
        one.clusterRedirections = 36
        one.clusterMoves = 37
        let empty = Mirror(reflecting: Metrics()).children
        for (field, unset) in zip(Mirror(reflecting: one).children, empty) {
            #expect("\(field.value)" != "\(unset.value)", "\(field.label ?? "") is not set here")
        }
        var sum = Metrics()
        sum.add(one)
        #expect(sum == one)
        sum.add(one)
        let twice = Mirror(reflecting: sum).children
        for (field, doubled) in zip(Mirror(reflecting: one).children, twice)
        where field.label != "standstills" {
            #expect("\(field.value)" != "\(doubled.value)", "\(field.label ?? "") is not added")
        }
        #expect(sum.standstills == 26)
        #expect(sum.ledger.dropped.total == 50)
    }

    // MARK: - The trace

    @Test func theTraceSwitchReachesEveryLoop() {
        let daemon = SimulatedLoops(3)
        for number in 0..<3 { _ = daemon.open("/run:\(number)") }
        daemon.world.signals = [HostProcess.traceSignal]
        daemon.settle()
        #expect((0..<3).map(daemon.isTracing) == [true, true, true])
        #expect(daemon.log.lines("\"trace switched on\"").count == 1)
        for number in 0..<3 { daemon.redis.publish("run:\(number)", "payload\(number)") }
        daemon.settle()
        let lines = daemon.traced.takeLines()
        for number in 0..<3 {
            #expect(lines.contains { $0.contains("payload\(number)") })
        }
        daemon.world.signals = [HostProcess.traceSignal]
        daemon.settle()
        #expect((0..<3).map(daemon.isTracing) == [false, false, false])
        #expect(daemon.log.lines("\"trace switched off\"").count == 1)
    }

    // MARK: - The way down

    @Test func aShutdownSendsThePagesOfAllLoopsAway() {
        let daemon = SimulatedLoops(3)
        let pages = (0..<6).map { daemon.open("/run:\($0)") }
        daemon.world.signals = [15]
        daemon.settle()
        for page in pages { page.read() }
        #expect(pages.allSatisfy { $0.closeCode == 1012 })
        #expect(
            daemon.log.lines("\"draining: no more connections are taken\"").first?
                .contains("\"connections\":6") == true)
        for page in pages {
            page.sendClose(1012)
            page.connection.peerHasEnded = true
        }
        daemon.settle()
        #expect((0..<3).map(daemon.phase) == Array(repeating: .stopped(fatal: nil), count: 3))
        #expect(daemon.log.lines("\"status2 stopped\"").count == 1)
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test func theDelayAndTheWindowHoldForAllLoops() {
        let daemon = SimulatedLoops(2) {
            $0.drainDelay = .seconds(2)
            $0.drainWindow = .seconds(10)
        }
        let pages = (0..<8).map { daemon.open("/run:\($0)") }
        daemon.world.signals = [15]
        daemon.settle()
        #expect((0..<2).map(daemon.phase) == [.draining, .draining])
        #expect(daemon.get("/ready").body == #"["draining"]"#)
        #expect(daemon.get("/ready").body == #"["draining"]"#)
        // New pages are let in on every loop until the delay is over.
        #expect((0..<2).map { daemon.open("/late:\($0)").status } == [101, 101])
        daemon.advance(.milliseconds(1_900))
        for page in pages { page.read() }
        #expect(pages.allSatisfy { $0.closeCode == nil })
        daemon.advance(.seconds(5))
        for page in pages { page.read() }
        let gone = pages.count { $0.closeCode != nil }
        #expect(gone > 0)
        #expect(gone < 8)
        daemon.advance(.seconds(6))
        for page in pages { page.read() }
        #expect(pages.allSatisfy { $0.closeCode == 1012 })
    }

    @Test func aLoopThatStandsStillDoesNotKeepTheProcess() {
        let daemon = SimulatedLoops(2) { $0.shutdownTimeout = .seconds(5) }
        _ = (0..<2).map { daemon.open("/run:\($0)") }
        daemon.standing = [1]
        daemon.world.signals = [15]
        daemon.advance(.milliseconds(5_500))
        #expect(daemon.phase(0) == .draining)
        daemon.advance(.seconds(1))
        #expect(daemon.phase(0) == .stopped(fatal: nil))
    }

    @Test func theFirstLoopEndsBehindTheOthers() {
        let daemon = SimulatedLoops(2)
        let pages = (0..<2).map { daemon.open("/run:\($0)") }
        daemon.world.signals = [15]
        daemon.settle()
        let first = pages.first { $0.connection.loop == 0 }
        first?.sendClose(1012)
        first?.connection.peerHasEnded = true
        daemon.settle()
        #expect(daemon.phase(0) == .draining)
        let second = pages.first { $0.connection.loop == 1 }
        second?.sendClose(1012)
        second?.connection.peerHasEnded = true
        daemon.settle()
        #expect(daemon.phase(0) == .stopped(fatal: nil))
    }

    @Test func aLoopThatCannotBeginEndsTheProcessWithItsLine() {
        let daemon = SimulatedLoops(2)
        daemon.share.post(.ended(loop: 1, fatal: "cannot set up an event loop: why"), to: 0)
        daemon.settle()
        #expect(daemon.phase(0) == .stopped(fatal: "cannot set up an event loop: why"))
    }
}
