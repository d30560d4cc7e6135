import WSFrame

/// What is served under `/console`.
enum ConsoleFile: Hashable, Sendable {
    /// `/console`: watches a channel live.
    case page
    /// `/console/example`: the smallest page with the client, for those who build their own.
    case example
    /// `/console/status-stream.js`: the client.
    case client
    /// `/console/status-stream.mjs`: the same as an ES module.
    case module

    /// The file of a request's path; nil where there is none.
    ///
    /// A slash at the end is dropped of `/console` alone: the example loads the client beside it.
    init?(path: String) {
        switch path {
        case "/console", "/console/": self = .page
        case "/console/example": self = .example
        case "/console/status-stream.js": self = .client
        case "/console/status-stream.mjs": self = .module
        default: return nil
        }
    }
}

/// The pages under `/console`.
enum ConsolePage {
    /// The pages in pieces. Between two of them stands a value of the answer's own.
    private static let page = TextTemplate(
        PackageResources.console_html,
        fixed: ["client": PackageResources.status_stream_js, "script": PackageResources.console_js])
    private static let example = TextTemplate(PackageResources.example_html, fixed: [:])

    /// The answer with a file.
    ///
    /// - Parameters:
    ///   - nonce: 64 random bits, which alone let a page's own styles and scripts run (Content
    ///     Security Policy Level 3, section 7.1, wants more only against an attacker who sees many
    ///     pages; these pages embed nothing of anybody else's).
    ///   - redis: the Redis for which the page shows a command.
    ///   - sendsNotices: whether pages are told of outages.
    static func response(
        _ file: ConsoleFile, nonce: UInt64, redis: RedisTarget, sendsNotices: Bool
    ) -> HTTPResponse {
        let nonce = String(nonce, radix: 16)
        switch file {
        case .client: return script(PackageResources.status_stream_js)
        case .module: return script(PackageResources.status_stream_mjs)
        case .example: return html(example.text(nonce: nonce, values: [:]), nonce: nonce)
        case .page:
            let values = [
                "redis-cli": redis.commandLine, "notices": sendsNotices ? "true" : "false",
            ]
            return html(page.text(nonce: nonce, values: values), nonce: nonce)
        }
    }

    private static func html(_ body: [UInt8], nonce: String) -> HTTPResponse {
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'",
            "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'none'",
        ].joined(separator: "; ")
        return answer(
            body, type: "text/html; charset=utf-8",
            [
                HTTPHeader("Content-Security-Policy", policy),
                HTTPHeader("Referrer-Policy", "no-referrer"),
            ])
    }

    private static func script(_ body: [UInt8]) -> HTTPResponse {
        answer(body, type: "text/javascript; charset=utf-8", [])
    }

    private static func answer(
        _ body: [UInt8], type: String, _ headers: [HTTPHeader]
    ) -> HTTPResponse {
        let common = [
            HTTPHeader("Content-Type", type), HTTPHeader("X-Content-Type-Options", "nosniff"),
            HTTPHeader("Cache-Control", "no-store"),
        ]
        return HTTPResponse(status: 200, headers: common + headers, body: body)
    }
}
