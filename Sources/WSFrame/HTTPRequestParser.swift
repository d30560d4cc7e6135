/// Parses request heads, strictly (RFC 9112).
///
/// The caller keeps the bytes of a head together until it is complete, in at most
/// `HTTPLimits.maxHeadLength` bytes, and may move them between calls; the parser looks at each byte
/// once. Errors come as early as the bytes show them, the same ones for any split.
///
/// Two things are taken as clients send them: one empty line before the request line, and any
/// visible ASCII but `#` in the target, since browsers do not encode all that RFC 3986 would. Of
/// HTTP/1.0 it is known that it needs no Host; all else is read as in HTTP/1.1.
public struct HTTPRequestParser: Sendable {
    private let limits: HTTPLimits
    private var scanner: HTTPHeadScanner
    private var request: HTTPRequest?

    /// What is known of the request whose head is not complete yet, with the headers so far; nil
    /// before the end of the request line.
    public var begun: HTTPRequest? { request }

    /// Makes a parser for one connection.
    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        scanner = HTTPHeadScanner(limits: limits)
    }

    /// Parses the head that begins at `offset`; `bytes` holds all of it that has come so far.
    ///
    /// After a request, the parser is ready for the next one. After an error, answer with the
    /// error's status and close the connection.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: Int
    ) throws(HTTPError) -> HTTPRequestStep {
        while let line = try scanner.nextLine(bytes, from: offset) {
            guard var head = request else {
                request = try requestLine(bytes, in: line)
                continue
            }
            if line.isEmpty {
                try Self.finish(&head)
                let end = offset + scanner.consumed
                request = nil
                scanner = HTTPHeadScanner(limits: limits)
                return HTTPRequestStep(end: end, event: .request(head))
            }
            // Given up here, so that the headers are not copied.
            request = nil
            do throws(HTTPError) {
                try scanner.readHeader(bytes, in: line, to: &head.headers)
            } catch {
                request = head
                throw error
            }
            request = head
        }
        return HTTPRequestStep(end: offset, event: .incomplete)
    }

    /// Whether these bytes begin with the method HEAD, however malformed what follows is: the answer
    /// to it has no body (RFC 9110, section 9.3.2).
    public static func isHead(_ bytes: Span<UInt8>) -> Bool {
        let isAfterEmptyLine =
            bytes.count > 1 && bytes[0] == HTTPCharacters.carriageReturn
            && bytes[1] == HTTPCharacters.lineFeed
        let start = isAfterEmptyLine ? 2 : 0
        guard bytes.count >= start + headMethod.count else { return false }
        return headMethod.indices.allSatisfy { bytes[start + $0] == headMethod[$0] }
    }

    private static let headMethod = Array("HEAD ".utf8)

    /// Parses `method SP request-target SP HTTP-version` (section 3).
    private func requestLine(
        _ bytes: Span<UInt8>, in line: Range<Int>
    ) throws(HTTPError) -> HTTPRequest {
        var methodEnd = line.lowerBound
        while methodEnd < line.upperBound, HTTPCharacters.isToken(bytes[methodEnd]) {
            methodEnd += 1
        }
        guard methodEnd > line.lowerBound, methodEnd < line.upperBound,
            bytes[methodEnd] == HTTPCharacters.space
        else { throw .malformedRequestLine }
        var targetEnd = methodEnd + 1
        while targetEnd < line.upperBound, bytes[targetEnd] != HTTPCharacters.space {
            let byte = bytes[targetEnd]
            guard byte > 0x20, byte < 0x7F, byte != UInt8(ascii: "#") else {
                throw .malformedTarget
            }
            targetEnd += 1
        }
        guard targetEnd > methodEnd + 1, targetEnd < line.upperBound else {
            throw .malformedRequestLine
        }
        let rest = min(bytes.count - line.upperBound, limits.maxHeadLength)
        var request = HTTPRequest(
            method: ByteRuns.text(bytes, in: line.lowerBound..<methodEnd),
            target: ByteRuns.text(bytes, in: methodEnd + 1..<targetEnd),
            host: "", path: "", query: nil,
            minorVersion: try Self.minorVersion(bytes, in: targetEnd + 1..<line.upperBound),
            headers: HTTPHeaders(capacity: rest), hasBody: false)
        try Self.readTarget(of: &request)
        return request
    }

    /// Parses `HTTP/1.` and a digit (section 2.3).
    private static func minorVersion(
        _ bytes: Span<UInt8>, in range: Range<Int>
    ) throws(HTTPError) -> Int {
        let (major, point, minor) = (
            range.lowerBound + 5, range.lowerBound + 6, range.lowerBound + 7
        )
        guard range.count == 8, isHTTP(bytes, at: range.lowerBound),
            HTTPCharacters.isDigit(bytes[major]), bytes[point] == UInt8(ascii: "."),
            HTTPCharacters.isDigit(bytes[minor])
        else { throw .malformedVersion }
        guard bytes[major] == UInt8(ascii: "1") else { throw .unsupportedVersion }
        return Int(bytes[minor] - UInt8(ascii: "0"))
    }

    private static let protocolName = Array("HTTP/".utf8)

    private static func isHTTP(_ bytes: Span<UInt8>, at start: Int) -> Bool {
        protocolName.indices.allSatisfy { bytes[start + $0] == protocolName[$0] }
    }

    /// Takes the target apart: origin-form, absolute-form, authority-form of CONNECT, asterisk-form
    /// of OPTIONS (section 3.2).
    private static func readTarget(of request: inout HTTPRequest) throws(HTTPError) {
        let target = request.target
        if request.method == "CONNECT" {
            guard HTTPCharacters.isAuthority(target), target.utf8.contains(UInt8(ascii: ":"))
            else { throw .malformedTarget }
            request.host = target
            request.path = target
            return
        }
        if target == "*" {
            guard request.method == "OPTIONS" else { throw .malformedTarget }
            request.path = target
            return
        }
        var rest = Substring(target)
        if !target.hasPrefix("/") {
            rest = try afterScheme(target)
            let authorityEnd =
                rest.utf8.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") }
                ?? rest.endIndex
            guard HTTPCharacters.isAuthority(rest[..<authorityEnd]) else {
                throw .malformedTarget
            }
            request.host = String(rest[..<authorityEnd])
            rest = rest[authorityEnd...]
        }
        if let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) {
            request.query = String(rest[rest.utf8.index(after: mark)...])
            rest = rest[..<mark]
        }
        request.path = rest.isEmpty ? "/" : String(rest)
    }

    /// What follows `scheme://` in an absolute target whose scheme is that of a web server.
    private static func afterScheme(_ target: String) throws(HTTPError) -> Substring {
        guard let colon = target.utf8.firstIndex(of: UInt8(ascii: ":")) else {
            throw .malformedTarget
        }
        let scheme = target[..<colon]
        let isKnown = ["http", "https", "ws", "wss"].contains {
            HTTPCharacters.equalIgnoringCase($0, scheme)
        }
        let rest = target[target.utf8.index(after: colon)...]
        guard isKnown, rest.hasPrefix("//") else { throw .malformedTarget }
        return rest.dropFirst(2)
    }

    /// Checks what concerns the head as a whole: Host, and whether a body follows (section 6).
    private static func finish(_ request: inout HTTPRequest) throws(HTTPError) {
        if let host = request.headers["Host"] {
            // An empty one says that the target has no authority (RFC 9110, section 7.2).
            guard host.isEmpty || HTTPCharacters.isAuthority(host) else { throw .malformedHost }
            if request.host.isEmpty { request.host = host }
        } else if request.minorVersion > 0 {
            throw .missingHost
        }
        var contentLength: String?
        if let value = request.headers["Content-Length"] {
            guard !value.isEmpty, value.utf8.allSatisfy({ HTTPCharacters.isDigit($0) }) else {
                throw .malformedContentLength
            }
            contentLength = value
            request.hasBody = value.utf8.contains { $0 != UInt8(ascii: "0") }
        }
        guard request.headers.contains("Transfer-Encoding") else { return }
        guard contentLength == nil else { throw .malformedTransferEncoding }
        let codings = request.headers.list("Transfer-Encoding")
        guard
            codings.allSatisfy({ HTTPCharacters.equalIgnoringCase($0, "chunked") })
        else { throw .unsupportedTransferEncoding }
        guard codings.count == 1 else { throw .malformedTransferEncoding }
        request.hasBody = true
    }
}
