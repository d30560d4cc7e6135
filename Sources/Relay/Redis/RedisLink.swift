import RESP

/// One connection to Redis, from the name look-up to the subscription and back again.
///
/// Pure: bytes and instants in, actions and bytes out. The way of a link:
///
///     state          input                        next state
///     waiting        the dial gate opens          resolving, or dialing for a known address
///     resolving      addresses                    dialing
///     dialing        connected                    greeting: HELLO 3 [AUTH …] SETNAME …
///     dialing        connected, with TLS          securing: the handshake
///     securing       the handshake is done        greeting
///     dialing        refused, another address     dialing
///     greeting       HELLO is not known           greeting in RESP2: AUTH, CLIENT SETNAME
///     greeting       accepted                     greeting: SELECT, SUBSCRIBE (a probe: PING)
///     greeting       acknowledged                 live
///     live           quiet for a ping interval    live, a PING with a nonce is out
///     live           its use is over              unsubscribing: UNSUBSCRIBE
///     unsubscribing  answer, failure or timeout   (closed)
///     any other      failure or timeout           backingOff, or givenUp
///     backingOff     the delay is over            waiting
///
/// Where Sentinels are to name the server, a ``SentinelQuery`` comes first, at every attempt:
///
///     waiting        the dial gate opens          resolving a Sentinel's host, dialing it
///     dialing        connected                    asking: [AUTH], SENTINEL GET-MASTER-ADDR-BY-NAME
///     asking         a host and a port            resolving the master's host, dialing it
///     any of these   failure or timeout           resolving the next Sentinel's host
///
/// The greeting then tells whether the server really is the master: a fail-over may be under way.
/// A probe that was quiet for a ping interval asks the Sentinels again in place of Redis, so that a
/// master that was replaced, and lives on, is noticed.
///
/// Idle is not stalled: only a command that is not answered in time ends a link, and any byte
/// received counts as life (I5).
struct RedisLink: ~Copyable {
    /// The longest wait for a TCP connection.
    static let dialLimit = Nanoseconds.seconds(5)
    /// Most addresses of one name that are dialed in an attempt.
    static let addressLimit = 16
    /// The longest that a TLS handshake may take, whatever comes meanwhile.
    static let handshakeLimit = Nanoseconds.seconds(5)
    /// The longest wait for the answer of a name look-up.
    static let lookUpLimit = Nanoseconds.seconds(10)

    enum State: Equatable, Sendable {
        case waiting, resolving, dialing, securing, asking, greeting, live, unsubscribing
        case backingOff, givenUp
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
    /// The address that was last dialed: that of the server where the link is live.
    private(set) var server: SocketAddress?
    private var addresses: ArraySlice<SocketAddress> = []
    private var greeting = Greeting(mustTellRole: false)
    /// Whether a live link awaits the answer to its `PING`.
    private var isPinging = false
    private var pingNonce: UInt64 = 0
    /// The question for the master, until it is answered.
    private var query: SentinelQuery?
    /// The place in the URL of the Sentinel that has named the present server.
    private(set) var namingSentinel: Int?
    /// The present server as that Sentinel named it.
    private(set) var master: SentinelService.Endpoint?
    /// Whether a probe that was live is asking the Sentinels again.
    private var isAskingAgain = false
    /// When the last byte came from Redis.
    private var lastByteAt = Instant.never
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
    private var target: RedisTarget { configuration.settings.redis }

    var isLive: Bool { state == .live }

    /// Whether the channel's messages come: until Redis says that the subscription has ended.
    private var isReceiving: Bool { state == .live || state == .unsubscribing }

    /// Whether Redis is known to answer: a probe that asks the Sentinels again has not failed yet.
    var isAnswering: Bool { isLive || isAskingAgain }

    /// Whether the bytes that are received and not consumed begin with the start of a value.
    var isBetweenValues: Bool { parser.isBetweenValues }

    /// The instant at which ``timedOut(now:output:)`` must be called if nothing comes before.
    var nextDeadline: Instant {
        guard state == .live, !isPinging else { return stateDeadline }
        return lastByteAt + settings.redisPingInterval
    }

    // MARK: - Making the connection

    /// The dial gate lets the link through; `firstSentinel` is the place of the one to ask first.
    mutating func begin(firstSentinel: Int = 0, now: Instant) -> LinkAction {
        dials += 1
        query = nil
        namingSentinel = nil
        switch target.address {
        case .unix(let path):
            guard let address = SocketAddress(path: path) else {
                return .failed(.network(.noSuchFile))
            }
            return dial([address], now: now)
        case .tcp(let host, let port):
            return resolve(host: host, port: port, now: now)
        case .sentinel(let service):
            let query = SentinelQuery(service: service, first: firstSentinel)
            self.query = query
            return resolve(host: query.sentinel.host, port: query.sentinel.port, now: now)
        }
    }

