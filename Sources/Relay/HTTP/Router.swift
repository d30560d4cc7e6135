import WSFrame

/// What a request is for.
enum Route: Equatable, Sendable {
    /// `GET /health`: the process serves.
    case health
    /// `GET /ready`: whether it can do its work.
    case ready
    /// `GET /metrics`, when metrics are served.
    case metrics
    /// `GET /console`, when the console is served.
    case console
    /// A proper upgrade for a channel.
    case upgrade(ChannelName, acceptKey: String)
    /// Anything else: the answer, and a short name of the reason for the counter.
    case refuse(HTTPResponse, reason: String)
}

/// Decides what a request gets, from the request and the configuration alone.
struct Router: Sendable {
    private let origins: OriginPolicy
    private let servesMetrics: Bool
    private let servesConsole: Bool

    init(settings: Settings) {
        origins = OriginPolicy(patterns: settings.allowedOrigins)
        servesMetrics = settings.metricsEnabled
        servesConsole = settings.consoleEnabled
    }

    /// Whether every origin is accepted.
    var isOriginCheckDisabled: Bool { origins.isDisabled }

    /// Judges a request: method, path, upgrade, origin, in this order.
    func route(_ request: HTTPRequest) -> Route {
        guard request.method == "GET" else {
            return .refuse(
                HTTPResponse(
                    status: 405, headers: [HTTPHeader("Allow", "GET")],
                    text: "method not allowed"),
                reason: "method")
        }
        switch request.path {
        case "/health": return .health
        case "/ready": return .ready
        case "/metrics": return servesMetrics ? .metrics : Self.notFound
        case "/console": return servesConsole ? .console : Self.notFound
        default: break
        }
        switch ChannelPath(target: request.path.utf8) {
        case .root:
            return Self.notFound
        case .invalid:
            return .refuse(HTTPResponse(status: 400, text: "invalid channel"), reason: "channel")
        case .channel(let channel):
            return upgrade(request, to: channel)
        }
    }

    private static var notFound: Route {
        .refuse(HTTPResponse(status: 404, text: "not found"), reason: "not_found")
    }

    private func upgrade(_ request: HTTPRequest, to channel: ChannelName) -> Route {
        switch WebSocketUpgrade(request) {
        case .none:
            return .refuse(
                HTTPResponse(
                    status: 426, headers: [HTTPHeader("Upgrade", "websocket")],
                    text: "this is a WebSocket"),
                reason: "no_upgrade")
        case .refuse(let status, let headers, let reason):
            return .refuse(
                HTTPResponse(status: status, headers: headers, text: reason),
                reason: "handshake")
        case .accept(let acceptKey, _):
            guard origins.allows(origin: request.headers["Origin"], host: request.host) else {
                return .refuse(
                    HTTPResponse(status: 403, text: "origin not allowed"), reason: "origin")
            }
            return .upgrade(channel, acceptKey: acceptKey)
        }
    }
}
