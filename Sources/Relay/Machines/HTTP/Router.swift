import WSFrame

/// What a request is for.
enum Route: Equatable, Sendable {
    /// `/health`: the process serves.
    case health
    /// `/ready`: whether it can do its work.
    case ready
    /// `/metrics`, when metrics are served.
    case metrics
    /// `/console` and the files beside it, when the console is served.
    case console(ConsoleFile)
    /// A proper upgrade for a channel.
    case upgrade(ChannelName, acceptKey: String)
    /// Anything else.
    case refuse(Refusal)
}

/// A request that is refused.
struct Refusal: Equatable, Sendable {
    /// The answer.
    let response: HTTPResponse
    /// A short name of the reason, for the counter and the log.
    let reason: String
    /// What exactly was wrong, for the log.
    let detail: String

    init(
        status: Int, headers: [HTTPHeader] = [], text: String, reason: String,
        detail: String? = nil
    ) {
        response = HTTPResponse(status: status, headers: headers, text: text)
        self.reason = reason
        self.detail = detail ?? text
    }
}

/// Decides what a request gets, from the request and the configuration alone.
struct Router: Sendable {
    private let origins: OriginPolicy
    private let servesMetrics: Bool
    private let servesConsole: Bool

    init(settings: Settings) {
        origins = OriginPolicy(patterns: settings.allowedOrigins)
        // With an admin listener they are served there, and there alone.
        servesMetrics = settings.metricsEnabled && settings.adminAddress == nil
        servesConsole = settings.consoleEnabled
    }

    /// Whether every origin is accepted.
    var isOriginCheckDisabled: Bool { origins.isDisabled }

    /// Judges a request: method, path, upgrade, origin, in this order.
    func route(_ request: HTTPRequest) -> Route {
        guard Self.isRead(request) else {
            return .refuse(
                Refusal(
                    status: 405, headers: [HTTPHeader("Allow", "GET, HEAD")],
                    text: "method not allowed", reason: "method"))
        }
        // The check of HAProxy's `option httpchk` without a path: whether to send clients here.
        if request.method == "OPTIONS", request.path == "/" { return .ready }
        switch Self.withoutTrailingSlash(request.path) {
        case "/health": return .health
        case "/ready": return .ready
        case "/metrics": return servesMetrics ? .metrics : Self.notFound
        default: break
        }
        if let file = ConsoleFile(path: request.path) {
            return servesConsole ? .console(file) : Self.notFound
        }
        switch ChannelPath(target: request.path.utf8) {
        case .root:
            return Self.notFound
        case .invalid:
            return .refuse(Refusal(status: 400, text: "invalid channel", reason: "channel"))
        case .channel(let channel):
            return upgrade(request, to: channel)
        }
    }

    /// Whether the request asks to read: by GET, by HEAD, which is answered as GET without the body,
    /// or by OPTIONS in HTTP/1.0, which is answered as GET too. HTTP/1.0 itself has no such method,
    /// but HAProxy's `option httpchk PATH` asks so whether the path is well, and takes 405 for a
    /// failure.
    private static func isRead(_ request: HTTPRequest) -> Bool {
        switch request.method {
        case "GET", "HEAD": true
        case "OPTIONS": request.minorVersion == 0 && request.path != "*"
        default: false
        }
    }

    /// The path of `/health/` is `/health`; `/` stays.
    private static func withoutTrailingSlash(_ path: String) -> Substring {
        path.utf8.count > 1 && path.hasSuffix("/") ? path.dropLast() : path[...]
    }

    private static var notFound: Route {
        .refuse(Refusal(status: 404, text: "not found", reason: "not_found"))
    }

    private func upgrade(_ request: HTTPRequest, to channel: ChannelName) -> Route {
        guard request.method == "GET" else {
            return Self.noUpgrade("the method is \(request.method)")
        }
        switch WebSocketUpgrade(request) {
        case .none:
            return Self.noUpgrade(Self.missingUpgrade(request))
        case .refuse(let status, let headers, let reason):
            return .refuse(
                Refusal(status: status, headers: headers, text: reason, reason: "handshake"))
        case .accept(let acceptKey, _):
            guard origins.allows(origin: request.headers["Origin"], host: request.host) else {
                return .refuse(
                    Refusal(
                        status: 403, text: "origin not allowed", reason: "origin",
                        detail: "neither the own host nor one of STATUS_ALLOWED_ORIGINS"))
            }
            return .upgrade(channel, acceptKey: acceptKey)
        }
    }

    private static func noUpgrade(_ detail: String) -> Route {
        .refuse(
            Refusal(
                status: 426, headers: [HTTPHeader("Upgrade", "websocket")],
                text: "this is a WebSocket", reason: "no_upgrade", detail: detail))
    }

    /// Which part of an upgrade is not there: most often a proxy has not passed it on.
    private static func missingUpgrade(_ request: HTTPRequest) -> String {
        if request.minorVersion == 0 { return "HTTP/1.0 has no upgrades" }
        return request.headers.list("Upgrade", contains: "websocket")
            ? "no Connection: Upgrade" : "no Upgrade: websocket"
    }
}
