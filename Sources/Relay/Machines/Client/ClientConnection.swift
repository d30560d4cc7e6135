import WSFrame

/// What the shell has to do for a browser's connection.
enum ClientAction: Equatable, Sendable {
    /// Nothing more: all bytes are consumed.
    case none
    /// Decide what a request gets, then call `respond` or `upgrade`.
    case route(HTTPRequest)
    /// A text message that is not JSON was ignored: count it.
    case ignoredMalformedMessage
    /// What is queued is the last: send it, end the sending direction, wait for the peer's end.
    case finish(ClientEnd)
    /// Close at once.
    case abort(ClientEnd)
}

/// One browser's connection, from the HTTP request to the closed WebSocket.
///
/// Pure: bytes and instants in, actions and bytes out. The way of a connection:
///
///     state       input                               next state
///     request     a whole request                     (the router decides)
///     request     an answer                           finishing
///     request     an upgrade                          opening: the subscription is awaited
///     request     ill-formed, too long, too late      finishing, with a status
///     opening     subscribed, or waited long enough   open: 101, and the first ping if subscribed
///     open        close frame                         finishing, after the echo
///     open        hangup, pong time-out, …            closing: our close frame is out
///     open        broken protocol                     finishing, with a close code
///     closing     close frame, end, time-out          finishing
///     finishing   everything sent, the peer's end     (closed)
///
/// The first ping says that the stream is live: none goes out before the subscription is
/// acknowledged (I2).
struct ClientConnection: ~Copyable {
    /// The longest wait for a complete request head.
    static let requestLimit = Nanoseconds.seconds(10)
    /// The longest wait for the peer's close frame after ours.
    static let closeLimit = Nanoseconds.seconds(5)
    /// The longest wait for the peer's end of the stream after our last byte.
    static let lingerLimit = Nanoseconds.seconds(2)
    /// The wait for the subscription where Redis has no time limit of its own.
    static let unlimitedOpeningLimit = Nanoseconds.seconds(5)
    /// The messages that may come at once: those of so long a time at the permitted rate. A stall
    /// of the network, after which they come together, is not held against a browser.
    static let messageBurst = Nanoseconds.seconds(5)

    enum State: UInt8, CaseIterable, Sendable {
        case request, opening, open, closing, finishing
    }

    private(set) var state = State.request
    /// The channel, once the upgrade is under way.
    private(set) var channel: ChannelName?
    /// Whether the subscription was acknowledged at least once.
    private(set) var isLive = false

    private var configuration: SharedSettings
    /// What reads the request; most connections are WebSockets for most of their time.
    private var parser: RequestParser?
    private var acceptKey = ""
    private var decoder: WebSocketDecoder
    private var messageRate: TokenBucket
    private var handshake = CloseHandshake(role: .server)
    /// When the heartbeat that waits for its pong went out.
    private var pingedAt = Instant.never
    /// The time from the last answered heartbeat to its pong; nil before the first.
    private(set) var heartbeatRoundTrip: Nanoseconds?
    /// Whether it is to be taken still.
    private var hasNewRoundTrip = false
    /// Whether the answer goes without its body, as to HEAD (RFC 9110, section 9.3.2).
    private var isHead = false
    private var phase: HeartbeatPhase
    private var stateDeadline: Instant
    private var pingDeadline = Instant.never
    private var idleDeadline = Instant.never
    /// Whether the daemon stood still since the browser was last heard, so that it is asked again
    /// before it is given up.
    private var isAskedAgain = false
    /// Why the connection ends: the first reason given stays.
    private var cause: ClientEnd?
    private var hasPeerEnded = false
    /// Whether any byte of the request has come.
    private var hasRequestBegun = false

    /// Begins with an accepted connection; the seed is random and spreads the heartbeats.
    init(configuration: SharedSettings, seed: UInt64, now: Instant) {
        self.configuration = configuration
        phase = HeartbeatPhase(interval: configuration.settings.pingInterval, seed: seed)
        var limits = HTTPLimits()
        // A page's cookies may fill the whole head with one line.
        limits.maxLineLength = limits.maxHeadLength
        parser = RequestParser(HTTPRequestParser(limits: limits))
        decoder = WebSocketDecoder(
            role: .server,
            limits: WebSocketLimits(maxMessageSize: configuration.settings.maxMessageSize))
        messageRate = TokenBucket(
            ratePerSecond: configuration.settings.maxMessageRate, burst: Self.messageBurst)
        stateDeadline = now + Self.requestLimit
    }

