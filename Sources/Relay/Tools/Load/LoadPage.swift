import WSFrame

/// What the shell has to do for a page, or has to count.
enum LoadPageAction: Equatable {
    /// Nothing more: all bytes are consumed.
    case none
    /// The WebSocket is open: send `init`.
    case opened
    /// A ping has come: answer it, and count its lateness unless it is the first one.
    case ping(lateness: Nanoseconds?)
    /// The first ping of a connection has come: answer it; the stream is live from now on.
    case live
    /// A message of the channel.
    case message(LoadPayload?)
    /// A gap or outage notice, or something unknown.
    case notice(LoadMessage)
    /// Answer a ping of the protocol.
    case pong(WebSocketPayload)
    /// The relay has answered the page's subscription: the stream is live from now on.
    case acknowledged
    /// Send a close frame; the relay closes.
    case close(code: UInt16?)
    /// The connection is of no use: close it.
    case fail(String)
}

/// What pages and the relay say to each other.
public enum LoadDialect: String, Sendable, CaseIterable {
    /// This daemon's messages: `init`, heartbeats and their answers, `status`.
    case status
    /// Text messages with the payload somewhere in them, as other relays send them, and no heartbeats.
    case plain
}

/// When a page whose connection has ended comes back.
public enum ReturnPolicy: String, Sendable, CaseIterable {
    /// Never.
    case none
    /// As the deployed script does: after 1.5 s, doubling to 15 s, from the start again once open.
    case script
    /// After 50 to 500 ms, drawn each time.
    case fast
}

/// A browser's page as the deployed script is: it sends `init` at open, answers a ping by a pong,
/// takes `hangup` for the end, and comes back after any other close.
///
/// Pure: bytes and instants in, actions out. The shell frames what is sent.
///
///     state      input                          next state
///     waiting    the time to dial               dialing
///     dialing    connected                      opening
///     opening    101                            open
///     opening    anything else, too late        waiting or gone
///     open       close frame                    closing
///     any        end, reset, time-out           waiting or gone
struct LoadPage {
    enum State: UInt8, Equatable {
        case waiting, dialing, opening, open, closing, gone
    }

    /// The longest time for dial and upgrade.
    static let openLimit = Nanoseconds.seconds(30)
    /// The longest wait for the relay's end after the close frames.
    static let closeLimit = Nanoseconds.seconds(5)
    /// The script's first and longest wait.
    static let scriptWaits = (first: Nanoseconds.milliseconds(1500), last: Nanoseconds.seconds(15))
    static let fastWaits = Nanoseconds.milliseconds(50).count...Nanoseconds.milliseconds(500).count
    /// The longest message that a page takes; the daemon's own limit for a payload is 16 MiB.
    static let limits = WebSocketLimits(maxMessageSize: 128 << 20)

    private(set) var state = State.waiting
    /// When the state ends by itself: time to dial, or time-out.
    private(set) var deadline: BootTime
    /// When the present connection was meant to begin.
    private(set) var dialDue: BootTime
    /// Whether the first ping of the present connection has come.
    private(set) var isLive = false
    /// When the stream was lost; nil while it is live, and before it first was.
    private(set) var lostAt: BootTime?
    /// Whether `hangup` has come: the page does not come back.
    private(set) var isHungUp = false
    /// The code of the close frame that has come.
    private(set) var closeCode: UInt16?
    private(set) var heartbeat: HeartbeatCheck

    /// Whether the connection has been found to be of no use.
    private var hasFailed = false
    private let policy: ReturnPolicy
    private let dialect: LoadDialect
    private var nextWait = scriptWaits.first
    private var upgrade: WebSocketClientHandshake?
    private var decoder = WebSocketDecoder(role: .client, limits: limits)
    private var handshake = CloseHandshake(role: .client)

    /// A page that is to connect at `dialDue`.
    init(
        dialDue: BootTime, pingInterval: Nanoseconds, policy: ReturnPolicy,
        dialect: LoadDialect = .status
    ) {
        self.dialDue = dialDue
        self.dialect = dialect
        deadline = dialDue
        heartbeat = HeartbeatCheck(interval: pingInterval)
        self.policy = policy
    }

    /// Whether the connection is made, or being made.
    var isConnected: Bool { state != .waiting && state != .gone }

    // MARK: - Opening

    /// Begins to connect; the request is to be sent when the dial has succeeded.
    mutating func dial(_ upgrade: WebSocketClientHandshake, now: BootTime) {
        self.upgrade = upgrade
        decoder = WebSocketDecoder(role: .client, limits: Self.limits)
        handshake = CloseHandshake(role: .client)
        closeCode = nil
        hasFailed = false
        state = .dialing
        deadline = now + Self.openLimit
    }

