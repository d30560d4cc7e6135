import RESP
import RESPProperties
import Testing

/// What a real server writes is read, and what is written a real server reads.
@Suite(
    "Redis server",
    .enabled(
        if: RedisServer.isRequired || RedisServer.executable != nil,
        "redis-server is not installed; with STATUS2_REQUIRE_SERVERS=1 that is a failure"),
    .timeLimit(.minutes(1)))
struct RedisServerTests {
    let server: RedisServer

    init() throws {
        server = try #require(RedisServer(), "redis-server must start")
    }

    /// A connection that reads in pieces of so many bytes.
    struct Client {
        let connection: RedisConnection
        var parser = RESPParser()
        var buffer: [UInt8] = []
        let piece: Int

        init(_ server: RedisServer, piece: Int) throws {
            connection = try #require(server.connect(), "the server must accept")
            self.piece = piece
        }

        mutating func send(_ arguments: String...) {
            var encoder = RESPEncoder()
            encoder.command(arguments)
            #expect(connection.send(encoder.bytes))
        }

        mutating func receive() throws -> RESPValue {
            while true {
                let received = buffer
                let step = try parser.next(received.span, from: 0)
                buffer.removeFirst(step.end)
                if let value = step.value { return value }
                let bytes = connection.receive(atMost: piece)
                try #require(!bytes.isEmpty, "the server must answer")
                buffer += bytes
            }
        }
    }

    /// The answers to `DEBUG PROTOCOL` in RESP3 and in RESP2.
    static let answers: [(type: String, resp3: [RESPValue], resp2: [RESPValue])] = {
        let numbers: [RESPValue] = [.integer(0), .integer(1), .integer(2)]
        let attributed = RESPValue.bulkString("Some real reply following the attribute")
        let verbatim = "This is a verbatim\nstring"
        let bigNumber = "1234567999999999999999999999999999999"
        return [
            ("string", [.bulkString("Hello World")], [.bulkString("Hello World")]),
            ("integer", [.integer(12345)], [.integer(12345)]),
            ("double", [.double(3.141)], [.bulkString("3.141")]),
            ("null", [.null], [.null]),
            ("array", [.array(numbers)], [.array(numbers)]),
            ("set", [.set(numbers)], [.array(numbers)]),
            (
                "map",
                [.map(numbers.map { ($0, .boolean($0.integer == 1)) })],
                [.array(numbers.flatMap { [$0, .integer($0.integer == 1 ? 1 : 0)] })]
            ),
            (
                "attrib",
                [
                    attributed.attributed([
                        (
                            .bulkString("key-popularity"),
                            .array([.bulkString("key:123"), .integer(90)])
                        )
                    ])
                ], [attributed]
            ),
            (
                "push",
                [
                    .push([.bulkString("server-cpu-usage"), .integer(42)]),
                    .bulkString("Some real reply following the push reply"),
                ], [.simpleError("ERR RESP2 is not supported by this command")]
            ),
            ("verbatim", [.verbatimString(verbatim)], [.bulkString(verbatim)]),
            ("true", [.boolean(true)], [.integer(1)]),
            ("false", [.boolean(false)], [.integer(0)]),
            ("bignum", [.bigNumber(bigNumber)], [.bulkString(bigNumber)]),
        ]
    }()

    @Test("DEBUG PROTOCOL answers with every type", arguments: [2, 3], [1, 7, 65536])
    func debugProtocol(_ version: Int, _ piece: Int) throws {
        var client = try Client(server, piece: piece)
        client.send("HELLO", "\(version)")
        #expect(try client.receive().value(forKey: "proto")?.integer == version)
        for answer in Self.answers {
            client.send("DEBUG", "PROTOCOL", answer.type)
            for value in version == 3 ? answer.resp3 : answer.resp2 {
                #expect(try client.receive() == value, "\(answer.type)")
            }
        }
        client.send("AUTH", "nobody", "nothing")
        #expect(try client.receive().errorCode == "WRONGPASS")
        #expect(client.buffer.isEmpty)
    }

