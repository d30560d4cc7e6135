import RESP

/// What a link to Redis is for.
enum LinkPurpose: Equatable, Sendable {
    /// Receives the messages of one channel.
    case subscription(channel: [UInt8])
    /// Tells whether Redis answers, at start and for `/ready`; it subscribes to nothing.
    case probe
}

/// What the shell has to do for a link.
enum LinkAction: Equatable, Sendable {
    /// Nothing more: all bytes are consumed.
    case none
    /// Look the host name up.
    case resolve(host: String, port: UInt16)
    /// Begin a connection to this address.
    case dial(SocketAddress)
    /// The subscription is acknowledged (a probe: Redis has answered): the link is live.
    case live
    /// Pass on a message; the range is that of its payload in the buffer.
    case message(payload: Range<Int>)
    /// A payload of this many bytes was over the limit and has been skipped.
    case oversized(length: Int)
    /// The subscription has ended as it was asked to: close the connection.
    case unsubscribed
    /// Close the connection, then ask ``RedisLink/retry(after:now:)``.
    case failed(LinkFailure)
}

/// What happens after a failure.
enum RetryDecision: Equatable, Sendable {
    /// The link tries again after this wait, as attempt number `attempt`.
    case retry(delay: Nanoseconds, attempt: Int)
    /// As many attempts as allowed have failed.
    case giveUp(attempts: Int)
}

/// One connection to Redis, from the name look-up to the subscription and back again.
///
/// Pure: bytes and instants in, actions and bytes out. The way of a link:
///
///     state          input                        next state
///     waiting        the dial gate opens          resolving, or dialing for a known address
///     resolving      addresses                    dialing
///     dialing        connected                    greeting: HELLO 3 [AUTH …] SETNAME …
///     dialing        refused, another address     dialing
///     greeting       HELLO is not known           greeting in RESP2: AUTH, CLIENT SETNAME
///     greeting       accepted                     selecting: SELECT, SUBSCRIBE (a probe: PING)
///     selecting      acknowledged                 live
///     live           quiet for a ping interval    live, a PING with a nonce is out
///     live           its use is over              unsubscribing: UNSUBSCRIBE
///     unsubscribing  answer, failure or timeout   (closed)
///     any other      failure or timeout           backingOff, or givenUp
///     backingOff     the delay is over            waiting
///
/// Idle is not stalled: only a command that is not answered in time ends a link, and any byte
/// received counts as life (I5).
struct RedisLink: ~Copyable {
    /// The longest wait for a TCP connection.
    static let dialLimit = Nanoseconds.seconds(5)
    /// The longest wait for the answer of a name look-up.
    static let lookUpLimit = Nanoseconds.seconds(10)
    /// The name that the link goes by in `CLIENT LIST`.
    static let clientName = "status2"

    enum State: Equatable, Sendable {
        case waiting, resolving, dialing, greeting, live, unsubscribing, backingOff, givenUp
    }

    /// A command whose answer is awaited; answers come in the order of the commands.
    enum Command: UInt8, Sendable {
        case hello, auth, setName, select, subscribe, ping, unsubscribe

        var name: String {
            switch self {
            case .hello: "HELLO"
            case .auth: "AUTH"
            case .setName: "CLIENT SETNAME"
            case .select: "SELECT"
            case .subscribe: "SUBSCRIBE"
            case .ping: "PING"
            case .unsubscribe: "UNSUBSCRIBE"
            }
        }

        /// The command that is sent, and therefore answered, behind this one.
        func next(for link: borrowing RedisLink) -> Command? {
            switch self {
            case .hello: link.target.database == 0 ? Command.select.next(for: link) : .select
            case .auth: .setName
            case .setName: Command.hello.next(for: link)
            case .select: link.purpose == .probe ? .ping : .subscribe
            case .subscribe, .ping, .unsubscribe: nil
            }
        }
    }

    let purpose: LinkPurpose
    private let configuration: SharedSettings
    private(set) var state = State.waiting
    /// How many attempts have failed since a subscription was last acknowledged.
    private(set) var failedAttempts = 0
    /// How often a connection was begun.
    private(set) var dials = 0

    private var backoff: Backoff
    private var parser: PubSubParser
    private var addresses: [SocketAddress] = []
    private var awaited: Command?
    private var isRESP3 = true
    private var pingNonce: UInt64 = 0
    /// When the last byte came from Redis.
    private(set) var lastByteAt = Instant.never
    /// When the present state, or the awaited command, is given up.
    private var stateDeadline = Instant.never

