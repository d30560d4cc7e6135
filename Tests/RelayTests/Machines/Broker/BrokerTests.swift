import RESP
@testable import Relay
@testable import Simulation
import Testing

/// The embedded broker's commands, as a Redis client sees them.
@Suite struct BrokerTests {
    /// One client of a broker, with its answers as bytes.
    private struct Client {
        var broker: Broker
        var session: BrokerSession
        var action = BrokerAction.none
        private let id = SlotID(index: 1, generation: 0)

        init(password: String? = nil) {
            broker = Broker(password: password.map { Secret($0) }, version: "test")
            session = broker.makeSession()
        }

        mutating func send(_ words: String...) -> String {
            var bytes: [UInt8] = []
            var ranges: [Range<Int>] = []
            for word in words {
                let start = bytes.count
                bytes += word.utf8
                ranges.append(start..<bytes.count)
            }
            var reply = RESPEncoder()
            action = broker.execute(
                ranges, of: bytes.span, by: id, session: &session, reply: &reply)
            return String(decoding: reply.bytes, as: UTF8.self)
        }
    }

    @Test func pingAnswersInEachForm() {
        var client = Client()
        #expect(client.send("PING") == "+PONG\r\n")
        #expect(client.send("ping", "x") == "$1\r\nx\r\n")
        _ = client.send("SUBSCRIBE", "c")
        #expect(client.send("PING") == "*2\r\n$4\r\npong\r\n$0\r\n\r\n")
        #expect(client.send("PING", "x") == "*2\r\n$4\r\npong\r\n$1\r\nx\r\n")
    }

    @Test func helloSwitchesTheProtocol() {
        var client = Client()
        #expect(client.send("HELLO").hasPrefix("*12\r\n"))
        #expect(client.send("HELLO", "3").hasPrefix("%6\r\n"))
        #expect(client.send("SUBSCRIBE", "c") == ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n")
        #expect(client.send("HELLO", "4").hasPrefix("-NOPROTO"))
        #expect(client.send("HELLO", "3", "SETNAME", "me").hasPrefix("%6\r\n"))
        #expect(client.send("CLIENT", "GETNAME") == "$2\r\nme\r\n")
        #expect(client.send("HELLO", "3", "WHAT").hasPrefix("-ERR Syntax error"))
    }

    @Test func aPasswordIsAskedForWhereThereIsOne() {
        var client = Client(password: "pw")
        #expect(client.send("PUBLISH", "c", "x") == "-NOAUTH Authentication required.\r\n")
        #expect(client.send("HELLO", "3").hasPrefix("-NOAUTH"))
        #expect(client.send("AUTH", "wrong").hasPrefix("-WRONGPASS"))
        #expect(client.send("AUTH", "other", "pw").hasPrefix("-WRONGPASS"))
        #expect(client.send("HELLO", "3", "AUTH", "default", "no").hasPrefix("-WRONGPASS"))
        #expect(client.send("AUTH", "pw") == "+OK\r\n")
        _ = client.send("PUBLISH", "c", "x")
        #expect(client.action != .none)
        var other = Client(password: "pw")
        #expect(other.send("HELLO", "3", "AUTH", "default", "pw").hasPrefix("%6"))
    }

    @Test func authWithoutAPasswordIsAMistake() {
        var client = Client()
        #expect(client.send("AUTH", "x").hasPrefix("-ERR AUTH <password> called without"))
    }

    @Test func subscriptionsAreCountedAndEnd() {
        var client = Client()
        #expect(client.send("SUBSCRIBE", "a", "b", "a").hasSuffix("$1\r\na\r\n:2\r\n"))
        #expect(client.broker.receivers(of: Array("a".utf8)).count == 1)
        #expect(client.send("UNSUBSCRIBE", "a") == "*3\r\n$11\r\nunsubscribe\r\n$1\r\na\r\n:1\r\n")
        #expect(client.broker.receivers(of: Array("a".utf8)).isEmpty)
        #expect(client.send("UNSUBSCRIBE") == "*3\r\n$11\r\nunsubscribe\r\n$1\r\nb\r\n:0\r\n")
        #expect(client.send("UNSUBSCRIBE") == "*3\r\n$11\r\nunsubscribe\r\n$-1\r\n:0\r\n")
    }

    @Test func aSubscriberInRESP2MayOnlySubscribePingAndQuit() {
        var client = Client()
        _ = client.send("SUBSCRIBE", "a")
        #expect(client.send("PUBLISH", "a", "x").hasPrefix("-ERR Can't execute 'publish'"))
        #expect(client.action == .none)
        _ = client.send("UNSUBSCRIBE")
        _ = client.send("PUBLISH", "a", "x")
        #expect(client.action == .publish(channel: 7..<8, payload: 8..<9))
    }

    @Test func aSessionThatEndsIsForgotten() {
        var client = Client()
        _ = client.send("SUBSCRIBE", "a", "b")
        client.broker.remove(SlotID(index: 1, generation: 0), session: client.session)
        #expect(client.broker.receivers(of: Array("a".utf8)).isEmpty)
        #expect(client.broker.receivers(of: Array("b".utf8)).isEmpty)
    }

