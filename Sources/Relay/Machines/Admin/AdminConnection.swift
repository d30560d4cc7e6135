import WSFrame

/// What the shell has to do for a connection to the admin listener.
enum AdminAction: Equatable, Sendable {
    /// Nothing more for now.
    case none
    /// Decide what a request gets, then call `respond` or `beginStream`.
    case route(HTTPRequest)
    /// What is queued is the last.
    case finish
    /// What is waited for has not come in time: answer with what there is.
    case timeUp
    /// Close at once.
    case close
}

/// One connection to the admin listener: a request, and its answer or a stream of lines.
///
/// Pure: bytes and instants in, actions and bytes out.
///
///     state       input                         next state
///     request     a whole request               waiting: the shell decides
///     request     ill-formed or too late        finishing, with a status
///     waiting     an answer                     finishing
///     waiting     a stream begins               streaming
///     streaming   the stream ends               finishing
///     finishing   all sent, or the peer's end   (closed)
struct AdminConnection: ~Copyable {
    /// The longest wait for a complete request head.
    static let requestLimit = Nanoseconds.seconds(10)
    /// The longest that an answer may take to leave, and the peer to end after it.
    static let answerLimit = Nanoseconds.seconds(30)

    enum State: UInt8, Equatable, Sendable {
        case request, waiting, streaming, finishing
    }

    private(set) var state = State.request
    private var parser = HTTPRequestParser()
    private var isHead = false
    /// Whether the peer knows chunks; else the stream ends with the connection (HTTP/1.0).
    private var isChunked = true
    private(set) var deadline: Instant

    init(now: Instant) {
        deadline = now + Self.requestLimit
    }

    // MARK: - Input

    /// Consumes bytes of `buffer[offset..<end]`; those from `offset` on are to be kept.
    mutating func receive(
        _ buffer: [UInt8], from offset: inout Int, to end: Int, now: Instant,
        reply: inout [UInt8]
    ) -> AdminAction {
        guard state == .request else {
            // There is one request a connection: what follows it is for nobody.
            offset = end
            return .none
        }
        isHead = HTTPRequestParser.isHead(buffer.span.extracting(offset..<end))
        let step: HTTPRequestStep
        do throws(HTTPError) {
            step = try parser.next(buffer.span.extracting(0..<end), from: offset)
        } catch {
            offset = end
            let refusal = HTTPResponse(status: error.status, text: error.reason + "\n")
            respond(refusal, now: now, reply: &reply)
            return .finish
        }
        offset = step.end
        guard case .request(let request) = step.event else { return .none }
        isChunked = request.minorVersion > 0
        state = .waiting
        deadline = now + Self.answerLimit
        return .route(request)
    }

    /// The answer waits for others, until `limit` at most.
    mutating func wait(until limit: Instant) {
        deadline = limit
    }

    /// The deadline has come.
    func timedOut(now: Instant) -> AdminAction {
        guard now >= deadline else { return .none }
        return state == .waiting ? .timeUp : .close
    }

    // MARK: - Output

    /// Answers the request; the connection ends after it.
    mutating func respond(_ response: HTTPResponse, now: Instant, reply: inout [UInt8]) {
        response.append(to: &reply, includesBody: !isHead)
        state = .finishing
        deadline = now + Self.answerLimit
    }

    /// Begins an answer whose length nobody knows; it may last until `end`.
    mutating func beginStream(until end: Instant, reply: inout [UInt8]) {
        var head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
        head += "Cache-Control: no-store\r\nConnection: close\r\n"
        if isChunked { head += "Transfer-Encoding: chunked\r\n" }
        reply += (head + "\r\n").utf8
        state = .streaming
        deadline = end + Self.answerLimit
    }

    /// Appends lines to the stream (RFC 9112, section 7.1).
    func stream(_ lines: [UInt8], reply: inout [UInt8]) {
        guard state == .streaming, !lines.isEmpty else { return }
        guard isChunked else {
            reply += lines
            return
        }
        reply += (String(lines.count, radix: 16) + "\r\n").utf8
        reply += lines
        reply += "\r\n".utf8
    }

    /// Ends the stream in order: who reads it knows that nothing is missing.
    mutating func endStream(now: Instant, reply: inout [UInt8]) {
        guard state == .streaming else { return }
        if isChunked { reply += "0\r\n\r\n".utf8 }
        state = .finishing
        deadline = now + Self.answerLimit
    }
}
