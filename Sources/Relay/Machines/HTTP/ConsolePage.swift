import WSFrame

/// The page at `/console`: one HTML file that watches a channel live.
enum ConsolePage {
    private static let placeholder = Array("{{nonce}}".utf8)
    /// The page in pieces, between which the nonce stands.
    private static let pieces = split(PackageResources.console_html)

    /// The page with a fresh nonce, which alone lets its own style and script run.
    ///
    /// `nonce` is 64 random bits (Content Security Policy Level 3, section 7.1, wants more only
    /// against an attacker who sees many pages; this page embeds nothing of anybody else's).
    static func response(nonce: UInt64) -> HTTPResponse {
        let nonce = String(nonce, radix: 16)
        let policy = [
            "default-src 'none'", "script-src 'nonce-\(nonce)'", "style-src 'nonce-\(nonce)'",
            "connect-src 'self'", "img-src data:", "base-uri 'none'", "form-action 'none'",
            "frame-ancestors 'none'",
        ].joined(separator: "; ")
        let headers = [
            HTTPHeader("Content-Type", "text/html; charset=utf-8"),
            HTTPHeader("Content-Security-Policy", policy),
            HTTPHeader("X-Content-Type-Options", "nosniff"),
            HTTPHeader("Referrer-Policy", "no-referrer"),
            HTTPHeader("Cache-Control", "no-store"),
        ]
        let body = Array(pieces.joined(separator: Array(nonce.utf8)))
        return HTTPResponse(status: 200, headers: headers, body: body)
    }

    private static func split(_ page: [UInt8]) -> [[UInt8]] {
        var pieces: [[UInt8]] = [[]]
        var index = 0
        while index < page.count {
            let end = index + placeholder.count
            if end <= page.count, page[index..<end].elementsEqual(placeholder) {
                pieces.append([])
                index = end
            } else {
                pieces[pieces.count - 1].append(page[index])
                index += 1
            }
        }
        return pieces
    }
}