    @Test("values of the encoder are those that the server writes", arguments: [2, 3])
    func encoder(_ version: Int) throws {
        let connection = try #require(server.connect())
        for answer in Self.answers where version == 3 || answer.type != "push" {
            var command = RESPEncoder()
            command.command("HELLO", "\(version)")
            command.command("DEBUG", "PROTOCOL", answer.type)
            command.command("PING")
            #expect(connection.send(command.bytes))
            var received: [UInt8] = []
            while !received.suffix(7).elementsEqual("+PONG\r\n".utf8) {
                let bytes = connection.receive(atMost: 65536)
                try #require(!bytes.isEmpty)
                received += bytes
            }
            var encoder = RESPEncoder(version: version == 3 ? .resp3 : .resp2)
            for value in answer.resp3 { encoder.append(value) }
            encoder.simpleString("PONG")
            #expect(received.suffix(encoder.bytes.count) == encoder.bytes[...], "\(answer.type)")
        }
    }

    @Test("messages of a subscribed connection", arguments: [2, 3], [1, 5, 65536])
    func messages(_ version: Int, _ piece: Int) throws {
        let subscriber = try #require(server.connect())
        var publisher = try Client(server, piece: 65536)
        var encoder = RESPEncoder()
        encoder.command("HELLO", "\(version)")
        encoder.command("SUBSCRIBE", "run:status")
        encoder.command("PING", "x")
        #expect(subscriber.send(encoder.bytes))

        var events = Events(limits: RESPLimits(payloadSize: 100), piece: piece)
        let hello = try events.next(subscriber)
        guard case .other(let reply) = hello else { return #expect(Bool(false), "\(hello)") }
        #expect(reply.value(forKey: "proto")?.integer == version)
        let channel = Array("run:status".utf8)
        #expect(try events.next(subscriber) == .subscribed(channel: channel, count: 1))
        let pong: RESPValue =
            version == 3 ? .bulkString("x") : .array([.bulkString("pong"), .bulkString("x")])
        #expect(try events.next(subscriber) == .other(pong))

        for payload in ["", "hello", "\r\n$1\r\n", "é", String(repeating: "x", count: 100)] {
            publisher.send("PUBLISH", "run:status", payload)
            #expect(try publisher.receive() == .integer(1))
            let message = PubSubItem.message(channel: channel, payload: Array(payload.utf8))
            #expect(try events.next(subscriber) == message)
        }
        publisher.send("PUBLISH", "run:status", String(repeating: "y", count: 100_000))
        publisher.send("PUBLISH", "run:status", "after")
        #expect(try events.next(subscriber) == .oversized(channel: channel, length: 100_000))
        let after = PubSubItem.message(channel: channel, payload: Array("after".utf8))
        #expect(try events.next(subscriber) == after)

        encoder.removeAll()
        encoder.command("UNSUBSCRIBE", "run:status")
        #expect(subscriber.send(encoder.bytes))
        #expect(try events.next(subscriber) == .unsubscribed(channel: channel, count: 0))
    }

    /// The events of a connection that reads in pieces of so many bytes.
    struct Events {
        var parser: PubSubParser
        var buffer: [UInt8] = []
        let limits: RESPLimits
        let piece: Int

        init(limits: RESPLimits, piece: Int) {
            self.limits = limits
            self.piece = piece
            parser = PubSubParser(limits: limits)
        }

        mutating func next(_ connection: RedisConnection) throws -> PubSubItem {
            while true {
                let received = buffer
                let step = try parser.next(received.span, from: 0)
                let item = PubSubItem(step.event, in: buffer, limits, isSharded: false)
                buffer.removeFirst(step.end)
                if let item { return item }
                let bytes = connection.receive(atMost: piece)
                try #require(!bytes.isEmpty, "the server must answer")
                buffer += bytes
            }
        }
    }
}