    private var settings: Settings { configuration.settings }

    /// Takes up other settings: the cadence and the time-out of heartbeats, for which a page has the
    /// full new time. Limits of messages stay those that the connection began with.
    mutating func adopt(_ configuration: SharedSettings, now: Instant, seed: UInt64) {
        let former = settings
        self.configuration = configuration
        if former.pingInterval != settings.pingInterval {
            phase = HeartbeatPhase(interval: settings.pingInterval, seed: seed)
            if pingDeadline < .never {
                pingDeadline = phase.next(after: now, interval: settings.pingInterval)
            }
        }
        if former.pongTimeout != settings.pongTimeout, idleDeadline < .never {
            idleDeadline = now + settings.pongTimeout
        }
    }

    /// Whether frames may be queued for the browser.
    var takesMessages: Bool { state == .open && handshake.maySend }

    /// Whether bytes from the peer are wanted now; early frames, and what comes behind a request
    /// that is not answered yet, wait in the kernel.
    var wantsInput: Bool { !isPaused && !hasPeerEnded }

    /// Whether the request has come and its answer or the upgrade is not complete.
    var isPaused: Bool { state == .opening || state == .request && parser == nil }

    /// Whether nothing but the sending of what is queued keeps the connection open.
    var isDone: Bool { state == .finishing && hasPeerEnded }

    /// The instant at which ``timedOut(now:reply:)`` must be called if nothing comes before.
    var nextDeadline: Instant { min(stateDeadline, min(pingDeadline, idleDeadline)) }

    /// The time from a heartbeat to its pong, once after each pong.
    mutating func takeRoundTrip() -> Nanoseconds? {
        guard hasNewRoundTrip else { return nil }
        hasNewRoundTrip = false
        return heartbeatRoundTrip
    }

    // MARK: - Input

    /// Consumes bytes of `buffer[offset..<end]` up to the next thing to do; `offset` moves on.
    ///
    /// Call it again until it says ``ClientAction/none``; the bytes from `offset` are to be kept.
    mutating func receive(
        _ buffer: inout [UInt8], from offset: inout Int, to end: Int, now: Instant,
        reply: inout [UInt8]
    ) -> ClientAction {
        switch state {
        case .request: return receiveRequest(buffer, from: &offset, to: end, now: now, &reply)
        case .opening: return .none
        case .open, .closing:
            return receiveFrames(&buffer, from: &offset, to: end, now: now, &reply)
        case .finishing:
            offset = end
            return .none
        }
    }

    private mutating func receiveRequest(
        _ buffer: [UInt8], from offset: inout Int, to end: Int, now: Instant,
        _ reply: inout [UInt8]
    ) -> ClientAction {
        guard parser != nil else { return .none }
        hasRequestBegun = true
        let step: HTTPRequestStep
        isHead = HTTPRequestParser.isHead(buffer.span.extracting(offset..<end))
        do throws(HTTPError) {
            guard
                let next = try parser?.parser.next(buffer.span.extracting(0..<end), from: offset)
            else { return .none }
            step = next
        } catch {
            let bad = badRequest(error, buffer.span.extracting(offset..<end))
            offset = end
            HTTPResponse(status: error.status, text: error.reason)
                .append(to: &reply, includesBody: !isHead)
            return finish(.badRequest(bad), now: now)
        }
        offset = step.end
        guard case .request(let request) = step.event else { return .none }
        parser = nil
        stateDeadline = now + Self.requestLimit
        return .route(request)
    }

    /// What the log is told of a head that is refused; `head` are its bytes so far.
    private func badRequest(_ error: HTTPError, _ head: Span<UInt8>) -> BadRequest {
        BadRequest(
            error: error, foreign: ForeignProtocol(head),
            request: parser?.parser.begun.map { RefusedRequest($0) }
                ?? RefusedRequest(malformedHead: head))
    }

