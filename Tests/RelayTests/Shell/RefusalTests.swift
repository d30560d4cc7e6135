@testable import Relay
import Testing
import WSFrame

/// Each refusal leaves a warning that says what an operator has to know, at a limited rate.
@Suite struct RefusalTests {
    /// The one line about a refused request, with these parts in it.
    private static func expectLine(
        _ daemon: SimulatedDaemon, _ parts: [String], level: String = "warn",
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let lines = daemon.log.lines("\"msg\":\"request refused\"")
        #expect(lines.count == 1, sourceLocation: sourceLocation)
        let line = lines.first ?? ""
        for part in [#""level":"\#(level)""#, #""peer":"10.0.0.1:"#] + parts {
            #expect(line.contains(part), "\(part) in \(line)", sourceLocation: sourceLocation)
        }
    }

    // MARK: - What is told

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: h\r\n\r\n", 404, "not_found", "not found", "/"),
        (
            "GET /bad?token=s3cr3t HTTP/1.1\r\nHost: h\r\n\r\n", 400, "channel", "invalid channel",
            "/bad"
        ),
        (
            "POST /health HTTP/1.1\r\nHost: h\r\n\r\n", 405, "method", "method not allowed",
            "/health"
        ),
        ("GET /a:b HTTP/1.0\r\n\r\n", 426, "no_upgrade", "HTTP/1.0 has no upgrades", "/a:b"),
        (
            "GET /a:b HTTP/1.1\r\nHost: h\r\n\r\n", 426, "no_upgrade", "no Upgrade: websocket",
            "/a:b"
        ),
        (
            "GET /a:b HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\n\r\n", 426, "no_upgrade",
            "no Connection: Upgrade", "/a:b"
        ),
        (
            "GET /a:b HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
            426,
            "handshake", "unsupported WebSocket version", "/a:b"
        ),
        ("GET /a:b HTTP/1.1\r\n\r\n", 400, "bad_request", "missing Host", "/a:b"),
        ("GET /a:b?q HTTP/2.0\r\n", 505, "bad_request", "unsupported HTTP version", "/a:b"),
        (
            "GET /a\u{E9}b HTTP/1.1\r\n", 400, "bad_request", "malformed request target",
            #"/a\\xC3\\xA9b"#
        ),
        (
            "GET /a:b HTTP/1.1\r\nTransfer-Encoding: gzip\r\nHost: h\r\n\r\n", 501, "bad_request",
            "unsupported Transfer-Encoding", "/a:b"
        ),
        (
            "GET /a:b HTTP/1.1\r\nX: \(String(repeating: "y", count: 17_000))", 431, "bad_request",
            "request head too long", "/a:b"
        ),
    ])
    func aRefusalIsLoggedWithStatusReasonPeerAndPath(
        bytes: String, status: Int, reason: String, error: String, path: String
    ) {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send(bytes)
        daemon.settle()
        #expect(page.status == status)
        Self.expectLine(
            daemon,
            [
                "\"status\":\(status)", "\"reason\":\"\(reason)\"", "\"error\":\"\(error)\"",
                "\"path\":\"\(path)\"",
            ])
        #expect(daemon.metrics.refusals == [reason: 1])
        #expect(daemon.log.lines("s3cr3t").isEmpty)
    }

    @Test func anOriginThatIsRefusedIsLoggedWithTheHostItIsHeldAgainst() {
        let daemon = SimulatedDaemon { $0.allowedOrigins = ["*.example.org"] }
        #expect(daemon.open(headers: ["Origin: https://app.example.net\u{1B}"]).status == 400)
        #expect(daemon.open(headers: ["Origin: https://app.example.net"]).status == 403)
        let lines = daemon.log.lines(#""origin":"https://app.example.net""#)
        #expect(lines.count == 1)
        for part in [
            #""status":403"#, #""reason":"origin""#, #""host":"relay.test""#,
            #""path":"/run:status""#,
            #""error":"neither the own host nor one of STATUS_ALLOWED_ORIGINS""#,
        ] { #expect(lines.first?.contains(part) == true) }
    }

    @Test func aRequestThatIsLateIsLoggedWithWhatHasComeOfIt() {
        let daemon = SimulatedDaemon()
        daemon.connect().send("GET /run:status HTTP/1.1\r\nX")
        daemon.advance(ClientConnection.requestLimit)
        Self.expectLine(
            daemon, [#""status":408"#, #""reason":"request_timeout""#, #""path":"/run:status""#])
    }

    @Test("browsers open connections ahead of need: what asks for nothing leaves no warning")
    func aConnectionThatAsksForNothingIsLoggedForDebuggingWithoutAStatus() {
        let daemon = SimulatedDaemon()
        _ = daemon.connect()
        daemon.advance(ClientConnection.requestLimit)
        Self.expectLine(
            daemon, [#""reason":"request_timeout""#, #""error":"nothing was asked""#],
            level: "debug")
        #expect(daemon.log.lines("\"status\"").isEmpty)
        #expect(daemon.metrics.refusals == ["request_timeout": 1])
    }

    @Test func aRefusalForALimitIsLoggedWithItsPath() {
        let daemon = SimulatedDaemon(connectionLimit: 0)
        #expect(daemon.open().status == 503)
        Self.expectLine(
            daemon, [#""status":503"#, #""reason":"connection_limit""#, #""path":"/run:status""#])
    }

    @Test func aRefusalBehindATrustedProxyNamesBothAddresses() {
        let daemon = SimulatedDaemon {
            $0.trustedProxies = (try? TrustedProxies(parsing: "10.0.0.0/8")) ?? TrustedProxies()
        }
        _ = daemon.get("/", headers: ["X-Forwarded-For: 203.0.113.7"])
        let lines = daemon.log.lines(#""peer":"203.0.113.7""#)
        #expect(lines.count == 1 && lines.first?.contains(#""via":"10.0.0.1:"#) == true)
    }

    @Test func whatAPeerSendsIsCutAndEscaped() {
        let daemon = SimulatedDaemon()
        _ = daemon.get(
            "/" + String(repeating: "a", count: 5000),
            headers: ["Origin: \(String(repeating: "\u{202E}", count: 2000))"])
        let line = daemon.log.lines("request refused").first ?? ""
        #expect(line.contains("\"path\":\"/\(String(repeating: "a", count: 255))…\""))
        #expect(line.contains(#"\\xE2\\x80\\xAE"#) && !line.contains("\u{202E}"))
        #expect(line.utf8.count < 2500)
    }

    // MARK: - What is no HTTP

    @Test(arguments: [
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\u{0}", "tls_on_plain_port", 400),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 51000 9002\r\nGET / HTTP/1.1\r\n", "proxy_protocol", 400),
        ("PROXY UNKNOWN\r\n", "proxy_protocol", 400),
        ("\r\n\r\n\u{0}\r\nQUIT\n!\u{11}\u{0}\u{C}", "proxy_protocol", 400),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "http2", 505), ("SSH-2.0-PuTTY\r\n", "ssh", 400),
        ("*1\r\n$4\r\nPING\r\n", "redis_protocol", 400), ("hello\r\n", "bad_request", 400),
    ])
    func whatIsNoHTTPIsNamed(bytes: String, reason: String, status: Int) {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send(bytes)
        daemon.settle()
        #expect(page.status == status)
        Self.expectLine(daemon, ["\"reason\":\"\(reason)\"", "\"status\":\(status)"])
        #expect(daemon.metrics.refusals == [reason: 1])
    }

    @Test(arguments: ["AUTH s3cr3t /x\r\n", "GET http://u:s3cr3t@h/ HTTP/1.1\r\n"])
    func wordsThatMayBeCredentialsAreNotLogged(bytes: String) {
        let daemon = SimulatedDaemon()
        daemon.connect().send(bytes)
        daemon.settle()
        #expect(daemon.log.lines("bad_request").count == 1)
        #expect(daemon.log.lines("s3cr3t").isEmpty)
    }

    // MARK: - How often

    @Test func aFloodFromOneOriginHidesNoOther() {
        let daemon = SimulatedDaemon { $0.allowedOrigins = ["a.example"] }
        for _ in 0..<200 { _ = daemon.open(headers: ["Origin: https://evil.example"]) }
        _ = daemon.open(headers: ["Origin: https://new.example"])
        #expect(daemon.log.lines(#""origin":"https://evil.example""#).count == 1)
        #expect(
            daemon.log.lines(#""origin":"https://new.example""#).first?.contains(
                #""suppressed":199"#) == true)
        daemon.advance(.seconds(10))
        _ = daemon.open(headers: ["Origin: https://evil.example"])
        #expect(daemon.log.lines(#""origin":"https://evil.example""#).count == 2)
    }

    @Test func eachReasonHasALimitOfItsOwn() {
        let daemon = SimulatedDaemon { $0.allowedOrigins = ["a.example"] }
        for number in 0..<100 {
            _ = daemon.get("/bad\(number)")
            _ = daemon.open(headers: ["Origin: https://\(number).example"])
        }
        #expect(daemon.log.lines(#""reason":"channel""#).count == RefusalLog.lineLimit)
        #expect(daemon.log.lines(#""reason":"origin""#).count == RefusalLog.lineLimit)
        #expect(daemon.get("/").status == 404)
        #expect(daemon.log.lines(#""reason":"not_found""#).count == 1)
        daemon.advance(RefusalLog.interval)
        _ = daemon.get("/bad")
        #expect(daemon.log.lines(#""suppressed":90"#).count == 1)
        #expect(daemon.metrics.refusals == ["channel": 101, "origin": 100, "not_found": 1])
    }

    @Test func aHealthCheckOfWhatIsNotThereIsToldOnceAMinute() {
        let daemon = SimulatedDaemon()
        for _ in 0..<60 {
            _ = daemon.get("/")
            daemon.advance(.seconds(2))
        }
        let lines = daemon.log.lines(#""reason":"not_found""#)
        #expect(lines.count == 2)
        #expect(lines.last?.contains(#""suppressed":29"#) == true)
    }

    @Test func whatIsRememberedIsBounded() {
        var log = RefusalLog()
        var now = Instant(nanoseconds: 0)
        for number in 0..<1000 {
            now = now + .seconds(1)
            _ = log.admit(reason: "origin", subject: "\(number)", at: now)
        }
        // Told a second ago, and of the last ten seconds.
        #expect(log.admit(reason: "origin", subject: "999", at: now) == .suppressed)
    }
}
