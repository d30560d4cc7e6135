import Testing
import WSFrame
import WSFrameProperties

@Suite("Request heads (RFC 9112)")
struct HTTPRequestParserTests {
    /// Parses at once, byte by byte and at every two-way split, which all have to agree.
    static func parse(_ text: String) throws -> HTTPProperties.Outcome {
        let bytes = Array(text.utf8)
        let whole = HTTPProperties.parse(bytes, steps: [bytes.count])
        #expect(HTTPProperties.parse(bytes, steps: Array(0...bytes.count)) == whole)
        for cut in bytes.indices where cut < 200 || cut + 50 > bytes.count {
            let split = HTTPProperties.parse(bytes, steps: [cut, bytes.count])
            #expect(split == whole, "cut at \(cut)")
        }
        return whole
    }

    static func request(_ text: String) throws -> HTTPRequest? {
        guard case .request(let request, let end) = try parse(text) else { return nil }
        #expect(end <= text.utf8.count)
        return request
    }

    static func get(_ lines: String...) -> String {
        (["GET / HTTP/1.1"] + lines + ["", ""]).joined(separator: "\r\n")
    }

    @Test("a request is taken apart")
    func whole() throws {
        let text =
            "GET /run%3B1:status?a=b?c HTTP/1.1\r\nHost: h:80\r\nX-A:  b c\t\r\nx-a:\r\n\r\nmore"
        guard case .request(let request, let end) = try Self.parse(text) else {
            Issue.record("no request")
            return
        }
        #expect(end == text.utf8.count - 4)
        #expect(request.method == "GET")
        #expect(request.target == "/run%3B1:status?a=b?c")
        #expect(request.path == "/run%3B1:status")
        #expect(request.query == "a=b?c")
        #expect(request.host == "h:80")
        #expect(request.minorVersion == 1)
        #expect(!request.hasBody)
        #expect(request.headers.values("X-a") == ["b c", ""])
        #expect(request.headers["HOST"] == "h:80")
        #expect(request.headers["Other"] == nil)
    }

    @Test(
        "targets have four forms (section 3.2)",
        arguments: [
            ("GET /", "/", nil, "h"), ("GET /?", "/", "", "h"), ("GET //a", "//a", nil, "h"),
            ("GET http://other:81/p?q", "/p", "q", "other:81"),
            ("GET ws://other", "/", nil, "other"), ("GET HTTPS://other?q", "/", "q", "other"),
            ("GET http://[::1]:80/x", "/x", nil, "[::1]:80"), ("OPTIONS *", "*", nil, "h"),
            ("CONNECT a:443", "a:443", nil, "a:443"),
        ] as [(String, String, String?, String)])
    func targets(_ line: String, _ path: String, _ query: String?, _ host: String) throws {
        let request = try Self.request(line + " HTTP/1.1\r\nHost: h\r\n\r\n")
        #expect(request?.path == path)
        #expect(request?.query == query)
        #expect(request?.host == host)
    }

    @Test(
        "request lines are strict",
        arguments: [
            ("GET / HTTP/1.1 \r\n", .malformedVersion),
            ("GET  / HTTP/1.1\r\n", .malformedRequestLine),
            (" GET / HTTP/1.1\r\n", .malformedRequestLine), ("GET /\r\n", .malformedRequestLine),
            ("GET\r\n", .malformedRequestLine), ("GET \r\n", .malformedRequestLine),
            ("GE(T / HTTP/1.1\r\n", .malformedRequestLine),
            ("GET / HTTP/1.1\n", .bareLineEnd), ("GET / HTTP/1.1\rX", .bareLineEnd),
            ("\n", .bareLineEnd), ("\r\n\r\n", .malformedRequestLine),
            ("GET /\u{0} HTTP/1.1\r\n", .invalidCharacter), ("\u{16}\u{3}\u{1}", .invalidCharacter),
            ("GET /\u{7F} HTTP/1.1\r\n", .invalidCharacter),
            ("GET /ä HTTP/1.1\r\n", .malformedTarget), ("GET /\t HTTP/1.1\r\n", .malformedTarget),
            ("GET /#f HTTP/1.1\r\n", .malformedTarget), ("GET a HTTP/1.1\r\n", .malformedTarget),
            ("GET * HTTP/1.1\r\n", .malformedTarget),
            ("GET http:/a HTTP/1.1\r\n", .malformedTarget),
            ("GET ftp://a/ HTTP/1.1\r\n", .malformedTarget),
            ("GET http:///a HTTP/1.1\r\n", .malformedTarget),
            ("GET http://u@h/ HTTP/1.1\r\n", .malformedTarget),
            ("CONNECT /a HTTP/1.1\r\n", .malformedTarget),
            ("GET / http/1.1\r\n", .malformedVersion), ("GET / HTTP/1.10\r\n", .malformedVersion),
            ("GET / HTTP/1\r\n", .malformedVersion), ("GET / XTTP/1.1\r\n", .malformedVersion),
            ("GET / HTTP/0.9\r\n", .unsupportedVersion),
            ("GET / HTTP/3.0\r\n", .unsupportedVersion),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", .unsupportedVersion),
        ] as [(String, HTTPError)])
    func requestLine(_ text: String, _ error: HTTPError) throws {
        #expect(try Self.parse(text) == .error(error))
    }

