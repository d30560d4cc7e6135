import RESP
import RESPProperties
import Testing

/// Events with their ranges replaced by the texts in them.
enum Seen: Equatable {
    case message(String, String)
    case oversized(String, Int)
    case subscribed(String, Int)
    case unsubscribed(String, Int)
    case reply(RESPValue)
}

/// Feeds the pieces one behind another, as a connection would, and notes every event.
func events(
    _ pieces: [[UInt8]], limits: RESPLimits = RESPLimits(), isSharded: Bool = false,
    releasesStorage: Bool = false
) throws(RESPError) -> (events: [Seen], left: Int) {
    var parser = PubSubParser(limits: limits, isSharded: isSharded)
    var buffer: [UInt8] = []
    var seen: [Seen] = []
    for piece in pieces {
        buffer += piece
        if releasesStorage { parser.releaseStorage() }
        var start = 0
        while true {
            let step = try parser.next(buffer.span, from: start)
            start = step.end
            func text(_ range: Range<Int>) -> String {
                String(decoding: buffer[range], as: UTF8.self)
            }
            switch step.event {
            case .incomplete: break
            case .message(let channel, let payload):
                seen.append(.message(text(channel), text(payload)))
            case .oversized(let channel, let length):
                seen.append(.oversized(text(channel), length))
            case .subscribed(let channel, let count): seen.append(.subscribed(text(channel), count))
            case .unsubscribed(let channel, let count):
                seen.append(.unsubscribed(text(channel), count))
            case .reply(let value): seen.append(.reply(value))
            }
            if step.event == .incomplete { break }
        }
        buffer.removeFirst(start)
    }
    return (seen, buffer.count)
}

@Suite("Pub/Sub parser")
struct PubSubParserTests {
    static let stream = Array(
        """
        >3\r\n$9\r\nsubscribe\r\n$4\r\nr:ch\r\n:1\r\n\
        >3\r\n$7\r\nmessage\r\n$4\r\nr:ch\r\n$5\r\nhello\r\n\
        +PONG\r\n\
        *3\r\n$7\r\nmessage\r\n$4\r\nr:ch\r\n$0\r\n\r\n\
        |1\r\n+ttl\r\n:3\r\n>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$2\r\n\r\n\r\n\
        >3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$12\r\n123456789abc\r\n\
        >3\r\n$7\r\nmessage\r\n$1\r\nc\r\n:5\r\n\
        *3\r\n$11\r\nunsubscribe\r\n$4\r\nr:ch\r\n:0\r\n
        """.utf8)

    @Test("memory that is given back in the midst of a value, or between two, changes nothing")
    func storageIsReleased() throws {
        let pieces = Self.stream.map { [$0] }
        let seen = try events(pieces, releasesStorage: true)
        #expect(try seen.events == events([Self.stream]).events)
        #expect(seen.left == 0)
    }

    static func check(_ result: (events: [Seen], left: Int)) {
        #expect(result.left == 0)
        #expect(result.events.count == 8)
        let seen = result.events
        guard seen.count == 8 else { return }
        #expect(seen[0] == .subscribed("r:ch", 1))
        #expect(seen[1] == .message("r:ch", "hello"))
        guard case .reply(let pong) = seen[2] else { Issue.record("no pong"); return }
        #expect(pong.string == "PONG")
        #expect(seen[3] == .message("r:ch", ""))
        #expect(seen[4] == .message("c", "\r\n"))
        #expect(seen[5] == .oversized("c", 12))
        guard case .reply(let odd) = seen[6] else { Issue.record("no reply"); return }
        #expect(odd.kind == .push && odd.count == 3)
        #expect(seen[7] == .unsubscribed("r:ch", 0))
    }

    @Test("sharded Pub/Sub gives the same events", arguments: [">", "*"])
    func shardedEvents(mark: String) throws {
        let wire = Array(
            """
            \(mark)3\r\n$10\r\nssubscribe\r\n$4\r\nr:ch\r\n:1\r\n\
            \(mark)3\r\n$8\r\nsmessage\r\n$4\r\nr:ch\r\n$5\r\nhello\r\n\
            \(mark)3\r\n$8\r\nsmessage\r\n$4\r\nr:ch\r\n$12\r\n123456789abc\r\n\
            \(mark)3\r\n$12\r\nsunsubscribe\r\n$4\r\nr:ch\r\n:0\r\n
            """.utf8)
        let expected: [Seen] = [
            .subscribed("r:ch", 1), .message("r:ch", "hello"), .oversized("r:ch", 12),
            .unsubscribed("r:ch", 0),
        ]
        let limits = RESPLimits(payloadSize: 11)
        for cut in 0...wire.count {
            let (seen, left) = try events(
                [Array(wire[..<cut]), Array(wire[cut...])], limits: limits, isSharded: true)
            #expect(seen == expected && left == 0, "cut at \(cut)")
        }
        let (seen, _) = try events(wire.map { [$0] }, limits: limits, isSharded: true)
        #expect(seen == expected, "byte by byte")
    }

