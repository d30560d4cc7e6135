/// A response of known length, after which the connection is closed (RFC 9112, section 4).
public struct HTTPResponse: Sendable, Equatable {
    /// The status code.
    public var status: Int
    /// The headers apart from Content-Length and Connection, which are written in any case.
    public var headers: [HTTPHeader]
    /// The body.
    public var body: [UInt8]

    /// Makes a response.
    public init(status: Int, headers: [HTTPHeader] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// Makes a response with a body of plain text.
    public init(status: Int, headers: [HTTPHeader] = [], text: String) {
        let type = HTTPHeader("Content-Type", "text/plain; charset=utf-8")
        self.init(status: status, headers: [type] + headers, body: Array(text.utf8))
    }

    /// Appends the response's bytes, with its length and `Connection: close`. The answer to a HEAD
    /// request goes without its body.
    public func append(to output: inout [UInt8], includesBody: Bool = true) {
        Self.appendStatusLine(status, to: &output)
        for header in headers { Self.append(header, to: &output) }
        Self.append(HTTPHeader("Content-Length", String(body.count)), to: &output)
        Self.append(HTTPHeader("Connection", "close"), to: &output)
        output.append(contentsOf: "\r\n".utf8)
        if includesBody { output.append(contentsOf: body) }
    }

    static func appendStatusLine(_ status: Int, to output: inout [UInt8]) {
        output.append(contentsOf: "HTTP/1.1 \(status) \(reasonPhrase(status))\r\n".utf8)
    }

    static func append(_ header: HTTPHeader, to output: inout [UInt8]) {
        output.append(contentsOf: header.name.utf8)
        output.append(contentsOf: ": ".utf8)
        for byte in header.value.utf8 {
            // A line end here would let a value write headers of its own.
            output.append(HTTPCharacters.isFieldContent(byte) ? byte : HTTPCharacters.space)
        }
        output.append(contentsOf: "\r\n".utf8)
    }

    /// The phrase that goes with a status code; empty for a code unknown here.
    static func reasonPhrase(_ status: Int) -> String {
        switch status {
        case 101: "Switching Protocols"
        case 200: "OK"
        case 400: "Bad Request"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 409: "Conflict"
        case 414: "URI Too Long"
        case 426: "Upgrade Required"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}
