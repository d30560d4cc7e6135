@testable import Relay
@testable import Simulation
import Testing

/// From a message in Redis to a frame at the page.
@Suite struct StreamTests {
    @Test func aPublishedMessageReachesThePage() {
        let daemon = SimulatedDaemon()
        let page = daemon.open("/run:status")
        #expect(page.status == 101)
        #expect(daemon.redis.publish("run:status", #"step "1" done"#) == 1)
        daemon.settle()
        #expect(page.messages == ["ping", #"status:step \"1\" done"#])
    }

    @Test func messagesKeepRedissOrderAndComeOnce() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for number in 0..<500 {
            daemon.redis.publish("run:status", "\(number)")
            if number % 7 == 0 { daemon.settle() }
        }
        daemon.settle()
        #expect(page.statuses == (0..<500).map(String.init))
        #expect(daemon.metrics.messagesForwarded == 500)
    }

    @Test func messagesSplitAnywhereArriveWhole() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.publish("run:status", "first")
        daemon.redis.publish("run:status", "second")
        let connection = daemon.redis.subscribers[0].connection
        let bytes = connection.toDaemon
        for byte in bytes {
            connection.toDaemon = [byte]
            daemon.settle()
        }
        #expect(page.statuses == ["first", "second"])
    }

    @Test func whatOneTurnHasForASocketLeavesInOneWrite() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        let writes = page.connection.writes
        for number in 0..<100 { daemon.redis.publish("run:status", "\(number)") }
        daemon.settle()
        #expect(page.connection.writes == writes + 1)
        #expect(page.statuses.count == 100)
    }

    @Test func illFormedBytesAreReplacedAndCounted() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.redis.publish("run:status", [0x61, 0xFF, 0x62])
        daemon.settle()
        #expect(page.statuses == ["a\u{FFFD}b"])
        #expect(daemon.metrics.replacements == 1)
    }

    @Test func aPayloadOverTheLimitIsSkippedAndCountedAndTheStreamGoesOn() {
        let daemon = SimulatedDaemon { $0.maxPayloadSize = 100 }
        let page = daemon.open()
        daemon.redis.publish("run:status", String(repeating: "x", count: 101))
        daemon.redis.publish("run:status", String(repeating: "y", count: 100))
        daemon.settle()
        #expect(page.statuses == [String(repeating: "y", count: 100)])
        #expect(daemon.metrics.ledger.dropped[.oversized] == 1)
    }

    @Test func eachWebSocketHasALinkOfItsOwnWhichGoesWithIt() {
        let daemon = SimulatedDaemon()
        let first = daemon.open("/run:a")
        let second = daemon.open("/run:a")
        #expect(daemon.redis.subscribers.map(\.channel) == ["run:a", "run:a"])
        first.sendClose(1000)
        daemon.settle()
        #expect(daemon.redis.subscribers.count == 1)
        daemon.redis.publish("run:a", "still here")
        daemon.settle()
        #expect(second.statuses == ["still here"])
        #expect(daemon.metrics.connectionsActive == 1)
    }

    @Test func theLinkIsNamedBeforeItSubscribes() {
        let daemon = SimulatedDaemon()
        _ = daemon.open("/run:a")
        let commands = daemon.redis.subscribers[0].commands.map { $0[0] }
        #expect(commands == ["HELLO", "SELECT", "SUBSCRIBE"])
        #expect(daemon.redis.subscribers[0].name == "status2")
    }

    @Test func aServerWithoutHelloIsSpokenToInRESP2() {
        let daemon = SimulatedDaemon {
            $0.redis.password = Secret("pw")
            $0.redis.username = "me"
        }
        daemon.redis.isOld = true
        let page = daemon.open("/run:a")
        let commands = daemon.redis.subscribers.last?.commands
        #expect(
            commands?.dropFirst() == [
                ["AUTH", "me", "pw"], ["CLIENT", "SETNAME", "status2"], ["SELECT", "2"],
                ["SUBSCRIBE", "run:a"],
            ])
        daemon.redis.publish("run:a", "old but well")
        daemon.advance(.seconds(30))
        daemon.redis.publish("run:a", "and quiet for long")
        daemon.settle()
        #expect(page.statuses == ["old but well", "and quiet for long"])
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test func theEmbeddedBrokerServesTheSameLoop() throws {
        let daemon = SimulatedDaemon(
            { $0.redis.address = .tcp(host: "127.0.0.1", port: 6390) },
            embeddedBroker: EmbeddedBrokerAddress(host: "127.0.0.1", port: 6390))
        let page = daemon.open("/run:status")
        let publisher = SimulatedPage(try #require(daemon.world.connect(port: 6390)))
        publisher.send("PUBLISH run:status hello\r\n")
        daemon.settle()
        #expect(publisher.connection.fromDaemon == Array(":1\r\n".utf8))
        #expect(page.statuses == ["hello"])
    }
}
