import Testing
import WSFrame

@Suite("The upgrade (RFC 6455, section 4)")
struct UpgradeTests {
    static let request = """
        GET /chat HTTP/1.1\r
        Host: server.example.com\r
        Upgrade: websocket\r
        Connection: keep-alive, Upgrade\r
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
        Origin: http://example.com\r
        Sec-WebSocket-Protocol: chat, superchat\r
        Sec-WebSocket-Version: 13\r
        \r

        """

    static func upgrade(_ head: String) throws -> WebSocketUpgrade {
        var parser = HTTPRequestParser()
        let step = try parser.next(Array(head.utf8).span, from: 0)
        guard case .request(let request) = step.event else {
            Issue.record("no request in \(head)")
            return .none
        }
        return WebSocketUpgrade(request)
    }

    @Test("the RFC's example is accepted with its key")
    func example() throws {
        #expect(
            try Self.upgrade(Self.request)
                == .accept(
                    acceptKey: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                    offeredSubprotocols: ["chat", "superchat"]))
    }

    @Test("both roles shake hands, and frames behind the heads are kept")
    func bothRoles() throws {
        var client = WebSocketClientHandshake(nonce: (1, 2), subprotocols: ["chat"])
        var sent: [UInt8] = []
        client.appendRequest(host: "example.com:9002", path: "/run:status", to: &sent)
        let headEnd = sent.count
        sent += [0x81, 0x80, 0, 0, 0, 0]
        var parser = HTTPRequestParser()
        let step = try parser.next(sent.span, from: 0)
        #expect(step.end == headEnd)
        guard case .request(let request) = step.event,
            case .accept(let key, let offered) = WebSocketUpgrade(request)
        else {
            Issue.record("not accepted")
            return
        }
        #expect(offered == ["chat"])
        #expect(request.path == "/run:status")
        #expect(request.host == "example.com:9002")

        var answer: [UInt8] = []
        WebSocketUpgrade.appendAcceptance(acceptKey: key, subprotocol: "chat", to: &answer)
        let answerEnd = answer.count
        answer += [0x81, 0x00]
        for count in 0..<answerEnd {
            let step = try client.next(answer.span.extracting(0..<count), from: 0)
            #expect(step.event == .incomplete)
            #expect(step.end == 0)
        }
        let accepted = try client.next(answer.span, from: 0)
        #expect(accepted.event == .accepted(subprotocol: "chat"))
        #expect(accepted.end == answerEnd)
    }
}