    init(purpose: LinkPurpose, configuration: SharedSettings, seed: UInt64) {
        self.purpose = purpose
        self.configuration = configuration
        backoff = Backoff(seed: seed)
        pingNonce = seed
        parser = Self.makeParser(configuration.settings)
    }

    private static func makeParser(_ settings: Settings) -> PubSubParser {
        PubSubParser(limits: RESPLimits(payloadSize: settings.maxPayloadSize))
    }

    private var settings: Settings { configuration.settings }
    fileprivate var target: RedisTarget { configuration.settings.redis }

    var isLive: Bool { state == .live }

    /// Whether the channel's messages come: until Redis says that the subscription has ended.
    private var isReceiving: Bool { state == .live || state == .unsubscribing }

    /// Whether the bytes that are received and not consumed begin with the start of a value.
    var isBetweenValues: Bool { parser.isBetweenValues }

    /// The instant at which ``timedOut(now:output:)`` must be called if nothing comes before.
    var nextDeadline: Instant {
        guard state == .live, awaited == nil else { return stateDeadline }
        return lastByteAt + settings.redisPingInterval
    }

    // MARK: - Making the connection

    /// The dial gate lets the link through.
    mutating func begin(now: Instant) -> LinkAction {
        dials += 1
        parser = Self.makeParser(settings)
        isRESP3 = true
        awaited = nil
        switch target.address {
        case .unix(let path):
            guard let address = SocketAddress(path: path) else {
                return .failed(.network(.noSuchFile))
            }
            return dial([address], now: now)
        case .tcp(let host, let port):
            state = .resolving
            stateDeadline = now + Self.lookUpLimit
            return .resolve(host: host, port: port)
        }
    }

    /// The look-up has ended.
    mutating func resolved(_ resolution: Resolution, now: Instant) -> LinkAction {
        guard state == .resolving else { return .none }
        switch resolution {
        case .addresses(let found): return dial(found, now: now)
        case .failed(let reason): return .failed(.nameLookup(reason))
        }
    }

    /// The dial failed: the next address is tried, if there is one.
    mutating func dialFailed(_ error: SystemError, now: Instant) -> LinkAction {
        guard state == .dialing else { return .none }
        return addresses.isEmpty ? .failed(LinkFailure(error)) : dial(addresses, now: now)
    }

    private mutating func dial(_ candidates: [SocketAddress], now: Instant) -> LinkAction {
        guard let address = candidates.first else { return .failed(.nameLookup("no address")) }
        state = .dialing
        stateDeadline = now + Self.dialLimit
        addresses = Array(candidates.dropFirst())
        return .dial(address)
    }

    /// The connection is made: the greeting goes out.
    mutating func connected(now: Instant, output: inout RESPEncoder) {
        state = .greeting
        addresses = []
        lastByteAt = now
        var hello = ["HELLO", "3"]
        if let password = target.password {
            hello += ["AUTH", target.username ?? "default", password.revealed]
        }
        hello += ["SETNAME", Self.clientName]
        output.command(hello)
        expect(.hello, now: now)
    }

    private mutating func expect(_ command: Command, now: Instant) {
        awaited = command
        let timeout = settings.redisRequestTimeout
        stateDeadline = timeout == .zero ? .never : now + timeout
    }

    // MARK: - Answers

    /// Consumes bytes from `offset` up to the next thing to do; `offset` moves on.
    ///
    /// Call it again until it says ``LinkAction/none``; the bytes from `offset` are to be kept.
    mutating func receive(
        _ bytes: Span<UInt8>, from offset: inout Int, now: Instant, output: inout RESPEncoder
    ) -> LinkAction {
        lastByteAt = now
        if awaited != nil, settings.redisRequestTimeout != .zero {
            stateDeadline = now + settings.redisRequestTimeout
        }
        while true {
            let step: PubSubStep
            do throws(RESPError) {
                step = try parser.next(bytes, from: offset)
            } catch {
                return .failed(.protocolError("\(error)"))
            }
            offset = step.end
            switch step.event {
            case .incomplete:
                return .none
            case .message(_, let payload):
                if isReceiving { return .message(payload: payload) }
            case .oversized(_, let length):
                if isReceiving { return .oversized(length: length) }
            case .subscribed:
                if let action = answered(nil, now: now, output: &output) { return action }
            case .unsubscribed:
                if state == .unsubscribing { return .unsubscribed }
                return .failed(.protocolError("Redis ended the subscription"))
            case .reply(let value):
                if value.kind == .push { continue }
                if let action = answered(value, now: now, output: &output) { return action }
            }
        }
    }