    @Test("messages of the kind that was not asked for are replies", arguments: [false, true])
    func otherKind(isSharded: Bool) throws {
        let word = isSharded ? "$7\r\nmessage" : "$8\r\nsmessage"
        let wire = Array(">3\r\n\(word)\r\n$1\r\nc\r\n$1\r\nx\r\n".utf8)
        let seen = try events([wire], isSharded: isSharded).events
        guard seen.count == 1, case .reply = seen[0] else { Issue.record("\(seen)"); return }
    }

    @Test func eventsComeWhole() throws {
        Self.check(try events([Self.stream], limits: RESPLimits(payloadSize: 11)))
    }

    @Test func eventsComeByteByByte() throws {
        Self.check(try events(Self.stream.map { [$0] }, limits: RESPLimits(payloadSize: 11)))
    }

    @Test func eventsComeAtEverySplit() throws {
        for split in Self.stream.indices {
            let pieces = [Array(Self.stream[..<split]), Array(Self.stream[split...])]
            Self.check(try events(pieces, limits: RESPLimits(payloadSize: 11)))
        }
    }
}

@Suite("Pub/Sub parser: limits and cost")
struct PubSubLimitTests {
    static let head = ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n"

    @Test("the payload's limit is the last length that is handed on")
    func payloadLimit() throws {
        let limits = RESPLimits(payloadSize: 3)
        let wire = Array("\(Self.head)$3\r\nabc\r\n\(Self.head)$4\r\nabcd\r\n+OK\r\n".utf8)
        for cuts in everyCut(of: wire.count) {
            let outcome = PubSubOutcome(parsing: wire, cuts: cuts, limits: limits)
            #expect(
                outcome.items == [
                    .message(channel: [0x63], payload: Array("abc".utf8)),
                    .oversized(channel: [0x63], length: 4), .other(.simpleString("OK")),
                ])
            #expect(outcome.error == nil && outcome.consumed == wire.count)
        }
    }

    @Test("of a payload over the limit no byte is left to the caller")
    func oversizedIsConsumed() throws {
        let size = 3 << 20
        let wire = Array("\(Self.head)$\(size)\r\n".utf8)
        var parser = PubSubParser()
        let first = try parser.next(wire.span, from: 0)
        #expect(first.end == wire.count)
        #expect(first.event == .oversized(channel: 21..<22, length: size))
        let part = [UInt8](repeating: 0x61, count: size / 3)
        for _ in 0..<3 {
            let step = try parser.next(part.span, from: 0)
            #expect(step == PubSubStep(end: part.count, event: .incomplete))
        }
        let rest = Array("\r\n+OK\r\n".utf8)
        #expect(try parser.next(rest.span, from: 0).event == .reply(.simpleString("OK")))
        #expect(parser.streamOffset == UInt64(wire.count + size + rest.count))
    }

    @Test("the CRLF behind a payload over the limit is checked")
    func oversizedEnd() throws {
        let wire = Array("\(Self.head)$4\r\nabcdX\n".utf8)
        let outcome = PubSubOutcome(parsing: wire, limits: RESPLimits(payloadSize: 3))
        #expect(outcome.error == RESPError(.malformedLineEnd, at: UInt64(wire.count - 2)))
    }

    @Test("lengths beyond every limit are errors, not traps")
    func hugeLengths() {
        for limit in [1 << 20, Int.max] {
            let limits = RESPLimits(
                bulkSize: limit, valueSize: limit, channelSize: limit, payloadSize: limit)
            for length in ["9223372036854775807", "9223372036854775808", "999999999999999999"] {
                for head in [Self.head, ">3\r\n$7\r\nmessage\r\n", "*3\r\n", ">3\r\n"] {
                    let wire = Array("\(head)$\(length)\r\nabc".utf8)
                    for cuts in everyCut(of: wire.count) {
                        let outcome = PubSubOutcome(parsing: wire, cuts: cuts, limits: limits)
                        #expect(outcome.items.isEmpty)
                    }
                }
            }
        }
    }

    @Test(
        "lengths in a message are as strict as elsewhere",
        arguments: ["05", "00", "+5", "-5", "", "5 ", "0x5", "9223372036854775808"])
    func strictLengths(_ length: String) {
        let error = RESPError.Reason.malformedLength
        let wires = [
            ("*\(length)\r\n$7\r\nmessage\r\n", 1), (">3\r\n$\(length)\r\nmessage\r\n", 5),
            (">3\r\n$7\r\nmessage\r\n$\(length)\r\n", 18), ("\(Self.head)$\(length)\r\n", 25),
        ]
        for (wire, offset) in wires {
            let bytes = Array((wire + "xxxxx\r\n").utf8)
            for cuts in everyCut(of: bytes.count) {
                let outcome = PubSubOutcome(parsing: bytes, cuts: cuts)
                #expect(outcome.error == RESPError(error, at: UInt64(offset)), "\(wire)")
            }
        }
        let count = Array("*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:0x1\r\n".utf8)
        #expect(PubSubOutcome(parsing: count).error == RESPError(.malformedInteger, at: 27))
    }

    @Test("a channel over its limit is refused where its length stands")
    func channelLimit() {
        let limits = RESPLimits(channelSize: 3)
        let wire = Array(">3\r\n$7\r\nmessage\r\n$4\r\nabcd\r\n$0\r\n\r\n".utf8)
        for cuts in everyCut(of: wire.count) {
            let outcome = PubSubOutcome(parsing: wire, cuts: cuts, limits: limits)
            #expect(outcome.items.isEmpty)
            #expect(outcome.error == RESPError(.channelTooLarge, at: 18))
        }
    }

    @Test(
        "what only resembles a message is a reply",
        arguments: [
            ">3\r\n$7\r\nmessagE\r\n$1\r\nc\r\n$0\r\n\r\n",
            ">3\r\n+message\r\n$1\r\nc\r\n$0\r\n\r\n",
            ">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n_\r\n",
            "~3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$0\r\n\r\n",
            ">3\r\n$8\r\nxmessage\r\n$1\r\nc\r\n$0\r\n\r\n",
            ">3\r\n$10\r\npsubscribe\r\n$1\r\nc\r\n:1\r\n",
            ">4\r\n$8\r\npmessage\r\n$1\r\n*\r\n$1\r\nc\r\n$0\r\n\r\n",
            ">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n",
            "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:-1\r\n",
            "*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n|0\r\n$0\r\n\r\n",
            "*2\r\n$4\r\npong\r\n$0\r\n\r\n", "-ERR message\r\n", "%1\r\n+a\r\n+b\r\n",
        ])
    func replies(_ wire: String) throws {
        let bytes = Array(wire.utf8)
        let value = try ValueTests.parse(wire)
        for pieces in [[bytes], bytes.map { [$0] }] {
            let result = try events(pieces)
            #expect(result.events == [.reply(value)])
            #expect(result.left == 0)
        }
    }

    @Test("a long payload that comes byte by byte takes linear time", .timeLimit(.minutes(1)))
    func linearTime() throws {
        for prefix in ["\(Self.head)$262144\r\n", "$1048576\r\n"] {
            let wire = Array(prefix.utf8) + [UInt8](repeating: 0x61, count: 1 << 18) + [13, 10]
            var parser = PubSubParser()
            var start = 0
            for count in 1..<wire.count {
                let step = try parser.next(wire.span.extracting(0..<count), from: start)
                start = step.end
                try #require(step.event == .incomplete)
            }
            #expect(try parser.next(wire.span, from: start).end == wire.count)
        }
    }

    @Test("a long line that comes byte by byte takes linear time", .timeLimit(.minutes(1)))
    func linearTimeOfLines() throws {
        let limits = RESPLimits(lineLength: 2 << 20)
        let wire = Array("+".utf8) + [UInt8](repeating: 0x61, count: 1 << 18) + [13, 10]
        var parser = PubSubParser(limits: limits)
        for count in 1..<wire.count {
            let step = try parser.next(wire.span.extracting(0..<count), from: 0)
            try #require(step.event == .incomplete)
        }
        #expect(try parser.next(wire.span, from: 0).end == wire.count)
    }
}