    @Test("an empty line before the request is skipped, once; a higher minor version is 1.1's")
    func lenience() throws {
        #expect(try Self.request("\r\n" + Self.get("Host: h"))?.path == "/")
        #expect(try Self.parse("\r\n\r\n" + Self.get("Host: h")) == .error(.malformedRequestLine))
        #expect(try Self.request("GET / HTTP/1.2\r\nHost: h\r\n\r\n")?.minorVersion == 2)
    }

    @Test(
        "HTTP/1.0 needs no Host, and one that is there is held to the same rules (section 3.2)",
        arguments: [
            ("", .none, ""), ("Host: h:80\r\n", .none, "h:80"), ("Host:\r\n", .none, ""),
            ("Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", .none, ""),
            ("Host: a b\r\n", .malformedHost, ""), ("Host: h\r\nHost: h\r\n", .duplicateHeader, ""),
        ] as [(String, HTTPError?, String)])
    func version1_0(_ headers: String, _ error: HTTPError?, _ host: String) throws {
        let outcome = try Self.parse("HEAD /health HTTP/1.0\r\n" + headers + "\r\n")
        if let error {
            #expect(outcome == .error(error))
        } else if case .request(let request, _) = outcome {
            #expect(request.minorVersion == 0 && request.host == host && request.path == "/health")
        } else {
            Issue.record("\(outcome)")
        }
    }

    @Test("an absolute target brings its host along, in HTTP/1.0 too")
    func absoluteVersion1_0() throws {
        #expect(try Self.request("GET http://h:1/p HTTP/1.0\r\n\r\n")?.host == "h:1")
    }

    @Test(
        "what is known of a head that is not complete, or refused",
        arguments: [
            ("", nil, false), ("GET /a", nil, false), ("HEAD /a", nil, true),
            ("\r\nHEAD /a", nil, true), ("HEAD", nil, false),
            ("HEADS /a HTTP/1.1\r\n", "/a", false),
            ("HEAD /a HTTP/1.1\r\nHost: h\r\n", "/a", true),
            ("GET /a HTTP/1.1\r\nHost: h\r\nX : y\r\n", "/a", false),
            ("GET /a HTTP/1.1\r\nHost: h\r\nX: \u{0}", "/a", false),
            ("GET /a HTTP/1.1\r\n\r\n", "/a", false),
        ] as [(String, String?, Bool)])
    func begun(_ text: String, _ path: String?, _ isHead: Bool) {
        let bytes = Array(text.utf8)
        var parser = HTTPRequestParser()
        _ = try? parser.next(bytes.span, from: 0)
        #expect(parser.begun?.path == path)
        #expect(HTTPRequestParser.isHead(bytes.span) == isHead)
    }

    @Test(
        "header lines are strict (section 5)",
        arguments: [
            ("Host : h", .malformedHeader), ("Host\t: h", .malformedHeader),
            (": h", .malformedHeader), ("Host", .malformedHeader), ("Ho st: h", .malformedHeader),
            ("Hö: h", .malformedHeader), ("Host: h\r\n folded", .foldedHeader),
            ("Host: h\r\n\tfolded", .foldedHeader), (" Host: h", .foldedHeader),
            ("Host: h\nX: y", .bareLineEnd), ("Host: h\rX: y", .bareLineEnd),
            ("Host: h\r\rX", .bareLineEnd),
            ("Host: h\r\nX: \u{0}", .invalidCharacter), ("Host: h\r\nX: \u{B}", .invalidCharacter),
            ("X: y", .missingHost), ("Host: ", .none), ("Host: a b", .malformedHost),
            ("Host: a,b", .none), ("Host: u@h", .malformedHost), ("Host: h:x", .malformedHost),
            ("Host: h/p", .malformedHost), ("Host: [::1]x", .malformedHost),
            ("Host: h:", .none), ("Host: [::1]:80", .none),
            ("Host: h\r\nHOST: h", .duplicateHeader),
            ("Host: h\r\nContent-Length: 1\r\ncontent-length: 1", .duplicateHeader),
            ("Host: h\r\nOrigin: a\r\nOrigin: a", .duplicateHeader),
            (
                "Host: h\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Key: a", .duplicateHeader
            ),
            (
                "Host: h\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 13",
                .duplicateHeader
            ),
            ("Host: h\r\nTransfer-Encoding: a\r\nTransfer-Encoding: chunked", .duplicateHeader),
            ("Host: h\r\nUpgrade: a\r\nUpgrade: b\r\nConnection: a\r\nConnection: b", .none),
            ("Host: h\r\nUser-Agent: a\r\nUser-Agent: b\r\nReferer: a\r\nReferer: b", .none),
            ("Host: h\r\nAccept: a\r\nAccept: b\r\nCookie: a\r\nCookie: b", .none),
            ("Host: h\r\nAuthorization: a\r\nAuthorization: b\r\nX-A: a\r\nX-A: b", .none),
            ("Host: h\r\nContent-Type: a\r\nContent-Type: b\r\nX-Empty:\r\nX-Empty:", .none),
        ] as [(String, HTTPError?)])
    func headers(_ lines: String, _ error: HTTPError?) throws {
        let outcome = try Self.parse(Self.get(lines))
        if let error {
            #expect(outcome == .error(error))
        } else if case .request = outcome {
        } else {
            Issue.record("\(outcome)")
        }
    }

