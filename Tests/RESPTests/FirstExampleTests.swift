import RESP
import Testing

/// The first example of the library's documentation, as it stands there: `DocumentationTests` holds
/// the two against each other.
@Suite struct FirstExampleTests {
    /// A connection whose other side has sent these pieces.
    private static func subscribe(_ pieces: [String]) throws -> (sent: [UInt8], heard: [String]) {
        var pieces = pieces[...]
        var sent: [UInt8] = []
        var heard: [String] = []
        func send(_ bytes: [UInt8]) { sent += bytes }
        func read() -> [UInt8]? { pieces.popFirst().map { Array($0.utf8) } }
        func deliver(_ message: String) { heard.append(message) }
        // Example
        var encoder = RESPEncoder()
        encoder.command("SUBSCRIBE", "run:status")
        send(encoder.bytes)

        var parser = PubSubParser()
        var received: [UInt8] = []
        while let bytes = read() {
            received += bytes
            var offset = 0
            parsing: while true {
                let step = try parser.next(received.span, from: offset)
                offset = step.end
                switch step.event {
                case .incomplete: break parsing
                case .message(_, let payload):
                    deliver(String(decoding: received[payload], as: UTF8.self))
                default: continue
                }
            }
            received.removeFirst(offset)
        }
        // End of the example
        return (sent, heard)
    }

    @Test func aConnectionThatSubscribesHearsItsMessages() throws {
        let push = ">3\r\n$7\r\nmessage\r\n$10\r\nrun:status\r\n"
        let (sent, heard) = try Self.subscribe([
            ">3\r\n$9\r\nsubscribe\r\n$10\r\nrun:status\r\n:1\r\n" + push, "$5\r\nhel",
            "lo\r\n" + push + "$0\r\n\r\n",
        ])
        #expect(
            String(decoding: sent, as: UTF8.self)
                == "*2\r\n$9\r\nSUBSCRIBE\r\n$10\r\nrun:status\r\n")
        #expect(heard == ["hello", ""])
    }
}
