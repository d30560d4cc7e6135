@testable import Relay
@testable import Simulation
import Testing
import WSFrame

/// HTTP routes, refusals, close codes and limits, from the outside.
@Suite struct ConnectionTests {
    // MARK: - Routes

    @Test(arguments: [
        ("/health", 200, "OK"), ("/ready", 200, "[]"), ("/", 404, "not found"),
        ("/metrics", 404, "not found"), ("/console", 404, "not found"),
        ("/nochannel", 400, "invalid channel"), ("/a:b:c", 400, "invalid channel"),
        ("/a:b/c", 400, "invalid channel"), ("/a%zz:b", 400, "invalid channel"),
        ("/a%00:b", 400, "invalid channel"), ("//a:b", 400, "invalid channel"),
        ("/a:b;c", 400, "invalid channel"), ("/:b", 400, "invalid channel"),
        ("/health/", 200, "OK"), ("/ready/", 200, "[]"), ("/health?x=/", 200, "OK"),
        ("/metrics/", 404, "not found"), ("/console/", 404, "not found"),
        ("/health//", 400, "invalid channel"), ("http://relay.test/health", 200, "OK"),
        ("/run:status", 426, "this is a WebSocket"),
    ])
    func aPathGetsItsAnswer(path: String, status: Int, body: String) {
        let answer = SimulatedDaemon().get(path)
        #expect(answer.status == status)
        #expect(answer.body == body)
    }