    private mutating func resolve(host: String, port: UInt16, now: Instant) -> LinkAction {
        state = .resolving
        stateDeadline = now + Self.lookUpLimit
        return .resolve(host: host, port: port)
    }

    /// The look-up has ended.
    mutating func resolved(_ resolution: Resolution, now: Instant) -> LinkAction {
        guard state == .resolving else { return .none }
        switch resolution {
        case .addresses(let found): return dial(found.prefix(Self.addressLimit), now: now)
        case .failed(let reason): return failed(.nameLookup(reason), now: now)
        }
    }

    /// The dial failed: the next address is tried, if there is one.
    mutating func dialFailed(_ error: SystemError, now: Instant) -> LinkAction {
        guard state == .dialing else { return .none }
        return addresses.isEmpty
            ? failed(LinkFailure(error), now: now) : dial(addresses, now: now)
    }

    private mutating func dial(_ candidates: ArraySlice<SocketAddress>, now: Instant) -> LinkAction
    {
        guard let address = candidates.first else {
            return failed(.nameLookup("no address"), now: now)
        }
        state = .dialing
        stateDeadline = now + (query == nil ? Self.dialLimit : SentinelQuery.dialLimit)
        addresses = candidates.dropFirst()
        server = address
        return .dial(address)
    }

    /// What follows a failure on the way: the next Sentinel, if one is left to be asked.
    private mutating func failed(_ failure: LinkFailure, now: Instant) -> LinkAction {
        guard query != nil else { return .failed(failure) }
        guard query?.advance(after: failure) == true, let next = query?.sentinel else {
            return .failed(query?.outcome ?? failure)
        }
        return resolve(host: next.host, port: next.port, now: now)
    }

    /// The connection has ended; `error` is nil at the end of the stream.
    ///
    /// `unparsed` is the number of received bytes that are not consumed.
    mutating func lost(_ error: SystemError?, unparsed: Int, now: Instant) -> LinkAction {
        if state == .live, error == nil || error == .connectionReset,
            unparsed > 0 || !parser.isBetweenValues
        {
            return .failed(.outputBuffer)
        }
        guard let error else {
            guard state != .securing else {
                return .failed(.tls("the server closed the connection in the handshake"))
            }
            return failed(.closedByRedis, now: now)
        }
        return failed(error == .timedOut ? .unacknowledged : LinkFailure(error), now: now)
    }

    /// The connection is made: the greeting goes out, or the question to a Sentinel, or the
    /// handshake comes first.
    mutating func connected(now: Instant, output: inout RESPEncoder) -> LinkAction {
        parser = Self.makeParser(settings)
        addresses = []
        guard target.usesTLS, case .tcp(let host, _) = target.address else {
            greet(now: now, output: &output)
            return .none
        }
        state = .securing
        stateDeadline = now + Self.handshakeLimit
        return .secure(host: host)
    }

    /// The TLS handshake is done: the greeting goes out.
    mutating func secured(now: Instant, output: inout RESPEncoder) {
        guard state == .securing else { return }
        greet(now: now, output: &output)
    }

    private mutating func greet(now: Instant, output: inout RESPEncoder) {
        lastByteAt = now
        guard query == nil else { return askSentinel(now: now, output: &output) }
        state = .greeting
        isPinging = false
        greeting = Greeting(mustTellRole: namingSentinel != nil)
        greeting.begin(at: target, output: &output)
        awaitAnswer(now: now)
    }

    private mutating func askSentinel(now: Instant, output: inout RESPEncoder) {
        state = .asking
        let timeout = settings.redisRequestTimeout
        stateDeadline = now + (timeout == .zero ? SentinelQuery.unlimitedAnswerLimit : timeout)
        let username = settings.redisSentinelUsername
        let password = settings.redisSentinelPassword
        query?.ask(username: username, password: password, output: &output)
    }

    private mutating func awaitAnswer(now: Instant) {
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
        heard(now: now)
        while true {
            let step: PubSubStep
            do throws(RESPError) {
                step = try parser.next(bytes, from: offset)
            } catch {
                return failed(.protocolError("\(error)"), now: now)
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
                if state == .asking {
                    if let action = sentinelAnswered(value, now: now) { return action }
                    continue
                }
                if let action = answered(value, now: now, output: &output) { return action }
            }
        }
    }