    private mutating func receiveFrames(
        _ buffer: inout [UInt8], from offset: inout Int, to end: Int, now: Instant,
        _ reply: inout [UInt8]
    ) -> ClientAction {
        while true {
            let step: WebSocketStep
            do throws(WebSocketError) {
                step = try decoder.next(&buffer, from: offset, to: end)
            } catch {
                offset = end
                return failed(error, now: now, &reply)
            }
            offset = step.end
            switch step.event {
            case .incomplete:
                return .none
            case .close(let code, _):
                return closed(by: handshake.received(code: code), now: now, &reply)
            case .text, .binary, .ping, .pong: break
            }
            guard messageRate.take(now: now) else { return tooManyMessages(now: now, &reply) }
            guard handshake.mayReceive else { continue }
            switch step.event {
            case .text(let payload):
                let message = payload.withSpan(in: buffer) { ClientMessage($0) }
                if !received(message, now: now, &reply) { return .ignoredMalformedMessage }
            case .ping(let payload):
                payload.withSpan(in: buffer) { FrameEncoder.append(.pong, $0, to: &reply) }
            case .binary, .pong, .incomplete, .close: break
            }
        }
    }

    /// Returns false for a message that is ignored because it is malformed.
    private mutating func received(
        _ message: ClientMessage, now: Instant, _ reply: inout [UInt8]
    ) -> Bool {
        switch message {
        case .initialize:
            heard(now: now)
            // Before the stream is live the ping that says so is still to come (I2).
            if isLive { ping(now: now, &reply) }
        case .pong:
            heard(now: now)
            if pingedAt != .never {
                heartbeatRoundTrip = now - pingedAt
                hasNewRoundTrip = true
                pingedAt = .never
            }
        case .unknown: break
        case .malformed: return false
        }
        return true
    }

    private mutating func heard(now: Instant) {
        idleDeadline = now + settings.pongTimeout
        isAskedAgain = false
    }

    /// Nothing of what follows is looked at any more: a flood is not waited for.
    private mutating func tooManyMessages(
        now: Instant, _ reply: inout [UInt8]
    ) -> ClientAction {
        if case .send(let code) = handshake.close(code: WebSocketCloseCode.policyViolation) {
            FrameEncoder.appendClose(
                code: code, reason: ClientEnd.messageRate.closeReason, to: &reply)
        }
        return finish(.messageRate, now: now)
    }

    private mutating func failed(
        _ error: WebSocketError, now: Instant, _ reply: inout [UInt8]
    ) -> ClientAction {
        let end = ClientEnd.protocolError(code: error.closeCode, reason: error.reason)
        if case .sendAndEnd(let code) = handshake.fail(error) {
            FrameEncoder.appendClose(code: code, reason: error.reason, to: &reply)
        }
        return finish(end, now: now)
    }

    private mutating func closed(
        by action: CloseHandshake.Action, now: Instant, _ reply: inout [UInt8]
    ) -> ClientAction {
        switch action {
        case .sendAndEnd(let code), .send(let code), .sendAndWait(let code):
            FrameEncoder.appendClose(code: code, to: &reply)
        case .end, .wait, .none: break
        }
        return finish(.closedByClient(code: handshake.code), now: now)
    }

    /// The peer has ended its sending direction.
    mutating func endOfStream() -> ClientAction {
        hasPeerEnded = true
        if state == .finishing { return .none }
        _ = handshake.transportEnded()
        return abort(.vanished)
    }

    // MARK: - Output

    /// Answers the request; the connection ends after it.
    mutating func respond(
        _ response: HTTPResponse, now: Instant, reply: inout [UInt8]
    ) -> ClientAction {
        response.append(to: &reply, includesBody: !isHead)
        return finish(.answered(status: response.status), now: now)
    }

    /// Accepts the upgrade; the `101` waits for the subscription.
    mutating func upgrade(to channel: ChannelName, acceptKey: String, now: Instant) {
        self.channel = channel
        self.acceptKey = acceptKey
        state = .opening
        stateDeadline = now + Self.openingLimit(settings)
    }

    /// The longest wait of an upgrade for its subscription.
    static func openingLimit(_ settings: Settings) -> Nanoseconds {
        let timeout = settings.redisRequestTimeout
        return timeout == .zero ? unlimitedOpeningLimit : timeout
    }