    @Test(
        "bodies are announced in one way (section 6)",
        arguments: [
            ("Content-Length: 0", .none, false), ("Content-Length: 10", .none, true),
            ("Content-Length: 99999999999999999999999999", .none, true),
            ("Content-Length: +1", .malformedContentLength, false),
            ("Content-Length: 1, 1", .malformedContentLength, false),
            ("Content-Length:", .malformedContentLength, false),
            ("Content-Length: 0x1", .malformedContentLength, false),
            ("Transfer-Encoding: Chunked", .none, true),
            ("Transfer-Encoding: gzip, chunked", .unsupportedTransferEncoding, false),
            ("Transfer-Encoding: gzip", .unsupportedTransferEncoding, false),
            ("Transfer-Encoding: chunked, chunked", .malformedTransferEncoding, false),
            ("Transfer-Encoding:", .malformedTransferEncoding, false),
            (
                "Content-Length: 1\r\nTransfer-Encoding: chunked", .malformedTransferEncoding, false
            ),
        ] as [(String, HTTPError?, Bool)])
    func bodies(_ lines: String, _ error: HTTPError?, _ hasBody: Bool) throws {
        let outcome = try Self.parse(Self.get("Host: h", lines))
        if let error {
            #expect(outcome == .error(error))
        } else if case .request(let request, _) = outcome {
            #expect(request.hasBody == hasBody)
        } else {
            Issue.record("\(outcome)")
        }
    }

    @Test("lines, heads and their number are bounded")
    func limits() throws {
        let line = 8 * 1024
        let target = "/" + String(repeating: "a", count: line - "GET / HTTP/1.1".count)
        #expect(try Self.request("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n")?.path == target)
        #expect(try Self.parse("GET \(target)a HTTP/1.1") == .error(.requestLineTooLong))
        let value = String(repeating: "v", count: line - 3)
        #expect(try Self.request(Self.get("Host: h", "X: \(value)"))?.headers["X"] == value)
        #expect(try Self.parse(Self.get("Host: h", "X: \(value)v")) == .error(.headerLineTooLong))
        let long = Self.get("Host: h", "X: \(value)", "Y: \(value)")
        #expect(try Self.parse(long) == .error(.headTooLong))
        let rest = 16 * 1024 - Self.get("Host: h", "X: \(value)", "Y: ").utf8.count
        let fitting = Self.get("Host: h", "X: \(value)", "Y: " + value.prefix(rest))
        #expect(fitting.utf8.count == 16 * 1024)
        #expect(try Self.request(fitting) != nil)
        let many = Self.get("Host: h", (1...99).map { "X: \($0)" }.joined(separator: "\r\n"))
        #expect(try Self.request(many)?.headers.fields.count == 100)
        #expect(try Self.parse(Self.get("X: y") + "") == .error(.missingHost))
        let tooMany = many.dropLast() + "Y: z\r\n\r\n"
        #expect(try Self.parse(String(tooMany)) == .error(.tooManyHeaders))
    }

    @Test("every error has a status and a reason", arguments: HTTPError.allCases)
    func statuses(_ error: HTTPError) {
        #expect([400, 414, 431, 501, 505].contains(error.status))
        #expect(!error.reason.isEmpty)
    }

    @Test("the parser is ready for the next request")
    func pipelined() throws {
        let bytes = Array((Self.get("Host: a") + Self.get("Host: b")).utf8)
        var parser = HTTPRequestParser()
        let first = try parser.next(bytes.span, from: 0)
        #expect(first.end == bytes.count / 2)
        let second = try parser.next(bytes.span, from: first.end)
        guard case .request(let request) = second.event else {
            Issue.record("no second request")
            return
        }
        #expect(request.host == "b" && second.end == bytes.count)
    }

    @Test("responses have their length, close the connection, and hold no smuggled lines")
    func responses() {
        var output: [UInt8] = []
        let headers = [HTTPHeader("Allow", "GET"), HTTPHeader("X", "a\r\nY: b")]
        HTTPResponse(status: 405, headers: headers, text: "no\n").append(to: &output)
        let head = """
            HTTP/1.1 405 Method Not Allowed\r
            Content-Type: text/plain; charset=utf-8\r
            Allow: GET\r
            X: a  Y: b\r
            Content-Length: 3\r
            Connection: close\r
            \r

            """
        #expect(String(decoding: output, as: UTF8.self) == head + "no\n")
        output = []
        HTTPResponse(status: 405, headers: headers, text: "no\n")
            .append(to: &output, includesBody: false)
        #expect(String(decoding: output, as: UTF8.self) == head)
    }
}
