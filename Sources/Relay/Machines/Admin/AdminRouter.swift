import WSFrame

/// What a request to the admin listener is for.
enum AdminRoute: Equatable, Sendable {
    case health
    case ready
    case metrics(MetricsFormat)
    case debug(DebugQuestion)
    /// Whether the trace is on, and what of.
    case traceState
    case startTrace(TraceRequest)
    case stopTrace
    case refuse(HTTPResponse)
}

/// Decides what a request to the admin listener gets.
///
/// The listener is on this machine alone, and so may a browser be. A page of any site can send
/// requests to it, and a name of its own that leads here makes their answers readable to it (DNS
/// rebinding). So who sends an `Origin`, or asks for another host than this machine, is refused.
struct AdminRouter: Sendable {
    /// Whether the listener is a Unix socket, which no browser reaches.
    let isUnixSocket: Bool

    /// Judges a request: where it comes from, path, method, query, in this order.
    func route(_ request: HTTPRequest) -> AdminRoute {
        guard isUnixSocket || Self.isOwnHost(request.host), request.headers["Origin"] == nil else {
            return .refuse(
                HTTPResponse(status: 403, text: "the admin listener is for this machine alone\n"))
        }
        guard !request.hasBody else {
            return .refuse(HTTPResponse(status: 400, text: "a body is not read: use the query\n"))
        }
        let path =
            request.path.count > 1 && request.path.hasSuffix("/")
            ? String(request.path.dropLast()) : request.path
        do throws(InvalidValue) {
            if path == "/debug/trace" { return try trace(request) }
            guard let route = try page(path, request) else { return Self.notFound }
            guard ["GET", "HEAD"].contains(request.method) else {
                return Self.notAllowed("GET, HEAD")
            }
            return route
        } catch {
            return .refuse(HTTPResponse(status: 400, text: error.reason + "\n"))
        }
    }

    private func page(_ path: String, _ request: HTTPRequest) throws(InvalidValue) -> AdminRoute? {
        switch path {
        case "/health": .health
        case "/ready": .ready
        case "/metrics": .metrics(MetricsFormat(request.headers))
        case "/debug/connections":
            .debug(
                .connections(
                    try DebugQuery(
                        request.query,
                        allowed: [.run, .channel, .state, .address, .link, .late, .limit, .cursor],
                        states: ClientConnection.State.allCases.map { "\($0)" })))
        case "/debug/closed":
            .debug(
                .closed(
                    try DebugQuery(
                        request.query,
                        allowed: [.run, .channel, .reason, .address, .link, .limit, .cursor])))
        case "/debug/links":
            .debug(
                .links(
                    try DebugQuery(
                        request.query,
                        allowed: [
                            .run, .channel, .state, .address, .link, .quiet, .limit, .cursor,
                        ],
                        states: RedisLink.State.allCases.map { "\($0)" })))
        case "/debug/streams":
            .debug(
                .streams(
                    try DebugQuery(
                        request.query, allowed: [.run, .channel, .state, .link, .limit, .cursor],
                        states: StreamRow.State.allCases.map(\.rawValue))))
        case "/debug/loops": .debug(try loops(request))
        default: nil
        }
    }

    private func loops(_ request: HTTPRequest) throws(InvalidValue) -> DebugQuestion {
        _ = try DebugQuery(request.query, allowed: [])
        return .loops
    }

    private func trace(_ request: HTTPRequest) throws(InvalidValue) -> AdminRoute {
        switch request.method {
        case "GET", "HEAD": .traceState
        case "POST": .startTrace(try TraceRequest(request.query))
        case "DELETE": .stopTrace
        default: Self.notAllowed("GET, HEAD, POST, DELETE")
        }
    }

    private static var notFound: AdminRoute {
        .refuse(
            HTTPResponse(
                status: 404,
                text: """
                    not found; there are /health, /ready, /metrics, /debug/connections, \
                    /debug/closed, /debug/links, /debug/streams, /debug/loops and /debug/trace

                    """))
    }

    private static func notAllowed(_ methods: String) -> AdminRoute {
        .refuse(
            HTTPResponse(
                status: 405, headers: [HTTPHeader("Allow", methods)], text: "method not allowed\n"))
    }

    /// Whether the authority names this machine: a loopback address or `localhost`; none does in
    /// HTTP/1.0.
    static func isOwnHost(_ authority: String) -> Bool {
        guard !authority.isEmpty else { return true }
        guard let host = HostAndPort(authority)?.host else { return false }
        return AdminAddress.isLoopback(host)
    }
}

/// The address of the admin listener.
enum AdminAddress {
    /// Whether only this machine reaches the host: `localhost`, `::1` or 127.0.0.0/8.
    static func isLoopback(_ host: String) -> Bool {
        EmbeddedBrokerAddress(host: host.lowercased(), port: 0).isLoopback
    }

    /// Reads `host:port` or `unix:/path`, which must be this machine's alone.
    static func parse(_ text: String) throws(InvalidValue) -> ListenAddress {
        let address = try ListenAddress(parsing: text)
        guard case .tcp(let host, _) = address else { return address }
        guard isLoopback(host) else {
            throw InvalidValue(
                "is not an address that only this machine reaches: it shows runs and channels, so"
                    + " that it takes 127.0.0.1, ::1, localhost or unix:/path")
        }
        return address
    }
}