    private mutating func sentinelAnswered(_ reply: RESPValue, now: Instant) -> LinkAction? {
        switch query?.answered(reply) {
        case .incomplete?, nil: return nil
        case .failed(let failure)?: return failed(failure, now: now)
        case .master(let endpoint)?:
            namingSentinel = query?.index
            master = endpoint
            query = nil
            return resolve(host: endpoint.host, port: endpoint.port, now: now)
        }
    }

    /// Notes that bytes have come, also such of which nothing can be made yet: part of a TLS record.
    mutating func heard(now: Instant) {
        lastByteAt = now
        if state == .greeting || state == .unsubscribing || isPinging { awaitAnswer(now: now) }
    }

    /// Takes an answer; `reply` is nil for the subscription's push.
    private mutating func answered(
        _ reply: RESPValue?, now: Instant, output: inout RESPEncoder
    ) -> LinkAction? {
        switch state {
        case .greeting:
            switch greeting.answered(reply, for: purpose, at: target, output: &output) {
            case .failed(let failure): return .failed(failure)
            case .incomplete:
                awaitAnswer(now: now)
                return nil
            case .accepted:
                becomeLive()
                return .live
            }
        case .live:
            return answeredWhileLive(reply)
        // Only the end of the subscription is still of interest.
        default: return nil
        }
    }

    private mutating func becomeLive() {
        state = .live
        isAskingAgain = false
        stateDeadline = .never
        failedAttempts = 0
        backoff.reset()
    }

    /// Takes the answer to the `PING` on a quiet link, or one that nobody waits for: an error that
    /// Redis sends before it closes, for one.
    private mutating func answeredWhileLive(_ reply: RESPValue?) -> LinkAction? {
        if let reply, reply.isError {
            let failure = LinkFailure(reply: reply.string ?? "", to: isPinging ? "PING" : "")
            // To be refused is to be answered: the link is not stalled.
            guard isPinging, case .noPermission = failure else { return .failed(failure) }
        } else {
            guard isPinging else { return nil }
            guard let reply else { return .failed(.protocolError("unexpected answer to PING")) }
            // In RESP2 a subscriber gets an array of "pong" and the nonce.
            let echo =
                reply.kind == .array
                ? reply.children.dropFirst().first(where: { _ in true }) : reply
            guard echo?.string == pingText else {
                return .failed(.protocolError("the answer to another PING"))
            }
        }
        isPinging = false
        stateDeadline = .never
        return nil
    }

    private var pingText: String { String(pingNonce, radix: 16) }

    // MARK: - Ending

    /// Asks Redis to send no more; returns false where there is no subscription to be ended.
    mutating func unsubscribe(now: Instant, output: inout RESPEncoder) -> Bool {
        guard case .subscription(let channel) = purpose, state == .live else { return false }
        state = .unsubscribing
        output.command(bytes: [Array("UNSUBSCRIBE".utf8), channel])
        awaitAnswer(now: now)
        return true
    }

    // MARK: - Time

    /// The daemon stood still, which is held against no server: an answer that is awaited has its
    /// full time once more (I10).
    mutating func stoodStill(now: Instant) {
        switch state {
        case .greeting, .unsubscribing: awaitAnswer(now: now)
        case .live where isPinging: awaitAnswer(now: now)
        default: break
        }
    }

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
            return failed(.nameLookup("no answer in time"), now: now)
        case .dialing:
            return dialFailed(.timedOut, now: now)
        case .securing:
            return .failed(.timeout(command: "the TLS handshake"))
        case .asking:
            return failed(.timeout(command: "SENTINEL"), now: now)
        case .greeting:
            return .failed(.timeout(command: greeting.awaited.name))
        case .unsubscribing:
            return .failed(.timeout(command: "UNSUBSCRIBE"))
        case .live:
            guard !isPinging else { return .failed(.stalled) }
            if purpose == .probe, namingSentinel != nil {
                state = .waiting
                isAskingAgain = true
                return .none
            }
            pingNonce &+= 1
            output.command(["PING", pingText])
            isPinging = true
            awaitAnswer(now: now)
            return .none
        }
    }

    /// Decides what follows a failure; the connection is closed by then.
    ///
    /// `cap` is the number of attempts after which the link is given up, 0 for none.
    mutating func retry(cap: Int, now: Instant) -> RetryDecision {
        failedAttempts += 1
        isPinging = false
        query = nil
        isAskingAgain = false
        guard cap == 0 || failedAttempts < cap else {
            state = .givenUp
            stateDeadline = .never
            return .giveUp(attempts: failedAttempts)
        }
        let wait = backoff.next(
            base: settings.redisRetryBase, maximum: settings.redisRetryMax)
        state = .backingOff
        stateDeadline = now + wait.delay
        return .retry(wait, failed: failedAttempts)
    }
}
