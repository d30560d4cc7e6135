@testable import Relay
import Testing
import WSFrame

/// What the admin listener answers to whom.
@Suite struct AdminRouterTests {
    private func route(
        _ method: String, _ target: String, host: String = "localhost:9100",
        headers: [HTTPHeader] = [], isUnixSocket: Bool = false
    ) -> AdminRoute {
        let lines =
            ["\(method) \(target) HTTP/1.1", "Host: \(host)"]
            + headers.map { "\($0.name): \($0.value)" }
        let bytes = Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8)
        var parser = HTTPRequestParser()
        guard let step = try? parser.next(bytes.span, from: 0),
            case .request(let request) = step.event
        else { preconditionFailure("the test's request is none") }
        return AdminRouter(isUnixSocket: isUnixSocket).route(request)
    }

    private func status(_ route: AdminRoute) -> Int? {
        guard case .refuse(let response) = route else { return nil }
        return response.status
    }

    @Test func pagesAreFound() {
        #expect(route("GET", "/health") == .health)
        #expect(route("HEAD", "/ready/") == .ready)
        #expect(route("GET", "/metrics") == .metrics(.prometheus))
        #expect(route("GET", "/debug/connections") == .debug(.connections(DebugQuery())))
        #expect(route("GET", "/debug/closed") == .debug(.closed(DebugQuery())))
        #expect(route("GET", "/debug/links") == .debug(.links(DebugQuery())))
        #expect(route("GET", "/debug/streams") == .debug(.streams(DebugQuery())))
        #expect(status(route("GET", "/debug/streams?address=10.0.0.1")) == 400)
        #expect(route("GET", "/debug/loops") == .debug(.loops))
        #expect(route("GET", "/debug/trace") == .traceState)
        #expect(route("POST", "/debug/trace") == .startTrace(TraceRequest()))
        #expect(route("DELETE", "/debug/trace") == .stopTrace)
    }

    @Test func aStateThatNoRowCanHaveIsRefused() {
        for target in [
            "connections?state=open", "connections?state=closing", "links?state=live",
            "links?state=backingOff", "streams?state=kept",
        ] {
            #expect(status(route("GET", "/debug/\(target)")) == nil)
        }
        for target in [
            "connections?state=live", "links?state=open", "streams?state=", "links?state=Live",
            "loops?state=open",
        ] {
            #expect(status(route("GET", "/debug/\(target)")) == 400)
        }
    }

    @Test(arguments: ["/", "/debug", "/debug/", "/console", "/run:status", "/debug/connections/1"])
    func whatIsNotThereIs404(path: String) {
        #expect(status(route("GET", path)) == 404)
    }

    @Test func onlyTheTraceIsPosted() {
        #expect(status(route("POST", "/metrics")) == 405)
        #expect(status(route("DELETE", "/debug/connections")) == 405)
        #expect(status(route("PUT", "/debug/trace")) == 405)
        #expect(
            status(route("POST", "/debug/trace", headers: [HTTPHeader("Content-Length", "3")]))
                == 400)
    }

    @Test(arguments: [
        "127.0.0.1:9100", "127.9.9.9", "localhost", "LOCALHOST:1", "[::1]:9100", "",
    ])
    func thisMachineIsAsked(host: String) {
        #expect(route("GET", "/health", host: host) == .health)
    }

    /// A page of another site, whose name leads to this machine.
    @Test(arguments: [
        "evil.example", "evil.example:9100", "10.0.0.1", "127.0.0.1.evil.example",
    ])
    func otherNamesAreRefused(host: String) {
        #expect(status(route("GET", "/debug/connections", host: host)) == 403)
        #expect(route("GET", "/debug/loops", host: host, isUnixSocket: true) == .debug(.loops))
    }

    @Test func whoSendsAnOriginIsRefused() {
        let origin = [HTTPHeader("Origin", "http://localhost:9100")]
        #expect(status(route("POST", "/debug/trace", headers: origin)) == 403)
        #expect(status(route("GET", "/metrics", headers: origin, isUnixSocket: true)) == 403)
    }

    @Test func aTraceIsAskedForInTheQuery() {
        var wanted = TraceRequest()
        wanted.channel = "run:*"
        wanted.link = 3
        wanted.span = .seconds(5)
        wanted.format = .json
        wanted.goesToSink = true
        #expect(
            route("POST", "/debug/trace?channel=run%3A*&link=3&for=5s&format=json&to=sink")
                == .startTrace(wanted))
        for query in [
            "for=0s", "for=-1s", "for=2h", "for=x", "format=xml", "to=nowhere", "channel=[", "a=b",
        ] {
            #expect(status(route("POST", "/debug/trace?\(query)")) == 400)
        }
    }

    @Test(arguments: [
        ("127.0.0.1:9100", true), ("localhost:0", true), ("[::1]:9100", true),
        ("unix:/run/status2/admin.sock", true), (":9100", false), ("0.0.0.0:9100", false),
        ("[::]:9100", false), ("10.0.0.1:9100", false), ("admin.example:9100", false),
        ("127.0.0.1", false), ("unix:relative", false),
    ])
    func theListenerIsForThisMachineAlone(text: String, isTaken: Bool) {
        #expect(((try? AdminAddress.parse(text)) != nil) == isTaken)
    }
}