    @Test func pubsubTellsOfChannels() {
        var client = Client()
        _ = client.send("HELLO", "3")
        _ = client.send("SUBSCRIBE", "b:1", "a:1", "a:2")
        #expect(
            client.send("PUBSUB", "CHANNELS")
                == "*3\r\n$3\r\na:1\r\n$3\r\na:2\r\n$3\r\nb:1\r\n")
        #expect(client.send("PUBSUB", "CHANNELS", "b*") == "*1\r\n$3\r\nb:1\r\n")
        #expect(
            client.send("PUBSUB", "NUMSUB", "a:1", "none")
                == "*4\r\n$3\r\na:1\r\n:1\r\n$4\r\nnone\r\n:0\r\n")
        #expect(client.send("PUBSUB", "NUMPAT") == ":0\r\n")
        #expect(client.send("PUBSUB", "NUMSUB") == "*0\r\n")
    }

    @Test(arguments: [("0", "+OK\r\n"), ("15", "+OK\r\n"), ("16", "-ERR DB"), ("x", "-ERR value")])
    func selectKnowsSixteenDatabases(number: String, answer: String) {
        var client = Client()
        #expect(client.send("SELECT", number).hasPrefix(answer))
    }

    @Test(arguments: [
        ["GET", "x"], ["SUBSCRIBE"], ["PUBLISH", "c"], ["SELECT"], ["CLIENT"], ["PUBSUB"],
        ["CLIENT", "KILL"], ["PUBSUB", "WHAT"], ["AUTH"], ["ECHO"], ["PING", "a", "b"], [""],
    ])
    func whatItDoesNotKnowIsAnError(words: [String]) {
        var broker = Broker(password: nil, version: "test")
        var session = broker.makeSession()
        var bytes: [UInt8] = []
        var ranges: [Range<Int>] = []
        for word in words {
            ranges.append(bytes.count..<bytes.count + word.utf8.count)
            bytes += word.utf8
        }
        var reply = RESPEncoder()
        let action = broker.execute(
            ranges, of: bytes.span, by: SlotID(index: 0, generation: 0), session: &session,
            reply: &reply)
        #expect(action == .none)
        #expect(reply.bytes.first == UInt8(ascii: "-"))
    }

    @Test func quitAnswersAndCloses() {
        var client = Client()
        #expect(client.send("QUIT") == "+OK\r\n")
        #expect(client.action == .close)
    }

    @Test func infoIsEnoughForItsReaders() {
        var client = Client()
        let text = client.send("INFO")
        #expect(text.contains("# Server\r\nredis_version:"))
        #expect(client.send("CONFIG", "GET", "save") == "*2\r\n$4\r\nsave\r\n$0\r\n\r\n")
    }

    // MARK: - On the event loop

    private static let address = EmbeddedBrokerAddress(host: "127.0.0.1", port: 6390)

    private static func daemon() -> SimulatedDaemon {
        SimulatedDaemon(
            { $0.redis.address = .tcp(host: "127.0.0.1", port: 6390) }, embeddedBroker: address)
    }

    @Test func aPublisherWhoSubscribesGetsItsOwnMessage() throws {
        let daemon = Self.daemon()
        let client = try #require(daemon.world.connect(port: 6390))
        client.toDaemon += "HELLO 3\r\nSUBSCRIBE c\r\n".utf8
        daemon.settle()
        client.fromDaemon = []
        client.toDaemon += "PUBLISH c hi\r\n".utf8
        daemon.settle()
        let text = String(decoding: client.fromDaemon, as: UTF8.self)
        #expect(text == ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\nhi\r\n:1\r\n")
    }

    @Test func brokenProtocolIsAnsweredAndClosed() throws {
        let daemon = Self.daemon()
        let client = try #require(daemon.world.connect(port: 6390))
        client.toDaemon += "*1\r\n$x\r\n".utf8
        daemon.settle()
        #expect(String(decoding: client.fromDaemon, as: UTF8.self).hasPrefix("-ERR Protocol error"))
        #expect(client.isClosed)
    }

    @Test func aSubscriberThatDoesNotReadIsClosedAtTheLimit() throws {
        let daemon = Self.daemon()
        let slow = try #require(daemon.world.connect(port: 6390))
        slow.toDaemon += "SUBSCRIBE c\r\n".utf8
        daemon.settle()
        slow.capacity = 0
        let publisher = try #require(daemon.world.connect(port: 6390))
        var message = RESPEncoder()
        message.command("PUBLISH", "c", String(repeating: "x", count: 1 << 20))
        for _ in 0..<33 {
            publisher.toDaemon += message.bytes
            daemon.settle()
        }
        #expect(slow.isClosed)
        #expect(!publisher.isClosed)
        #expect(daemon.relay.context.loop.pool.usedCount == 0)
    }
}
