@testable import Relay
@testable import Simulation
import Testing

/// Every message from Redis is delivered, queued, or dropped for a reason that is counted.
@Suite struct LedgerTests {
    private func ended(_ daemon: SimulatedDaemon) -> String {
        daemon.log.lines("client disconnected").last ?? ""
    }

    private func queued(_ daemon: SimulatedDaemon) -> Int {
        daemon.relay.clients.ids.map {
            daemon.relay.clients.connections[$0].socket.output.messageCount
        }
        .reduce(0, +)
    }

    private func expectBalance(
        _ daemon: SimulatedDaemon, _ place: SourceLocation = #_sourceLocation
    ) {
        #expect(daemon.metrics.ledgerImbalances == 0, sourceLocation: place)
        #expect(
            daemon.metrics.ledger.isBalanced(queued: queued(daemon)), sourceLocation: place)
    }

    @Test func whatThePageHasTakenIsDelivered() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for number in 0..<20 { daemon.redis.publish("run:status", "\(number)") }
        daemon.settle()
        #expect(daemon.metrics.ledger.received == 20)
        #expect(daemon.metrics.ledger.delivered == 20)
        page.sendClose(1000)
        daemon.advance(.seconds(3))
        let line = ended(daemon)
        #expect(line.contains(#""received":20,"#) || line.contains(#""received":20}"#))
        for field in [#""delivered":20"#, #""unsent":0"#, #""dropped":0"#, "largest_queue_bytes"] {
            #expect(line.contains(field))
        }
        expectBalance(daemon)
    }

    @Test func whatWaitsIsQueuedUntilTheSocketTakesIt() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.read()
        page.connection.capacity = 0
        for _ in 0..<100 { daemon.redis.publish("run:status", "waiting") }
        daemon.settle()
        #expect(queued(daemon) == 100)
        #expect(daemon.metrics.ledger.delivered == 0)
        expectBalance(daemon)
        page.connection.capacity = 1 << 20
        daemon.settle()
        #expect(queued(daemon) == 0)
        #expect(daemon.metrics.ledger.delivered == 100)
        expectBalance(daemon)
    }

    @Test func aSlowClientsMessagesAreDroppedForThatReason() {
        let daemon = SimulatedDaemon { $0.writeTimeout = .seconds(2) }
        let page = daemon.open()
        page.read()
        page.connection.capacity = 0
        for _ in 0..<7 { daemon.redis.publish("run:status", "never read") }
        daemon.advance(.seconds(3))
        #expect(daemon.metrics.ledger.dropped[.slowClient] == 7)
        #expect(ended(daemon).contains(#""dropped_slow_client":7"#))
        #expect(ended(daemon).contains(#""unsent":7"#))
        expectBalance(daemon)
    }

    @Test func aQueuePastItsBoundDropsTheMessageThatDidNotFitAsWell() {
        let daemon = SimulatedDaemon { $0.writeTimeout = .seconds(3600) }
        let page = daemon.open()
        page.read()
        page.connection.capacity = 0
        let payload = String(repeating: "x", count: 60_000)
        for _ in 0..<18 {
            daemon.redis.publish("run:status", payload)
            daemon.settle()
        }
        #expect(page.isClosed)
        // Seventeen of 60 KB fit a mebibyte; the eighteenth ends the connection.
        #expect(daemon.metrics.ledger.dropped[.slowClient] == 18)
        expectBalance(daemon)
    }

    @Test func whatALostConnectionLeavesBehindIsCounted() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.read()
        page.connection.capacity = 0
        for _ in 0..<3 { daemon.redis.publish("run:status", "lost") }
        daemon.settle()
        page.connection.isReset = true
        daemon.settle()
        #expect(daemon.metrics.ledger.dropped[.connectionLost] == 3)
        expectBalance(daemon)
    }

    @Test func whatComesWhileTheWebSocketClosesIsCounted() {
        let daemon = SimulatedDaemon { $0.pongTimeout = .seconds(60) }
        _ = daemon.open()
        daemon.advance(.seconds(61))
        // The close frame is out; the page has not answered it.
        daemon.redis.publish("run:status", "too late")
        daemon.settle()
        #expect(daemon.metrics.ledger.dropped[.closing] == 1)
        expectBalance(daemon)
    }

    @Test func aPayloadOverTheLimitIsReceivedAndDropped() {
        let daemon = SimulatedDaemon { $0.maxPayloadSize = 10 }
        let page = daemon.open()
        daemon.redis.publish("run:status", "eleven bytes")
        daemon.settle()
        #expect(daemon.metrics.ledger.received == 1)
        #expect(daemon.metrics.ledger.dropped[.oversized] == 1)
        page.sendClose(1000)
        daemon.advance(.seconds(3))
        #expect(ended(daemon).contains(#""dropped_oversized":1"#))
        expectBalance(daemon)
    }

    @Test func theLedgerHoldsUnderTrafficOfEveryKind() {
        let daemon = SimulatedDaemon {
            $0.maxPayloadSize = 5_000
            $0.writeTimeout = .seconds(2)
            $0.memoryBudget = 120_000
        }
        var random = SplitMix64(seed: 11)
        var pages = (0..<12).map { daemon.open("/run:\($0)") }
        for _ in 0..<1_000 {
            let index = Int.random(in: 0..<pages.count, using: &random)
            let page = pages[index]
            switch Int.random(in: 0..<20, using: &random) {
            case 0, 1: page.connection.capacity = Int.random(in: 0..<3_000, using: &random)
            case 2: page.connection.isReset = !page.isClosed
            case 3: page.sendClose(1000)
            case 4: page.read()
            case 5: daemon.advance(.milliseconds(300))
            default:
                let size = Int.random(in: 0..<6_000, using: &random)
                daemon.redis.publish("run:\(index)", String(repeating: "x", count: size))
            }
            daemon.settle()
            if page.isClosed { pages[index] = daemon.open("/run:\(index)") }
            expectBalance(daemon)
        }
        #expect(daemon.metrics.ledger.delivered > 50)
        let counted = DropReason.allCases.filter { daemon.metrics.ledger.dropped[$0] > 0 }
        #expect(
            Set(counted).isSuperset(of: [.oversized, .slowClient, .memoryBudget, .connectionLost]))
    }

    // MARK: - The memory budget

    @Test func pastTheBudgetTheLargestQueueIsDroppedAndTheOthersGoOn() {
        let daemon = SimulatedDaemon {
            $0.memoryBudget = 400_000
            $0.writeTimeout = .seconds(3600)
        }
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
        publish(0, times: 10)
        publish(1, times: 20)
        #expect(!pages.contains { $0.isClosed })
        publish(2, times: 15)
        #expect(pages.map(\.isClosed) == [false, true, false])
        #expect(daemon.metrics.ledger.dropped[.memoryBudget] == 20)
        #expect(ended(daemon).contains(#""reason":"memory_budget""#))
        #expect(daemon.relay.context.loop.bufferedBytes <= 400_000)
        expectBalance(daemon)
    }

    @Test func aBurstThatThePagesTakeIsNotHeldAgainstThem() {
        let daemon = SimulatedDaemon { $0.memoryBudget = 50_000 }
        let pages = (0..<4).map { daemon.open("/run:\($0)") }
        for index in 0..<4 {
            for _ in 0..<3 {
                daemon.redis.publish("run:\(index)", String(repeating: "x", count: 10_000))
            }
        }
        daemon.settle()
        #expect(pages.map(\.statuses.count) == [3, 3, 3, 3])
        #expect(daemon.metrics.slowClients == 0)
    }

    @Test func whatComesIncompleteFromRedisCountsTowardsTheBudget() {
        let daemon = SimulatedDaemon { $0.memoryBudget = 100_000 }
        let page = daemon.open()
        daemon.redis.publish("run:status", String(repeating: "x", count: 200_000))
        let connection = daemon.redis.subscribers[0].connection
        connection.toDaemon.removeLast(10)
        daemon.settle()
        #expect(page.isClosed)
        #expect(daemon.relay.context.loop.bufferedBytes == 0)
        #expect(daemon.metrics.connectionsEnded["memory_budget"] == 1)
    }
}
