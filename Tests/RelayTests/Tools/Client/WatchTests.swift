import Testing
import WSFrame

@testable import Relay

/// The terminal's end of a WebSocket.
@Suite("Watching a channel") struct WatchTests {
    @Test(
        "takes URLs apart",
        arguments: [
            ("ws://h/a:b", "h", 80, false, "/a:b", "h"),
            ("wss://h/a:b", "h", 443, true, "/a:b", "h"),
            ("WS://h:9002/p/a%3Bb:c?x=1#y", "h", 9002, false, "/p/a%3Bb:c?x=1", "h:9002"),
            ("https://[::1]:8443/a:b", "::1", 8443, true, "/a:b", "[::1]:8443"),
            ("ws://h:443/a:b", "h", 443, false, "/a:b", "h:443"),
        ] as [(String, String, UInt16, Bool, String, String)])
    func urls(
        text: String, host: String, port: UInt16, usesTLS: Bool, path: String, authority: String
    ) throws {
        let target = try #require(WatchTarget(text))
        #expect(target.host == host && target.port == port && target.usesTLS == usesTLS)
        #expect(target.path == path && target.authority == authority)
    }

    @Test(
        "refuses what is no URL of a channel",
        arguments: [
            "h/a:b", "ws://h", "ws://h/", "ws:///a:b", "redis://h/a", "ws://h:0/a:b", "ws://h/a b",
        ])
    func badURLs(text: String) {
        #expect(WatchTarget(text) == nil)
    }

    @Test("asks for what it has missed in the query")
    func resumption() throws {
        let plain = try #require(WatchTarget("ws://h/a:b"))
        #expect(plain.path(resumingAt: nil) == "/a:b")
        #expect(plain.path(resumingAt: "e-7") == "/a:b?resume=e-7")
        let queried = try #require(WatchTarget("ws://h/a:b?x=1"))
        #expect(queried.path(resumingAt: "e-7") == "/a:b?x=1&resume=e-7")
    }

    private func session() throws -> WatchSession {
        var session = WatchSession(
            try #require(WatchTarget("ws://h/a:b")), resumingAt: nil, origin: nil, seed: 1)
        let request = String(decoding: session.takeOutput(), as: UTF8.self)
        let key = try #require(
            request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") })
        let accept = WebSocketUpgrade.acceptKey(for: String(key.dropFirst(19)))
        let head =
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            + "Sec-WebSocket-Accept: \(accept)\r\n\r\n"
        #expect(session.receive(Array(head.utf8.prefix(20))) == [])
        #expect(session.receive(Array(head.utf8.dropFirst(20))) == [.opened])
        #expect(!session.takeOutput().isEmpty)
        return session
    }

    private func frame(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        FrameEncoder.appendText(text, to: &bytes)
        return bytes
    }

    @Test("says init, answers pings, and hands out messages, however the bytes come")
    func conversation() throws {
        var session = try session()
        let status = #"{"type":"status","data":"a\"\u00e9\ud83d\ude00\n","id":"e-1"}"#
        let bytes = frame(#"{"type":"ping","id":"e-0"}"#) + frame(status)
        var events: [WatchSession.Event] = []
        for byte in bytes { events += session.receive([byte]) }
        #expect(
            events == [
                .ping(id: "e-0"),
                .message(text: "a\"é😀\n", frame: Array(status.utf8), id: "e-1"),
            ])
        // The pong, masked: two bytes of head, four of the key.
        #expect(session.takeOutput().count == 6 + #"{"type":"pong"}"#.utf8.count)
    }

    @Test("ends with the relay's close, which it answers")
    func close() throws {
        var session = try session()
        var bytes: [UInt8] = []
        FrameEncoder.appendClose(code: 1012, reason: "retry_ms=7", to: &bytes)
        #expect(session.receive(bytes) == [.closed(code: 1012, reason: "retry_ms=7")])
        #expect(session.takeOutput().count == 8)
    }

    @Test("tells a refusal, and what is no WebSocket")
    func refusals() throws {
        let target = try #require(WatchTarget("ws://h/a:b"))
        var refused = WatchSession(target, resumingAt: nil, origin: nil, seed: 1)
        #expect(
            refused.receive(Array("HTTP/1.1 403 Forbidden\r\n\r\n".utf8))
                == [.refused(status: 403)])
        var broken = WatchSession(target, resumingAt: nil, origin: nil, seed: 1)
        guard case .failed = broken.receive(Array("SSH-2.0-x\r\n".utf8)).first else {
            Issue.record("a stranger is taken for a relay")
            return
        }
    }

    @Test(
        "reads the relay's JSON and no other",
        arguments: [
            (#"{"type":"gap","from_ms":1,"to_ms":-2}"#, true), ("{}", true), (" { } ", true),
            (#"{"a":{"b":[1,"]"]},"c":null,"d":true}"#, true), ("[]", false), ("", false),
            (#"{"a"}"#, false), (#"{"a":"\x"#, false), (#"{"a":"#, false), ("{\"a\":1", false),
        ])
    func json(text: String, isObject: Bool) {
        #expect((JSONObject(Array(text.utf8)) != nil) == isObject)
    }

    @Test("keeps a message on its line, and the cursor where it is")
    func visible() {
        let shown = WatchCommand.visible("a\tb\nc\r\u{1B}[2J\u{9B}\u{2028}é")
        #expect(
            String(decoding: shown, as: UTF8.self)
                == #"a\#tb\nc\r\u{1b}[2J\u{9b}\u{2028}é"#)
    }
}
