import WSFrame

/// What the shell has to do for an echoing connection.
enum EchoAction: Equatable, Sendable {
    /// Nothing more: all bytes are consumed.
    case none
    /// Send bytes of HTTP.
    case head([UInt8])
    /// A whole message has come: send it back.
    case message(WebSocketOpcode, WebSocketPayload)
    /// Answer a ping.
    case pong(WebSocketPayload)
    /// Send a close frame.
    case close(code: UInt16?, reason: String)
}

/// A WebSocket that sends back what it receives, in either role.
///
/// Pure: bytes and instants in, actions out. The shell frames what is sent, because a client's masks
/// come from the random source.
///
///     state       input                      next state
///     handshake   the upgrade, in order      open
///     handshake   anything else, too late    finishing
///     open        close frame                server: finishing, client: waiting; after the echo
///     open        broken protocol            finishing, with a close code
///     open        the peer's end             finishing
///     waiting     the peer's end, time-out   (closed)
///     finishing   everything sent, the peer's end or a time-out    (closed)
struct EchoConnection {
    enum State: UInt8, Equatable, Sendable {
        case handshake, open, waiting, finishing
    }

    private(set) var state = State.handshake
    /// The instant at which the connection is to be closed whatever it does.
    private(set) var deadline: Instant
    /// Whether the peer has ended its sending direction.
    private(set) var hasPeerEnded = false
    /// Why a client's upgrade failed.
    private(set) var refusal: String?

    /// The parser of the opening handshake, as long as that goes on.
    private enum Opening {
        case server(HTTPRequestParser)
        case client(WebSocketClientHandshake)
        case done
    }

    private var opening: Opening
    private var decoder: WebSocketDecoder
    private var handshake: CloseHandshake

    /// Begins with an accepted connection.
    init(limits: WebSocketLimits, now: Instant) {
        opening = .server(HTTPRequestParser())
        decoder = WebSocketDecoder(role: .server, limits: limits)
        handshake = CloseHandshake(role: .server)
        deadline = now + ClientConnection.requestLimit
    }

    /// Begins with a dialled connection on which the client's request is sent.
    init(client: WebSocketClientHandshake, limits: WebSocketLimits, now: Instant) {
        opening = .client(client)
        decoder = WebSocketDecoder(role: .client, limits: limits)
        handshake = CloseHandshake(role: .client)
        deadline = now + ClientConnection.requestLimit
    }

    /// Whether nothing but the sending of what is queued keeps the connection open.
    var isDone: Bool { state == .finishing && hasPeerEnded }

    // MARK: - Input

    /// Consumes bytes of `buffer[offset..<end]` up to the next thing to do; `offset` moves on.
    ///
    /// Call it again until it says ``EchoAction/none``; the bytes from `offset` are to be kept.
    mutating func receive(
        _ buffer: inout [UInt8], from offset: inout Int, to end: Int, now: Instant
    ) -> EchoAction {
        switch state {
        case .handshake:
            switch opening {
            case .server(let parser): return readRequest(parser, buffer, &offset, end, now)
            case .client(let client):
                guard readResponse(client, buffer, &offset, end, now) else { return .none }
                return readFrames(&buffer, &offset, end, now)
            case .done: return .none
            }
        case .open: return readFrames(&buffer, &offset, end, now)
        case .waiting, .finishing:
            offset = end
            return .none
        }
    }

    private mutating func readRequest(
        _ parser: HTTPRequestParser, _ buffer: [UInt8], _ offset: inout Int, _ end: Int,
        _ now: Instant
    ) -> EchoAction {
        var parser = parser
        do throws(HTTPError) {
            let step = try parser.next(buffer.span.extracting(0..<end), from: offset)
            offset = step.end
            guard case .request(let request) = step.event else {
                opening = .server(parser)
                return .none
            }
            return answer(request, now)
        } catch {
            offset = end
            return respond(HTTPResponse(status: error.status, text: error.reason), now)
        }
    }

    private mutating func answer(_ request: HTTPRequest, _ now: Instant) -> EchoAction {
        switch WebSocketUpgrade(request) {
        case .none:
            let header = HTTPHeader("Upgrade", "websocket")
            return respond(
                HTTPResponse(status: 426, headers: [header], text: "this is a WebSocket"), now)
        case .refuse(let status, let headers, let reason):
            return respond(HTTPResponse(status: status, headers: headers, text: reason), now)
        case .accept(let acceptKey, _):
            var head: [UInt8] = []
            WebSocketUpgrade.appendAcceptance(acceptKey: acceptKey, to: &head)
            open()
            return .head(head)
        }
    }

    private mutating func respond(_ response: HTTPResponse, _ now: Instant) -> EchoAction {
        var head: [UInt8] = []
        response.append(to: &head)
        finish(now)
        return .head(head)
    }

    /// Reads the server's answer to the upgrade; returns whether frames follow.
    private mutating func readResponse(
        _ client: WebSocketClientHandshake, _ buffer: [UInt8], _ offset: inout Int, _ end: Int,
        _ now: Instant
    ) -> Bool {
        var client = client
        do throws(HTTPError) {
            let step = try client.next(buffer.span.extracting(0..<end), from: offset)
            offset = step.end
            switch step.event {
            case .incomplete:
                opening = .client(client)
                return false
            case .accepted:
                open()
                return true
            case .refused(let status, _):
                refusal = "the server answered with status \(status)"
            }
        } catch {
            refusal = error.reason
        }
        offset = end
        finish(now)
        return false
    }

    private mutating func readFrames(
        _ buffer: inout [UInt8], _ offset: inout Int, _ end: Int, _ now: Instant
    ) -> EchoAction {
        while true {
            do throws(WebSocketError) {
                let step = try decoder.next(&buffer, from: offset, to: end)
                offset = step.end
                switch step.event {
                case .incomplete: return .none
                case .text(let payload): return .message(.text, payload)
                case .binary(let payload): return .message(.binary, payload)
                case .ping(let payload): return .pong(payload)
                case .pong: continue
                case .close(let code, _): return closed(handshake.received(code: code), now)
                }
            } catch {
                offset = end
                return closed(handshake.fail(error), now, reason: error.reason)
            }
        }
    }

    private mutating func closed(
        _ action: CloseHandshake.Action, _ now: Instant, reason: String = ""
    ) -> EchoAction {
        switch action {
        case .sendAndWait(let code):
            state = .waiting
            deadline = now + ClientConnection.closeLimit
            return .close(code: code, reason: reason)
        case .sendAndEnd(let code), .send(let code):
            finish(now)
            return .close(code: code, reason: reason)
        case .none, .wait, .end:
            finish(now)
            return .none
        }
    }

    /// The peer has ended its sending direction; what is queued is still sent.
    mutating func endOfStream(now: Instant) {
        hasPeerEnded = true
        _ = handshake.transportEnded()
        if state != .finishing { finish(now) }
    }

    // MARK: - States

    private mutating func open() {
        opening = .done
        state = .open
        deadline = .never
    }

    private mutating func finish(_ now: Instant) {
        opening = .done
        state = .finishing
        deadline = now + ClientConnection.lingerLimit
    }
}
