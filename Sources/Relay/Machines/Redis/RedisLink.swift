import RESP

/// One connection to Redis, from the name look-up to the subscription and back again.
///
/// Pure: bytes and instants in, actions and bytes out. The way of a link:
///
///     state          input                        next state
///     waiting        the dial gate opens          resolving, or dialing for a known address
///     resolving      addresses                    dialing: an ``AddressRace``
///     dialing        connected                    greeting: HELLO 3 [AUTH …] SETNAME …
///     dialing        connected, with TLS          securing: the handshake
///     securing       the handshake is done        greeting
///     dialing        refused, or 250 ms           dialing the next address too
///     greeting       HELLO is refused             greeting in RESP2: AUTH, CLIENT SETNAME
///     greeting       closed at HELLO              dialing again, then greeting in RESP2
///     greeting       accepted                     greeting: SELECT, SUBSCRIBE
///     greeting       acknowledged                 live
///     live           quiet (``LivenessCheck``)    live, a PING is out (a probe: SUBSCRIBE)
///     live           its use is over              unsubscribing: UNSUBSCRIBE
///     live, shared   pages come and go            live, SUBSCRIBE and UNSUBSCRIBE are out
///     unsubscribing  answer, failure or timeout   (closed)
///     any other      failure or timeout           backingOff, or givenUp
///     backingOff     the delay is over            waiting
///
/// Where Sentinels are to name the server, a ``SentinelQuery`` comes first, at every attempt. In a cluster
/// the shell names the node, as one has told it to a link whose purpose is ``LinkPurpose/topology``
/// (``ClusterInquiry``).
///
/// A probe that ends while it is idle (Redis's `timeout`) answers until it could not be made again.
///
/// Idle is not stalled: only a command that is not answered in time ends a link, and any byte counts
/// as life (I5). So does an error as the answer to `PING`: Redis relays on meanwhile.
struct RedisLink: ~Copyable {
    /// The longest wait for a TCP connection.
    static let dialLimit = Nanoseconds.seconds(5)
    /// How long a probe must have been quiet for its end to be one of idleness.
    static let idleEnd = Nanoseconds.milliseconds(500)
    /// The longest that a TLS handshake may take, whatever comes meanwhile.
    static let handshakeLimit = Nanoseconds.seconds(5)
    /// The longest wait for the answer of a name look-up.
    static let lookUpLimit = Nanoseconds.seconds(10)

    /// How often in a row a link is spared its back-off.
    static let hasteningLimit: UInt8 = 5

    enum State: CaseIterable, Sendable {
        case waiting, resolving, dialing, securing, asking, greeting, live, unsubscribing
        case backingOff, givenUp
    }

    var configuration: SharedSettings
    var state = State.waiting
    /// How many attempts have failed since a subscription was last acknowledged.
    var failedAttempts = 0
    /// How often a connection was begun.
    private(set) var dials = 0

    var backoff: Backoff
    var parser: PubSubParser
    /// The host that was last looked up, with its port.
    private var host = ""
    /// The question where the slots are, of a link that asks it.
    let inquiry: ClusterInquiry?
    /// The node of a cluster that is to be dialed, or was last; or the server that a Sentinel has named.
    var node: RedisEndpoint?
    /// How often the link was spared its back-off since it was last live.
    private var hastenings: UInt8 = 0
    private var namingPlace: UInt8?
    /// The address that was last connected to: that of the server where the link is live.
    private(set) var server: SocketAddress?
    /// What became of addresses, until it is taken.
    private var experiences: [ConnectionHistory.Experience] = []
    private var race = AddressRace()
    var greeting = Greeting(mustTellRole: false)
    /// How the server takes `HELLO`, as far as is known.
    var hello = ConnectionHistory.Hello.unknown
    /// Whether the greeting has been answered at all.
    var hasHeard = false
    /// Whether a probe that was live asks the Sentinels again or makes its connection again.
    var isRenewing = false
    var liveness: LivenessCheck
    var subscription: Subscription
    /// What a shared link has asked for and not been answered.
    var openCommands = OpenCommands()
    /// The question for the master, until it is answered.
    var query: SentinelQuery?
    /// When the present state, or the awaited command, is given up.
    var stateDeadline = Instant.never