    /// The subscription is acknowledged, for the first time or again after an outage; the first ping
    /// tells a page that can resume where the stream is.
    ///
    /// What it cannot have is told before, in `notice`: a page whose connection ends between the two
    /// must not take that place for its own and never hear of its loss.
    mutating func subscribed(
        at position: StreamPosition? = nil, behind notice: [UInt8] = [], now: Instant,
        reply: inout [UInt8]
    ) {
        if state == .opening { open(now: now, &reply) }
        guard takesMessages, !isLive else { return }
        isLive = true
        reply += notice
        ping(at: position, now: now, &reply)
        idleDeadline = now + settings.pongTimeout
        pingDeadline = phase.next(after: now, interval: settings.pingInterval)
    }

    private mutating func ping(
        at position: StreamPosition? = nil, now: Instant, _ reply: inout [UInt8]
    ) {
        reply += position.map(StatusFrame.ping) ?? StatusFrame.ping
        pingedAt = now
    }

    private mutating func open(now: Instant, _ reply: inout [UInt8]) {
        WebSocketUpgrade.appendAcceptance(acceptKey: acceptKey, to: &reply)
        acceptKey = ""
        state = .open
        stateDeadline = .never
        idleDeadline = now + settings.pongTimeout
    }

    /// Ends the WebSocket from this side, with or without a `hangup` before the close frame.
    mutating func close(
        code: UInt16, because cause: ClientEnd, sendsHangup: Bool, now: Instant,
        reply: inout [UInt8]
    ) {
        if state == .opening { open(now: now, &reply) }
        guard state == .open, case .send(let sent) = handshake.close(code: code) else { return }
        self.cause = cause
        if sendsHangup { reply += StatusFrame.hangup }
        FrameEncoder.appendClose(code: sent, reason: cause.closeReason, to: &reply)
        state = .closing
        stateDeadline = now + Self.closeLimit
        pingDeadline = .never
        idleDeadline = .never
    }

    private mutating func finish(_ end: ClientEnd, now: Instant) -> ClientAction {
        let end = cause ?? end
        cause = end
        state = .finishing
        parser = nil
        stateDeadline = now + Self.lingerLimit
        pingDeadline = .never
        idleDeadline = .never
        return .finish(end)
    }

    private func abort(_ end: ClientEnd) -> ClientAction {
        .abort(cause ?? end)
    }

    // MARK: - Time

    /// The daemon stood still for so long, which is held against no browser (I10).
    mutating func stoodStill(for span: Nanoseconds, now: Instant) {
        messageRate.allow(span)
        guard state == .open else { return }
        isAskedAgain = true
    }

    /// The deadline has come.
    mutating func timedOut(now: Instant, reply: inout [UInt8]) -> ClientAction {
        if now >= stateDeadline {
            switch state {
            case .request: return requestTimedOut(now: now, &reply)
            case .opening: open(now: now, &reply)
            case .closing, .finishing: return abort(.vanished)
            case .open: break
            }
        }
        // Who was not pinged had nothing to answer (I2).
        if now >= idleDeadline, isAskedAgain || !isLive {
            heard(now: now)
            if isLive { ping(now: now, &reply) }
            return .none
        }
        if now >= idleDeadline {
            close(
                code: WebSocketCloseCode.policyViolation, because: .pongTimeout,
                sendsHangup: false, now: now, reply: &reply)
            return .none
        }
        beat(now: now, reply: &reply)
        return .none
    }

    /// Sends the heartbeat, if it is due.
    mutating func beat(now: Instant, reply: inout [UInt8]) {
        guard now >= pingDeadline else { return }
        ping(now: now, &reply)
        pingDeadline = phase.next(after: now, interval: settings.pingInterval)
    }

    /// A browser opens connections ahead of need: one that has asked for nothing is not answered.
    private mutating func requestTimedOut(
        now: Instant, _ reply: inout [UInt8]
    ) -> ClientAction {
        guard hasRequestBegun else { return abort(.requestTimeout(nil, isAnswered: false)) }
        let request = parser?.parser.begun.map { RefusedRequest($0) }
        HTTPResponse(status: 408, text: "no whole request in time")
            .append(to: &reply, includesBody: !isHead)
        return finish(.requestTimeout(request, isAnswered: true), now: now)
    }
}

/// The parser of a request, as an object that takes no room in a connection that needs it no more.
private final class RequestParser {
    var parser: HTTPRequestParser

    init(_ parser: HTTPRequestParser) { self.parser = parser }
}