    /// The dial has succeeded and the request is sent.
    mutating func connected() {
        state = .opening
    }

    // MARK: - Input

    /// Consumes bytes of `buffer[offset..<end]` up to the next thing to do; `offset` moves on.
    ///
    /// Call it again until it says ``LoadPageAction/none``; the bytes from `offset` are to be kept.
    mutating func receive(
        _ buffer: inout [UInt8], from offset: inout Int, to end: Int, now: BootTime
    ) -> LoadPageAction {
        guard !hasFailed else {
            offset = end
            return .none
        }
        switch state {
        case .opening: return readResponse(buffer, &offset, end)
        case .open: return readFrames(&buffer, &offset, end, now)
        case .waiting, .dialing, .closing, .gone:
            offset = end
            return .none
        }
    }

    private mutating func readResponse(
        _ buffer: [UInt8], _ offset: inout Int, _ end: Int
    ) -> LoadPageAction {
        guard var handshake = upgrade else { return .none }
        do throws(HTTPError) {
            let step = try handshake.next(buffer.span.extracting(0..<end), from: offset)
            offset = step.end
            upgrade = handshake
            switch step.event {
            case .incomplete: return .none
            case .refused(let status, _):
                return fail("status \(status)", &offset, end)
            case .accepted:
                upgrade = nil
                state = .open
                deadline = .never
                nextWait = Self.scriptWaits.first
                return .opened
            }
        } catch {
            return fail(error.reason, &offset, end)
        }
    }

    private mutating func fail(
        _ reason: String, _ offset: inout Int, _ end: Int
    ) -> LoadPageAction {
        hasFailed = true
        offset = end
        return .fail(reason)
    }

    private mutating func readFrames(
        _ buffer: inout [UInt8], _ offset: inout Int, _ end: Int, _ now: BootTime
    ) -> LoadPageAction {
        while true {
            do throws(WebSocketError) {
                let step = try decoder.next(&buffer, from: offset, to: end)
                offset = step.end
                switch step.event {
                case .incomplete: return .none
                case .text(let payload) where dialect == .plain:
                    return takePlain(payload.withSpan(in: buffer) { LoadPayload.find(in: $0) })
                case .text(let payload):
                    return take(payload.withSpan(in: buffer) { LoadMessage($0) }, now)
                case .binary: return .notice(.other)
                case .ping(let payload): return .pong(payload)
                case .pong: continue
                case .close(let code, _):
                    closeCode = code ?? WebSocketCloseCode.noStatus
                    _ = handshake.received(code: code)
                    state = .closing
                    deadline = now + Self.closeLimit
                    return .close(code: code)
                }
            } catch {
                return fail(error.reason, &offset, end)
            }
        }
    }

    private mutating func take(_ message: LoadMessage, _ now: BootTime) -> LoadPageAction {
        switch message {
        case .status(let payload): return .message(payload)
        case .ping:
            let lateness = heartbeat.received(at: now)
            guard !isLive else { return .ping(lateness: lateness) }
            isLive = true
            return .live
        case .hangup:
            isHungUp = true
            return .notice(.hangup)
        case .gap, .outage, .other: return .notice(message)
        }
    }

    /// What is no message of a load tool answers the subscription, the first time.
    private mutating func takePlain(_ payload: LoadPayload?) -> LoadPageAction {
        if payload != nil { return .message(payload) }
        guard !isLive else { return .notice(.other) }
        isLive = true
        return .acknowledged
    }

    /// The relay answers no subscription: the stream is live as soon as the WebSocket is open.
    mutating func goLive() {
        isLive = true
    }

    // MARK: - Ends

    /// The connection has ended, or could not be made; says when the page comes back, if it does.
    mutating func ended(now: BootTime, random: inout SplitMix64) {
        if isLive { lostAt = now }
        isLive = false
        heartbeat.endOfSession()
        upgrade = nil
        guard policy != .none, !isHungUp else {
            state = .gone
            deadline = .never
            return
        }
        state = .waiting
        dialDue = now + wait(&random)
        deadline = dialDue
    }

    private mutating func wait(_ random: inout SplitMix64) -> Nanoseconds {
        if policy == .fast {
            return Nanoseconds(Int64.random(in: Self.fastWaits, using: &random))
        }
        defer { nextWait = min(Self.scriptWaits.last, nextWait * 2) }
        return nextWait
    }

    /// The stream is live again; how long it was not, or nil where it had not been before.
    mutating func returned(now: BootTime) -> Nanoseconds? {
        defer { lostAt = nil }
        return lostAt.map { now - $0 }
    }
}
