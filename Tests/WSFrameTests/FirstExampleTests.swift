import Testing
import WSFrame

/// The first example of the library's documentation, as it stands there: `DocumentationTests` holds
/// the two against each other.
@Suite struct FirstExampleTests {
    /// What a server that says everything once more sends to a client that has sent these pieces.
    private static func echo(_ pieces: [[UInt8]]) throws -> [UInt8] {
        var pieces = pieces[...]
        var sent: [UInt8] = []
        func send(_ bytes: [UInt8]) { sent += bytes }
        func read() -> [UInt8]? { pieces.popFirst() }
        // Example
        var received: [UInt8] = []
        var output: [UInt8] = []
        var requests = HTTPRequestParser()
        var decoder: WebSocketDecoder?
        while let bytes = read() {
            received += bytes
            if decoder == nil {
                let step = try requests.next(received.span, from: 0)
                guard case .request(let request) = step.event else { continue }
                guard case .accept(let key, _) = WebSocketUpgrade(request) else { break }
                WebSocketUpgrade.appendAcceptance(acceptKey: key, to: &output)
                decoder = WebSocketDecoder(
                    role: .server, limits: WebSocketLimits(maxMessageSize: 65_536))
                received.removeFirst(step.end)
            }
            var offset = 0
            while let step = try decoder?.next(&received, from: offset, to: received.count),
                step.event != .incomplete
            {
                offset = step.end
                switch step.event {
                case .text(let payload):
                    FrameEncoder.append(.text, payload.bytes(in: received).span, to: &output)
                case .ping(let payload):
                    FrameEncoder.append(.pong, payload.bytes(in: received).span, to: &output)
                case .close(let code, _): FrameEncoder.appendClose(code: code, to: &output)
                default: continue
                }
            }
            received = []
            send(output)
            output = []
        }
        // End of the example
        return sent
    }

    @Test func aClientGetsItsHandshakeAndItsOwnWords() throws {
        // RFC 6455, sections 1.3 and 5.7.
        let request =
            "GET /chat HTTP/1.1\r\nHost: example.org\r\nUpgrade: websocket\r\n"
            + "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "Sec-WebSocket-Version: 13\r\n\r\n"
        let hello: [UInt8] = [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]
        let ping: [UInt8] = [0x89, 0x80, 0, 0, 0, 0]
        let close: [UInt8] = [0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe8]
        let head = Array(request.utf8)
        let sent = try Self.echo([
            Array(head[..<20]), Array(head[20...]) + hello, Array(ping + close[..<3]),
            Array(close[3...]),
        ])
        let answer = String(decoding: sent.prefix(while: { $0 < 0x80 }), as: UTF8.self)
        #expect(answer.hasPrefix("HTTP/1.1 101 "))
        #expect(answer.contains("Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"))
        let frames: [UInt8] =
            [0x81, 0x05] + Array("Hello".utf8) + [0x8a, 0x00, 0x88, 0x02, 0x03, 0xe8]
        #expect(Array(sent.suffix(frames.count)) == frames)
    }
}
