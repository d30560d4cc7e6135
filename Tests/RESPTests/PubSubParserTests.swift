import RESP
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
    _ pieces: [[UInt8]], limits: RESPLimits = RESPLimits()
) throws(RESPError) -> (events: [Seen], left: Int) {
    var parser = PubSubParser(limits: limits)
    var buffer: [UInt8] = []
    var seen: [Seen] = []
    for piece in pieces {
        buffer += piece
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
