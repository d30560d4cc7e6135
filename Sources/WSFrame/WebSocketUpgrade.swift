/// What a server answers to a request, as far as the WebSocket upgrade goes (RFC 6455, section 4.2).
public enum WebSocketUpgrade: Sendable, Equatable {
    /// The request asks for no upgrade to a WebSocket.
    case none
    /// The request is a proper upgrade: the value for Sec-WebSocket-Accept, and the subprotocols
    /// that the client offers, in its order of preference.
    case accept(acceptKey: String, offeredSubprotocols: [String])
    /// The request asks for an upgrade, wrongly; answer with this status and these headers.
    case refuse(status: Int, headers: [HTTPHeader], reason: String)

    /// The version of the protocol that is spoken here (RFC 6455, section 4.1).
    public static let version = "13"

    /// Judges a request. Host and path, and the origin, are for the caller to judge.
    public init(_ request: HTTPRequest) {
        let headers = request.headers
        // HTTP/1.0 has no upgrades, whatever its headers say (RFC 9110, section 7.8).
        guard request.minorVersion > 0, headers.list("Upgrade", contains: "websocket"),
            headers.list("Connection", contains: "Upgrade")
        else {
            self = .none
            return
        }
        guard request.method == "GET" else {
            self = .refuse(
                status: 405, headers: [HTTPHeader("Allow", "GET")], reason: "method is not GET")
            return
        }
        guard !request.hasBody else {
            self = .refuse(status: 400, headers: [], reason: "upgrade request has a body")
            return
        }
        guard headers["Sec-WebSocket-Version"] == Self.version else {
            let answer = [
                HTTPHeader("Upgrade", "websocket"),
                HTTPHeader("Sec-WebSocket-Version", Self.version),
            ]
            self = .refuse(status: 426, headers: answer, reason: "unsupported WebSocket version")
            return
        }
        guard let key = headers["Sec-WebSocket-Key"], Base64.isNonceOf16Bytes(key) else {
            self = .refuse(status: 400, headers: [], reason: "bad Sec-WebSocket-Key")
            return
        }
        let offered = headers.list("Sec-WebSocket-Protocol")
        guard offered.allSatisfy({ HTTPCharacters.isToken($0) }),
            Set(offered).count == offered.count
        else {
            self = .refuse(status: 400, headers: [], reason: "bad Sec-WebSocket-Protocol")
            return
        }
        guard WebSocketExtensions.areWellFormed(headers.values("Sec-WebSocket-Extensions")) else {
            self = .refuse(status: 400, headers: [], reason: "bad Sec-WebSocket-Extensions")
            return
        }
        self = .accept(acceptKey: Self.acceptKey(for: key), offeredSubprotocols: offered)
    }

    /// The value for Sec-WebSocket-Accept that answers a Sec-WebSocket-Key (section 4.2.2).
    public static func acceptKey(for key: String) -> String {
        Base64.encode(SHA1.digest(Array((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)))
    }

    /// Appends the head of the 101 response. No extension is ever accepted.
    public static func appendAcceptance(
        acceptKey: String, subprotocol: String? = nil, to output: inout [UInt8]
    ) {
        HTTPResponse.appendStatusLine(101, to: &output)
        HTTPResponse.append(HTTPHeader("Upgrade", "websocket"), to: &output)
        HTTPResponse.append(HTTPHeader("Connection", "Upgrade"), to: &output)
        HTTPResponse.append(HTTPHeader("Sec-WebSocket-Accept", acceptKey), to: &output)
        if let subprotocol {
            HTTPResponse.append(HTTPHeader("Sec-WebSocket-Protocol", subprotocol), to: &output)
        }
        output.append(contentsOf: "\r\n".utf8)
    }
}