    init(purpose: LinkPurpose, configuration: SharedSettings, seed: UInt64) {
        self.configuration = configuration
        subscription = Subscription(purpose: purpose)
        backoff = Backoff(seed: seed)
        liveness = LivenessCheck(
            configuration.settings, isProbe: subscription.isProbe, seed: seed)
        parser = PubSubParser(settings: configuration.settings)
        inquiry = purpose == .topology ? ClusterInquiry(seed: seed) : nil
    }

    var settings: Settings { configuration.settings }
    var target: RedisTarget { configuration.settings.redis }

    /// What the link is for.
    var purpose: LinkPurpose { subscription.purpose }

    /// Whether no page hears anything of it.
    var isProbe: Bool { subscription.isProbe }

    /// The place in the URL of the Sentinel that has named the present server.
    var namingSentinel: Int? {
        get { namingPlace.map(Int.init) }
        set { namingPlace = newValue.map { UInt8(truncatingIfNeeded: $0) } }
    }

    /// The present server as a Sentinel has named it.
    var master: SentinelService.Endpoint? { namingSentinel == nil ? nil : node }

    var isLive: Bool { state == .live }

    /// Whether a live link waits for the answer to its question.
    var isAsking: Bool { state == .live && liveness.isAsking }

    /// Whether an answer is waited for on a live link.
    var isAwaiting: Bool { liveness.isAsking || !openCommands.isEmpty }

    /// Whether the channel's messages come: until Redis says that the subscription has ended.
    var isReceiving: Bool { state == .live || state == .unsubscribing }

    /// Whether Redis is known to take subscriptions: a probe that is renewed has not failed yet.
    var isAnswering: Bool { isLive || isRenewing }

    /// Whether the bytes that are received and not consumed begin with the start of a value.
    var isBetweenValues: Bool { parser.isBetweenValues }

    /// The instant at which ``timedOut(now:output:)`` must be called if nothing comes before.
    var nextDeadline: Instant { min(liveness.doubtAt, answerDeadline) }

    private var answerDeadline: Instant {
        switch state {
        case .live:
            min(
                isAwaiting ? stateDeadline : .never,
                liveness.isAsking
                    ? .never : min(liveness.nextQuestion, inquiry?.nextQuestion ?? .never))
        case .dialing: min(stateDeadline, race.nextBegin)
        default: stateDeadline
        }
    }

    /// Takes what has become of addresses since this was last asked.
    mutating func takeExperiences() -> [ConnectionHistory.Experience] { take(&experiences) }

    mutating func note(_ conduct: ConnectionHistory.Conduct) {
        guard let server, !host.isEmpty else { return }
        experiences.append(.init(host: host, address: server, conduct: conduct))
    }

    // MARK: - Making the connection

    /// The dial gate lets the link through; `configuration` is in force from now on, and
    /// `firstSentinel` is the place of the one to ask first, and `nodes` are those of a cluster that are
    /// dialed until one answers: for a channel the master of its slot.
    mutating func begin(
        configuration: SharedSettings, firstSentinel: Int = 0, nodes: [RedisEndpoint] = [],
        now: Instant
    ) -> LinkAction {
        self.configuration = configuration
        dials += 1
        hello = .unknown
        query = nil
        namingSentinel = nil
        switch target.address {
        case .unix(let path):
            host = ""
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
        case .cluster:
            guard let first = nodes.first else {
                return .failed(.slotUnserved("no master is known"))
            }
            inquiry?.begin(at: nodes)
            return resolve(first, now: now)
        }
    }

    private mutating func resolve(_ node: RedisEndpoint, now: Instant) -> LinkAction {
        self.node = node
        return resolve(host: node.host, port: node.port, now: now)
    }

    mutating func resolve(host: String, port: UInt16, now: Instant) -> LinkAction {
        state = .resolving
        self.host = HostAndPort.bracketed(host) + ":\(port)"
        stateDeadline = now + Self.lookUpLimit
        return .resolve(host: host, port: port)
    }

    /// The look-up has ended; `history` knows which address answered last.
    mutating func resolved(
        _ resolution: Resolution, history: ConnectionHistory, now: Instant
    ) -> LinkAction {
        guard state == .resolving else { return .none }
        switch resolution {
        case .addresses(let found): return dial(history.order(found, of: host), now: now)
        case .failed(let reason): return failed(.nameLookup(reason), now: now)
        }
    }

    /// Begins with the first of the addresses.
    private mutating func dial(_ addresses: [SocketAddress], now: Instant) -> LinkAction {
        race = AddressRace(addresses)
        state = .dialing
        let limit =
            query != nil
            ? SentinelQuery.dialLimit
            : inquiry == nil ? Self.dialLimit : ClusterInquiry.dialLimit
        stateDeadline = now + limit
        guard let address = race.begin(now: now) else {
            return failed(.nameLookup("no address"), now: now)
        }
        return .dial(address)
    }