    /// Takes the answer to the awaited command; `reply` is nil for the subscription's push.
    private mutating func answered(
        _ reply: RESPValue?, now: Instant, output: inout RESPEncoder
    ) -> LinkAction? {
        // Only the end of the subscription is still of interest.
        if state == .unsubscribing { return nil }
        guard let command = awaited else {
            // An answer nobody waits for: an error that Redis sends before it closes, for one.
            guard let reply, reply.isError else { return nil }
            return .failed(LinkFailure(reply: reply.string ?? "", to: ""))
        }
        if let reply, reply.isError {
            let text = reply.string ?? ""
            if command == .hello, Self.saysUnknown(text) {
                greetInRESP2(now: now, output: &output)
                return nil
            }
            // The name is for people's eyes; a server that knows no names still serves.
            if command != .setName {
                return .failed(LinkFailure(reply: text, to: command.name))
            }
        }
        if (command == .subscribe) != (reply == nil) {
            return .failed(.protocolError("unexpected answer to \(command.name)"))
        }
        awaited = nil
        if state == .live {
            // The answer to a PING on a quiet link.
            stateDeadline = .never
            return nil
        }
        if let next = command.next(for: self) {
            if command == .hello || command == .setName { sendSelection(&output) }
            expect(next, now: now)
            return nil
        }
        state = .live
        stateDeadline = .never
        failedAttempts = 0
        backoff.reset()
        return .live
    }

    private static func saysUnknown(_ text: String) -> Bool {
        text.hasPrefix("NOPROTO") || text.lowercased().contains("unknown command")
    }

    private mutating func greetInRESP2(now: Instant, output: inout RESPEncoder) {
        isRESP3 = false
        if let password = target.password {
            let user = target.username.map { [$0] } ?? []
            output.command(["AUTH"] + user + [password.revealed])
        }
        output.command(["CLIENT", "SETNAME", Self.clientName])
        expect(target.password == nil ? .setName : .auth, now: now)
    }

    /// Sends what follows the greeting, in one piece.
    private mutating func sendSelection(_ output: inout RESPEncoder) {
        if target.database != 0 { output.command(["SELECT", String(target.database)]) }
        switch purpose {
        case .probe: output.command(["PING"])
        case .subscription(let channel):
            output.command(bytes: [Array("SUBSCRIBE".utf8), channel])
        }
    }

    // MARK: - Ending

    /// Asks Redis to send no more; returns false where there is no subscription to be ended.
    mutating func unsubscribe(now: Instant, output: inout RESPEncoder) -> Bool {
        guard case .subscription(let channel) = purpose, state == .live else { return false }
        state = .unsubscribing
        output.command(bytes: [Array("UNSUBSCRIBE".utf8), channel])
        expect(.unsubscribe, now: now)
        return true
    }

    // MARK: - Time

    /// The deadline has come.
    mutating func timedOut(now: Instant, output: inout RESPEncoder) -> LinkAction {
        guard now >= nextDeadline else { return .none }
        switch state {
        case .waiting, .givenUp:
            return .none
        case .backingOff:
            state = .waiting
            stateDeadline = .never
            return .none
        case .resolving:
            return .failed(.nameLookup("no answer in time"))
        case .dialing:
            return dialFailed(.timedOut, now: now)
        case .greeting, .unsubscribing:
            return .failed(.timeout(command: awaited?.name ?? ""))
        case .live:
            guard awaited == nil else { return .failed(.stalled) }
            pingNonce &+= 1
            output.command(["PING", String(pingNonce, radix: 16)])
            expect(.ping, now: now)
            return .none
        }
    }

    /// Decides what follows a failure; the connection is closed by then.
    ///
    /// `cap` is the number of attempts after which the link is given up, 0 for none.
    mutating func retry(cap: Int, now: Instant) -> RetryDecision {
        failedAttempts += 1
        awaited = nil
        guard cap == 0 || failedAttempts < cap else {
            state = .givenUp
            stateDeadline = .never
            return .giveUp(attempts: failedAttempts)
        }
        let delay = backoff.next(
            base: settings.redisRetryBase, maximum: settings.redisRetryMax)
        state = .backingOff
        stateDeadline = now + delay
        return .retry(delay: delay, attempt: failedAttempts + 1)
    }
}
