import Testing
import WSFrame
import WSFrameProperties

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
        client.appendRequest(host: "example.com:9002", path: "/run:status?a b\r\u{E4}", to: &sent)
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
        #expect(request.query == "a%20b%0D%C3%A4")
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

    /// The example with one line replaced, or left out when `new` is empty.
    static func changed(_ old: String, _ new: String) throws -> WebSocketUpgrade {
        var lines = request.split(separator: "\r\n", omittingEmptySubsequences: false).map(
            String.init)
        for (index, line) in lines.enumerated() where line.hasPrefix(old) { lines[index] = new }
        if new.isEmpty { lines = lines.filter { !$0.isEmpty } + ["", ""] }
        return try upgrade(lines.joined(separator: "\r\n"))
    }

    @Test(
        "tokens are compared without regard to case, in lists",
        arguments: [
            ("Upgrade:", "upgrade: h2c, WebSocket"),
            ("Upgrade:", "Upgrade: a\r\nUpgrade: WEBSOCKET"),
            ("Connection:", "connection: UPGRADE"), ("Connection:", "Connection:,upgrade ,x"),
            (
                "Sec-WebSocket-Protocol:",
                "sec-websocket-protocol: chat\r\nSEC-websocket-protocol: superchat"
            ),
            ("Origin:", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"),
            ("Origin:", "Content-Length: 0"), ("Connection:", "Connection: close, Upgrade"),
            ("User-Agent", "User-Agent: a"), ("GET", "GET /chat HTTP/1.2"),
            ("GET", "GET http://server.example.com/chat HTTP/1.1"),
        ])
    func lenient(_ old: String, _ new: String) throws {
        #expect(
            try Self.changed(old, new)
                == .accept(
                    acceptKey: "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                    offeredSubprotocols: ["chat", "superchat"]))
    }

    @Test(
        "a request without the two tokens asks for no WebSocket",
        arguments: [
            ("Upgrade:", ""), ("Connection:", ""), ("Upgrade:", "Upgrade: h2c"),
            ("Upgrade:", "Upgrade: websocketx"), ("Connection:", "Connection: close"),
            ("GET", "GET /chat HTTP/1.0"),
        ])
    func none(_ old: String, _ new: String) throws {
        #expect(try Self.changed(old, new) == .none)
    }

    @Test(
        "a wrong upgrade is refused with its status",
        arguments: [
            ("Sec-WebSocket-Key:", "", 400),
            ("Sec-WebSocket-Key:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=", 400),
            ("Sec-WebSocket-Key:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQA=", 400),
            ("Sec-WebSocket-Key:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQAA", 400),
            ("Sec-WebSocket-Key:", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub2-jZQ==", 400),
            ("Sec-WebSocket-Version:", "", 426),
            ("Sec-WebSocket-Version:", "Sec-WebSocket-Version: 8", 426),
            ("Sec-WebSocket-Version:", "Sec-WebSocket-Version: 13, 8", 426),
            ("Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: a b", 400),
            ("Sec-WebSocket-Protocol:", "Sec-WebSocket-Protocol: a, a", 400),
            ("Origin:", "Content-Length: 1", 400), ("Origin:", "Transfer-Encoding: chunked", 400),
            ("GET", "POST /chat HTTP/1.1", 405), ("GET", "HEAD /chat HTTP/1.1", 405),
        ])
    func refused(_ old: String, _ new: String, _ status: Int) throws {
        guard case .refuse(let found, let headers, _) = try Self.changed(old, new) else {
            Issue.record("not refused")
            return
        }
        #expect(found == status)
        if status == 426 {
            #expect(headers.contains(HTTPHeader("Sec-WebSocket-Version", "13")))
            #expect(headers.contains(HTTPHeader("Upgrade", "websocket")))
        }
        if status == 405 { #expect(headers == [HTTPHeader("Allow", "GET")]) }
    }

    /// The values of Sec-WebSocket-Extensions headers, and whether they are well-formed together.
    static let extensions: [([String], Bool)] = [
        (["a"], true), (["permessage-deflate; client_max_window_bits"], true),
        (["permessage-deflate; server_max_window_bits=10; a=\"b\", x-other"], true),
        (["a;b=c;d"], true), (["\ta ;\tb = c , d"], true), (["a,,b", "", ", c"], true),
        (["a;b=\"c\\d\\e\""], true), (["a", "b; c=\"d\""], true), (["!#$%&'*+-.^_`|~"], true),
        ([""], false), ([",", " "], false), (["a b"], false), (["a;"], false), (["a;;b"], false),
        ([";a"], false), (["a;b="], false), (["a;=b"], false), (["a;b=c d"], false),
        (["a=b"], false), (["a;b=\"\""], false), (["a;b=\"c d\""], false), (["a;b=\"c,d\""], false),
        (["a;b=\"c"], false), (["a;b=\"c\\\""], false), (["a;b=\"c\"d"], false), (["\"a\""], false),
        (["a;b=\"c", "d\""], false), (["a;b={c}"], false), (["a/b"], false), (["a", "b;"], false),
        (["a;b=\"c\u{E9}\""], false), (["a;b==c"], false), (["(a)"], false),
    ]

    @Test("extensions are declined, but a malformed list of them is refused", arguments: extensions)
    func extensionLists(_ values: [String], _ isWellFormed: Bool) throws {
        let lines = values.map { "Sec-WebSocket-Extensions: \($0)" }.joined(separator: "\r\n")
        switch try Self.changed("Origin:", lines) {
        case .accept: #expect(isWellFormed)
        case .refuse(let status, _, _): #expect(!isWellFormed && status == 400)
        case .none: Issue.record("no upgrade")
        }
    }

    @Test("lists of extensions are judged as by the grammar, whatever stands in them")
    func randomExtensions() throws {
        let pieces = Array("ab;;==,,\"\"\\ \t-é(").map(String.init)
        var generator = PropertyTests.Generator(state: 6455)
        for _ in 0..<2_000 {
            let length = Int.random(in: 0...12, using: &generator)
            let text = (0..<length).compactMap { _ in pieces.randomElement(using: &generator) }
            try HTTPProperties.check(Array(text.joined().utf8))
        }
    }

    static let acceptance = """
        HTTP/1.1 101 Switching Protocols\r
        Upgrade: WebSocket\r
        Connection: keep-alive, upgrade\r
        Sec-WebSocket-Accept: \(WebSocketUpgrade.acceptKey(for: "AQAAAAAAAAACAAAAAAAAAA=="))\r
        Sec-WebSocket-Protocol: chat\r
        \r

        """

    @Test(
        "a client believes only a proper acceptance (section 4.1)",
        arguments: [
            ("", "", nil), ("Upgrade: WebSocket", "Upgrade: h2c", .badUpgradeResponse),
            ("keep-alive, upgrade", "close", .badUpgradeResponse),
            ("Accept: ", "Accept: x", .badUpgradeResponse),
            ("Sec-WebSocket-Accept", "X", .badUpgradeResponse),
            ("Protocol: chat", "Protocol: other", .badUpgradeResponse),
            (
                "Upgrade: WebSocket", "Upgrade: WebSocket\r\nSec-WebSocket-Extensions: x",
                .badUpgradeResponse
            ),
            ("HTTP/1.1", "HTTP/2.0", .malformedStatusLine), ("101", "10", .malformedStatusLine),
            ("HTTP/1.1 101 ", "HTTP/1.1 101X", .malformedStatusLine),
            ("Connection: ", "Connection : ", .malformedHeader),
        ] as [(String, String, HTTPError?)])
    func clientChecks(_ old: String, _ new: String, _ error: HTTPError?) throws {
        var text = Self.acceptance
        if let place = text.firstRange(of: old), !old.isEmpty {
            text.replaceSubrange(place, with: new)
        }
        var client = WebSocketClientHandshake(nonce: (1, 2), subprotocols: ["chat"])
        let bytes = Array(text.utf8)
        if let error {
            #expect(throws: error) { try client.next(bytes.span, from: 0) }
        } else {
            #expect(try client.next(bytes.span, from: 0).event == .accepted(subprotocol: "chat"))
        }
    }

    @Test("another status refuses the client")
    func clientRefused() throws {
        var client = WebSocketClientHandshake(nonce: (1, 2))
        let bytes = Array("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".utf8)
        let headers = HTTPHeaders([HTTPHeader("Content-Length", "0")])
        #expect(
            try client.next(bytes.span, from: 0).event == .refused(status: 403, headers: headers))
    }
}