    /// A dial failed: the next address is tried at once, if there is one.
    mutating func dialFailed(_ error: SystemError, now: Instant) -> LinkAction {
        guard state == .dialing else { return .none }
        race.oneFailed()
        if let address = race.begin(now: now) { return .dial(address) }
        return race.isLost ? failed(LinkFailure(error), now: now) : .none
    }

    /// What follows a failure on the way: the next Sentinel, or the next node of a cluster, if one is left
    /// to be asked.
    mutating func failed(_ failure: LinkFailure, now: Instant) -> LinkAction {
        if inquiry != nil {
            guard inquiry?.advance(after: failure) == true, let next = inquiry?.node else {
                return .failed(inquiry?.outcome ?? failure)
            }
            // One that was live has not failed as long as another node may answer.
            isRenewing = isAnswering
            liveness.end()
            return resolve(next, now: now)
        }
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
        let isEnd = error == nil || error == .connectionReset || error == .brokenPipe
        if isReceiving, isEnd, inquiry == nil, unparsed > 0 || !parser.isBetweenValues {
            return .failed(.outputBuffer)
        }
        if isIdleProbe(now: now) { return renew(now: now) }
        if [.securing, .asking, .greeting].contains(state) { note(.silent) }
        if isAtHello, isEnd, let server {
            hello = .closesConnection
            return dial([server], now: now)
        }
        if isFirstWord, isEnd, !target.usesTLS { return failed(.closedAtGreeting, now: now) }
        if state == .securing, isEnd {
            return failed(.tls("the server closed the connection in the handshake"), now: now)
        }
        guard let error else { return failed(.closedByRedis, now: now) }
        return failed(error == .timedOut ? .unacknowledged : LinkFailure(error), now: now)
    }

    /// Whether an end may mean that the server closes the connection when it is sent `HELLO`: without
    /// a word, or behind its refusal, as some do with any command that they do not know.
    private var isAtHello: Bool {
        guard state == .greeting, hello == .unknown else { return false }
        return isFirstWord && greeting.awaited == .hello || greeting.isRefused
    }

    /// Whether the connection of a probe has ended while nothing was asked.
    private func isIdleProbe(now: Instant) -> Bool {
        guard subscription.isProbe else { return false }
        return state == .waiting && isRenewing
            || isLive && !liveness.isAsking && now - liveness.lastByteAt >= Self.idleEnd
    }

    private mutating func renew(now: Instant) -> LinkAction {
        liveness.doubt(from: now)
        state = .waiting
        stateDeadline = .never
        isRenewing = true
        return .again
    }

    /// The connection is made: the greeting goes out, or the question to a Sentinel, or the
    /// handshake comes first.
    ///
    /// `hello` is what is known of how that server takes `HELLO`.
    mutating func connected(
        to address: SocketAddress, hello: ConnectionHistory.Hello, now: Instant,
        output: inout RESPEncoder
    ) -> LinkAction {
        parser = PubSubParser(settings: settings)
        race = AddressRace()
        // The link itself has just found it out, where it dials once more for that.
        if self.hello != .closesConnection || server != address { self.hello = hello }
        server = address
        guard target.usesTLS, let host = serverName else {
            greet(now: now, output: &output)
            return .none
        }
        state = .securing
        stateDeadline = now + Self.handshakeLimit
        return .secure(host: host)
    }

    /// The name that the server's certificate is to have; nil where it has none.
    private var serverName: String? {
        switch target.address {
        case .tcp(let host, _): host
        case .cluster: node?.host
        case .unix, .sentinel: nil
        }
    }

    /// The TLS handshake is done: the greeting goes out.
    mutating func secured(now: Instant, output: inout RESPEncoder) {
        guard state == .securing else { return }
        greet(now: now, output: &output)
    }