    @Test func metricsAndConsoleAreServedWhenEnabled() {
        let daemon = SimulatedDaemon {
            $0.metricsEnabled = true
            $0.consoleEnabled = true
        }
        let metrics = daemon.get("/metrics").body
        for name in [
            "status2_connections_active", "status2_messages_forwarded_total",
            "status2_redis_reconnects_total", "status2_write_errors_total",
        ] {
            #expect(metrics.contains("\n\(name) 0\n"))
        }
        #expect(metrics.contains("status2_origin_check_disabled 1\n"))
        let console = daemon.get("/console")
        #expect(console.status == 200)
        #expect(
            console.head.contains("Content-Security-Policy: default-src 'none'; script-src 'nonce-")
        )
        #expect(!console.body.contains("{{nonce}}"))
    }

    @Test(arguments: ["POST", "PUT", "DELETE", "OPTIONS", "head", "CONNECT"])
    func anotherMethodGets405(method: String) {
        let path = method == "CONNECT" ? "relay.test:80" : "/run:status"
        let answer = SimulatedDaemon().get(path, method: method)
        #expect(answer.status == 405)
        #expect(answer.head.contains("Allow: GET, HEAD\r\n"))
    }

    @Test(arguments: ["/health", "/ready", "/console/", "/", "/bad", "/run:status", "/%"])
    func headIsAnsweredAsGetWithoutTheBody(path: String) {
        let daemon = SimulatedDaemon { $0.consoleEnabled = true }
        func known(_ head: String) -> [Substring] {
            head.split(separator: "\r\n").filter { !$0.hasPrefix("Content-Security-Policy") }
        }
        let get = daemon.get(path)
        let head = daemon.get(path, method: "HEAD")
        #expect(known(head.head) == known(get.head))
        #expect(head.body.isEmpty && !get.body.isEmpty)
    }

    @Test func headOfAChannelIsNoUpgrade() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.sendUpgrade()
        page.connection.toDaemon.replaceSubrange(0..<3, with: Array("HEAD".utf8))
        daemon.settle()
        #expect(page.status == 426)
    }

    @Test(arguments: [
        ("HEAD /\u{E9} HTTP/1.1\r\n", 400), ("HEAD / HTTP/2.0\r\n", 505),
        ("HEAD / HTTP/1.1\r\n\r\n", 400), ("\r\nHEAD / HTTP/1.1\r\nX : y\r\n", 400),
        ("HEAD / HTTP/1.1\r\nX: \(String(repeating: "y", count: 17_000))\r\n", 431),
        ("HEAD /\(String(repeating: "y", count: 17_000))", 414),
    ])
    func aRefusalOfAHeadHasNoBody(bytes: String, status: Int) {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send(bytes)
        daemon.settle()
        #expect(page.status == status)
        #expect(page.body.isEmpty)
    }

    @Test func aHeadThatIsLateHasNoBodyEither() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send("HEAD /health HTTP/1.1\r\n")
        daemon.advance(ClientConnection.requestLimit)
        #expect(page.status == 408)
        #expect(page.body.isEmpty)
    }

    // MARK: - HTTP/1.0

    @Test(arguments: [
        ("GET /health HTTP/1.0\r\n\r\n", 200, "OK"), ("HEAD /ready HTTP/1.0\r\n\r\n", 200, ""),
        ("GET /ready/ HTTP/1.0\r\nHost: a\r\nConnection: close\r\n\r\n", 200, "[]"),
        ("GET /metrics HTTP/1.0\r\n\r\n", 404, "not found"),
        ("GET / HTTP/1.0\r\n\r\n", 404, "not found"),
        // HAProxy's `option httpchk PATH` takes 2xx and 3xx for health.
        ("OPTIONS /health HTTP/1.0\r\n\r\n", 200, "OK"),
        ("OPTIONS / HTTP/1.0\r\n\r\n", 200, "[]"),
        ("OPTIONS * HTTP/1.0\r\n\r\n", 405, "method not allowed"),
        ("POST /health HTTP/1.0\r\n\r\n", 405, "method not allowed"),
        ("GET /health HTTP/1.0\r\nContent-Length: 0\r\n\r\n", 200, "OK"),
        ("GET /health HTTP/1.1\r\nHost:\r\n\r\n", 200, "OK"),
        ("GET /run:status HTTP/1.0\r\n\r\n", 426, "this is a WebSocket"),
    ])
    func version1_0IsServed(bytes: String, status: Int, body: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send(bytes)
        daemon.settle()
        #expect(page.status == status)
        #expect(page.head.hasPrefix("HTTP/1.1 ") && page.head.contains("Connection: close\r\n"))
        #expect(page.body == body)
    }

    @Test func aChannelIsNotUpgradedInVersion1_0() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.sendUpgrade()
        let request = String(decoding: page.connection.toDaemon, as: UTF8.self)
        page.connection.toDaemon = Array(request.replacing("HTTP/1.1", with: "HTTP/1.0").utf8)
        daemon.settle()
        #expect(page.status == 426)
        #expect(daemon.redis.subscribers.isEmpty)
    }

    @Test(arguments: [
        ("/run:status", "run:status"), ("/run%3Bomni:status/", "run;omni:status"),
        ("/%72un:status?x=1", "run:status"), ("/a.b-c_d;e;f:g.h-i_j", "a.b-c_d;e;f:g.h-i_j"),
    ])
    func aPathNamesItsChannelByteForByte(path: String, channel: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.open(path)
        #expect(page.status == 101)
        #expect(daemon.redis.subscribers.map(\.channel) == [channel])
    }

    @Test(
        arguments: [
            (nil, 101), ("https://relay.test", 101), ("https://app.example.org", 101),
            ("https://evil.test", 403), ("https://example.org.evil.test", 403),
        ] as [(String?, Int)])
    func originsAreHeldAgainstTheList(origin: String?, status: Int) {
        let daemon = SimulatedDaemon { $0.allowedOrigins = ["*.example.org"] }
        let page = daemon.connect()
        page.sendUpgrade(headers: origin.map { ["Origin: \($0)"] } ?? [])
        daemon.settle()
        #expect(page.status == status)
    }

    // MARK: - Bad input

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: a\r\nX: \(String(repeating: "y", count: 17_000))\r\n\r\n", 431),
        ("\(String(repeating: "GET", count: 1))  / HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        ("GET / HTTP/1.1\nHost: a\n\n", 400), ("GET / HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", 400),
        ("GET / HTTP/0.9\r\nHost: a\r\n\r\n", 505), ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}\r\n\r\n", 400),
    ])
    func illFormedRequestsGetAStatusAndAnEnd(bytes: String, status: Int) {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send(bytes)
        daemon.settle()
        #expect(page.status == status)
        daemon.advance(ClientConnection.lingerLimit)
        #expect(page.isClosed)
    }

    @Test(arguments: [
        (["Sec-WebSocket-Key: short"], 400, ""), ([], 400, ""),
        (
            ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Content-Length: 3"], 400, ""
        ),
    ])
    func anImproperUpgradeIsRefused(headers: [String], status: Int, header: String) {
        let answer = SimulatedDaemon().get(
            "/run:status",
            headers: ["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"]
                + headers)
        #expect(answer.status == status)
    }

    @Test func anotherVersionGets426WithOurs() {
        let answer = SimulatedDaemon().get(
            "/run:status",
            headers: [
                "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 8",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ])
        #expect(answer.status == 426)
        #expect(answer.head.contains("Sec-WebSocket-Version: 13\r\n"))
    }

    @Test func bytesThatTrickleInDoNotProlongTheTimeForARequest() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        for letter in "GET /health" {
            page.send(String(letter))
            daemon.advance(.milliseconds(900))
        }
        daemon.advance(.milliseconds(99))
        #expect(page.status == 0)
        daemon.advance(.milliseconds(1))
        #expect(page.status == 408)
    }

    @Test func anAnswerIsSentToAClientThatHasEndedItsDirection() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.connection.capacity = 0
        page.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        page.connection.peerHasEnded = true
        daemon.settle()
        page.connection.capacity = 1 << 20
        daemon.settle()
        #expect(page.status == 200)
        #expect(page.isClosed)
    }

    // MARK: - Frames

    @Test func aMessageOverTheLimitGets1009() {
        let daemon = SimulatedDaemon { $0.maxMessageSize = 100 }
        let page = daemon.open()
        page.sendFrame(.text, Array(repeating: 0x20, count: 101))
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1009)
    }

    @Test func illFormedUTF8Gets1007() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.sendFrame(.text, [0xC3, 0x28])
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1007)
    }

    @Test(
        arguments: [[0x81, 0x00], [0xC1, 0x80, 0, 0, 0, 0], [0x83, 0x80, 0, 0, 0, 0]] as [[UInt8]])
    func aBrokenProtocolGets1002(bytes: [UInt8]) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.connection.toDaemon += bytes
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1002)
        #expect(daemon.redis.subscribers.isEmpty)
    }

    @Test(arguments: [1000, 1001, 4000, nil] as [UInt16?])
    func aCloseIsEchoed(code: UInt16?) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.sendClose(code)
        daemon.settle()
        page.read()
        #expect(page.closeCode == code ?? 1005)
        #expect(page.connection.daemonHasEnded)
        page.connection.peerHasEnded = true
        daemon.settle()
        #expect(page.isClosed)
    }

    @Test func malformedMessagesAreCountedAndLoggedAtALimitedRate() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for _ in 0..<100 { page.say("not json") }
        daemon.settle()
        #expect(daemon.metrics.clientMessagesMalformed == 100)
        #expect(daemon.log.lines("invalid client message").count == 10)
        page.read()
        #expect(page.closeCode == nil)
    }

    // MARK: - Slow clients

    @Test func theAgeOfTheOldestByteIsBounded() {
        let daemon = SimulatedDaemon()
        let slow = daemon.open()
        let quick = daemon.open()
        slow.connection.capacity = 0
        daemon.redis.publish("run:status", "one")
        daemon.advance(.milliseconds(1_999))
        #expect(!slow.isClosed)
        daemon.advance(.milliseconds(1))
        #expect(slow.isClosed)
        #expect(daemon.metrics.slowClients == 1)
        daemon.redis.publish("run:status", "two")
        daemon.settle()
        #expect(quick.statuses == ["one", "two"])
    }

    @Test func theQueueIsBoundedInBytesAndRedisIsReadOn() {
        let daemon = SimulatedDaemon()
        let slow = daemon.open()
        let quick = daemon.open()
        slow.connection.capacity = 0
        let text = String(repeating: "x", count: 100_000)
        for _ in 0..<11 {
            daemon.redis.publish("run:status", text)
            daemon.settle()
        }
        #expect(slow.isClosed)
        #expect(daemon.metrics.slowClients == 1)
        #expect(quick.statuses.count == 11)
        #expect(daemon.log.lines("slow_client").count == 1)
    }

    @Test func oneMessageOfAnySizeIsDeliveredToAClientThatReads() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.connection.capacity = 1 << 24
        // Escaping makes a payload of a mebibyte six times as long.
        daemon.redis.publish("run:status", [UInt8](repeating: 1, count: 1 << 20))
        daemon.settle()
        #expect(page.statuses.first?.utf8.count == 6 << 20)
    }

    // MARK: - Limits at the door

    @Test func overTheLimitConnectionsAreAnswered503() {
        let daemon = SimulatedDaemon(connectionLimit: 2)
        let pages = [daemon.open("/run:a"), daemon.open("/run:b"), daemon.open("/run:c")]
        #expect(pages.map(\.status) == [101, 101, 503])
        #expect(daemon.metrics.refusals["connection_limit"] == 1)
    }

    @Test func idleConnectionsDoNotKeepHealthFromBeingAnswered() {
        let daemon = SimulatedDaemon(connectionLimit: 1, clientLimit: 200)
        _ = daemon.open("/run:a")
        let idle = (0..<198).map { _ in daemon.connect() }
        daemon.settle()
        #expect(daemon.get("/health").status == 200)
        #expect(idle.allSatisfy { !$0.isClosed })
    }

    @Test(arguments: [(1024, 448, 512), (1024, 1, 895), (65_536, 32_704, 32_768), (130, 1, 65)])
    func theLimitsLeaveRoomForTheLinks(descriptors: Int, webSockets: Int, clients: Int) {
        #expect(HostProcess.connectionLimit(descriptors: descriptors) >= webSockets)
        #expect(
            HostProcess.clientLimit(descriptors: descriptors, webSockets: webSockets) == clients)
    }

    @Test(arguments: [(1024, 1, 768), (20_000, 2, 19_680), (20_000, 16, 18_784), (130, 1, 1)])
    func sharedLinksLeaveADescriptorToEachPage(descriptors: Int, loops: Int, webSockets: Int) {
        let limit = HostProcess.connectionLimit(
            descriptors: descriptors, loops: loops, links: .shared)
        #expect(limit == webSockets)
        let clients = HostProcess.clientLimit(
            descriptors: descriptors, webSockets: limit, loops: loops, links: .shared)
        #expect(clients == limit + 64)
    }

    @Test func withoutDescriptorsAcceptingPausesAndGoesOnLater() {
        let daemon = SimulatedDaemon()
        daemon.world.hasNoDescriptors = true
        let page = daemon.connect()
        page.sendUpgrade()
        daemon.advance(.seconds(1))
        #expect((4...7).contains(daemon.world.acceptAttempts))
        #expect(daemon.log.lines("accept failed").count == 1)
        daemon.world.hasNoDescriptors = false
        daemon.advance(.seconds(1))
        #expect(page.status == 101)
    }

    @Test func aHundredConnectionsLeaveNothingBehind() {
        let daemon = SimulatedDaemon()
        let descriptors = daemon.world.openDescriptors
        let timers = daemon.relay.context.loop.wheel.armedCount
        for number in 0..<100 {
            let page = daemon.open("/run:\(number)")
            page.connection.isReset = true
            daemon.settle()
            #expect(page.isClosed)
        }
        #expect(daemon.world.openDescriptors == descriptors)
        #expect(daemon.relay.context.loop.wheel.armedCount <= timers + 1)
        #expect(daemon.relay.context.loop.pool.usedCount == 0)
        #expect(daemon.metrics.connectionsActive == 0)
    }
}
