/// A client's side of the upgrade (RFC 6455, section 4.1).
public struct WebSocketClientHandshake: Sendable {
    /// What the bytes so far say.
    public enum Event: Sendable, Equatable {
        /// The response's head is not complete; call again with the same bytes and more.
        case incomplete
        /// The WebSocket is open; frames begin behind the step's end.
        case accepted(subprotocol: String?)
        /// The server answered with another status; the body, if any, is not read.
        case refused(status: Int, headers: HTTPHeaders)
    }

    /// One event, and the offset behind the head's last byte.
    public struct Step: Sendable, Equatable {
        /// Where the bytes behind the head begin; for `.incomplete`, the offset given.
        public var end: Int
        /// What was found.
        public var event: Event
    }

    private let key: String
    private let subprotocols: [String]
    private var scanner: HTTPHeadScanner
    private var status: Int?
    private var headers = HTTPHeaders()

    /// Makes a handshake from 16 random bytes, fresh for each connection, and the subprotocols to
    /// offer.
    public init(nonce: (UInt64, UInt64), subprotocols: [String] = [], limits: HTTPLimits = .init())
    {
        var bytes: [UInt8] = []
        for word in [nonce.0, nonce.1] {
            for shift in stride(from: UInt64(0), to: 64, by: 8) {
                bytes.append(UInt8(truncatingIfNeeded: word >> shift))
            }
        }
        key = Base64.encode(bytes)
        self.subprotocols = subprotocols
        scanner = HTTPHeadScanner(limits: limits)
    }

    /// Appends the request's head; `path` may have a query, `host` a port. White space, control
    /// characters and what is not ASCII are percent-encoded in the path.
    public func appendRequest(
        host: String, path: String, headers: [HTTPHeader] = [], to output: inout [UInt8]
    ) {
        output.append(contentsOf: "GET ".utf8)
        for byte in path.utf8 {
            if byte > 0x20, byte < 0x7F {
                output.append(byte)
            } else {
                let digits = String(byte, radix: 16, uppercase: true)
                output.append(contentsOf: ((byte < 16 ? "%0" : "%") + digits).utf8)
            }
        }
        output.append(contentsOf: " HTTP/1.1\r\n".utf8)
        HTTPResponse.append(HTTPHeader("Host", host), to: &output)
        HTTPResponse.append(HTTPHeader("Upgrade", "websocket"), to: &output)
        HTTPResponse.append(HTTPHeader("Connection", "Upgrade"), to: &output)
        HTTPResponse.append(HTTPHeader("Sec-WebSocket-Key", key), to: &output)
        HTTPResponse.append(
            HTTPHeader("Sec-WebSocket-Version", WebSocketUpgrade.version), to: &output)
        if !subprotocols.isEmpty {
            let offer = subprotocols.joined(separator: ", ")
            HTTPResponse.append(HTTPHeader("Sec-WebSocket-Protocol", offer), to: &output)
        }
        for header in headers { HTTPResponse.append(header, to: &output) }
        output.append(contentsOf: "\r\n".utf8)
    }

    /// Reads the response that begins at `offset`; `bytes` holds all of it that has come so far.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: Int
    ) throws(HTTPError) -> Step {
        while let line = try scanner.nextLine(bytes, from: offset) {
            guard let status else {
                status = try Self.statusLine(ByteRuns.text(bytes, in: line))
                continue
            }
            guard line.isEmpty else {
                try scanner.readHeader(bytes, in: line, to: &headers)
                continue
            }
            let end = offset + scanner.consumed
            guard status == 101 else {
                return Step(end: end, event: .refused(status: status, headers: headers))
            }
            return Step(end: end, event: .accepted(subprotocol: try checkedSubprotocol()))
        }
        return Step(end: offset, event: .incomplete)
    }

    /// Parses `HTTP-version SP status-code SP [ reason-phrase ]` (RFC 9112, section 4).
    private static func statusLine(_ line: String) throws(HTTPError) -> Int {
        let bytes = Array(line.utf8)
        guard bytes.count >= 12, line.hasPrefix("HTTP/1."), HTTPCharacters.isDigit(bytes[7]),
            bytes[8] == HTTPCharacters.space,
            bytes[9...11].allSatisfy({ HTTPCharacters.isDigit($0) }),
            bytes.count == 12 || bytes[12] == HTTPCharacters.space
        else { throw .malformedStatusLine }
        return bytes[9...11].reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
    }

    /// Checks the headers of a 101 response; the subprotocol that the server chose.
    private func checkedSubprotocol() throws(HTTPError) -> String? {
        guard headers.list("Upgrade", contains: "websocket"),
            headers.list("Connection", contains: "Upgrade"),
            headers["Sec-WebSocket-Accept"] == WebSocketUpgrade.acceptKey(for: key),
            headers.list("Sec-WebSocket-Extensions").isEmpty
        else { throw .badUpgradeResponse }
        let chosen = headers.values("Sec-WebSocket-Protocol")
        guard let first = chosen.first else { return nil }
        guard chosen.count == 1, subprotocols.contains(first) else { throw .badUpgradeResponse }
        return first
    }
}