    private mutating func greet(now: Instant, output: inout RESPEncoder) {
        liveness.begin(now: now)
        openCommands.removeAll()
        hasHeard = false
        subscription.isAcknowledged = false
        guard query == nil else { return askSentinel(now: now, output: &output) }
        state = .greeting
        greeting = Greeting(
            mustTellRole: namingSentinel != nil || target.isCluster && inquiry == nil,
            isRESP2: hello == .closesConnection)
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

    mutating func awaitAnswer(now: Instant) {
        let timeout = settings.redisRequestTimeout
        stateDeadline = timeout == .zero ? .never : now + timeout
    }

    // MARK: - Ending

    /// Asks Redis to send no more; false where there is no subscription to be ended.
    mutating func unsubscribe(now: Instant, output: inout RESPEncoder) -> Bool {
        guard case .subscription = purpose, state == .live else { return false }
        state = .unsubscribing
        let verb = target.isCluster ? "SUNSUBSCRIBE" : "UNSUBSCRIBE"
        output.command(bytes: [Array(verb.utf8), subscription.channel])
        awaitAnswer(now: now)
        return true
    }

    // MARK: - Time

    /// The server is suspected: a quiet link is asked within `span`.
    mutating func suspect(within span: Nanoseconds, now: Instant) {
        guard state == .live else { return }
        liveness.suspect(within: span, now: now)
    }

    /// The daemon stood still, which is held against no server: an answer that is awaited has its
    /// full time once more (I10).
    mutating func stoodStill(now: Instant) {
        if liveness.doubtAt != .never { liveness.doubt(from: now) }
        switch state {
        case .greeting, .unsubscribing: awaitAnswer(now: now)
        case .live where isAwaiting: awaitAnswer(now: now)
        default: break
        }
    }

    /// The deadline has come.
    mutating func timedOut(now: Instant, output: inout RESPEncoder) -> LinkAction {
        guard now >= nextDeadline else { return .none }
        if now >= liveness.doubtAt {
            liveness.endDoubt()
            return .suspicious
        }
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
            guard now < stateDeadline else { return failed(.dialTimeout, now: now) }
            return race.begin(now: now).map { .dial($0) } ?? .none
        case .securing:
            note(.silent)
            return failed(.handshakeTimeout, now: now)
        case .asking:
            note(.silent)
            return failed(.timeout(command: "SENTINEL"), now: now)
        case .greeting:
            note(.silent)
            return failed(.timeout(command: greeting.awaited.name), now: now)
        case .unsubscribing:
            return .failed(.timeout(command: "UNSUBSCRIBE"))
        case .live:
            guard !isAwaiting || now < stateDeadline else { return failed(.stalled, now: now) }
            if subscription.isProbe, namingSentinel != nil { return renew(now: now) }
            let wasAwaiting = isAwaiting
            ask(now: now, output: &output)
            if !wasAwaiting { awaitAnswer(now: now) }
            return .none
        }
    }

    /// Decides what follows a failure; the connection is closed by then.
    ///
    /// - Parameters:
    ///   - cap: the number of attempts after which the link is given up, 0 for none.
    ///   - asksForAll: whether others are spared their waits as soon as this one is live, so that it
    ///     asks often.
    mutating func retry(cap: Int, asksForAll: Bool = false, now: Instant) -> RetryDecision {
        failedAttempts += 1
        liveness.end()
        query = nil
        isRenewing = false
        guard cap == 0 || failedAttempts < cap else {
            state = .givenUp
            stateDeadline = .never
            return .giveUp(attempts: failedAttempts)
        }
        let wait =
            asksForAll
            ? backoff.nextOfProbe(base: settings.redisRetryBase)
            : backoff.next(base: settings.redisRetryBase, maximum: settings.redisRetryMax)
        state = .backingOff
        stateDeadline = now + wait.delay
        return .retry(wait, failed: failedAttempts)
    }

    /// Whether the link waits for its next attempt and can be spared the rest of that.
    var mayBeHastened: Bool { state == .backingOff && hastenings < Self.hasteningLimit }

    /// The link need not wait any longer than this: what it has failed for is mended, as far as is known.
    /// It waits for a time drawn from the span, or not at all where that is zero, and then is `waiting`.
    /// False where it was to wait for less, or that was said too often without its becoming live.
    mutating func hasten(within span: Nanoseconds = .zero, now: Instant) -> Bool {
        guard mayBeHastened else { return false }
        let end = now + backoff.nextWithin(span)
        guard end < stateDeadline else { return false }
        hastenings += 1
        failedAttempts -= 1
        if span == .zero { state = .waiting }
        stateDeadline = span == .zero ? .never : end
        return true
    }

    /// The link is live: what was counted against it is forgotten.
    mutating func settle() {
        isRenewing = false
        stateDeadline = .never
        failedAttempts = 0
        hastenings = 0
        backoff.reset()
        inquiry?.answered()
    }
}
