import DequeModule
import Logging
import RESP

/// A browser's connection with its socket.
struct ClientEntry: ~Copyable {
    var machine: ClientConnection
    var socket: Socket
    /// Where it comes from: the address of the connection, or the one that a trusted proxy names.
    var peer: String
    /// The address of the trusted proxy that it came by.
    var proxy: String?
    /// The number that stands for `peer`; nil at a Unix socket.
    var address: NetworkAddress?
    let openedAt: Instant
    /// What it has subscribed to, from the upgrade on.
    var subscription: SlotID?
    /// Its place among the pages of its subscription.
    var place: UInt32 = 0
    /// What it has been told, if it can resume.
    var resume: PageResume?
    /// Why it ends, once that is decided.
    var end: ClientEnd?
    /// What became of its messages.
    var ledger = Ledger()
    /// The number of the link that its subscription had when it ended.
    var lastLink: UInt64?
    /// The most bytes that have waited for it at once.
    var largestQueue = 0
    /// Whether it is one of the WebSockets that the metrics call active.
    var isActive = false
}

/// A link to Redis with its socket.
struct LinkEntry: ~Copyable {
    var machine: RedisLink
    /// The number by which people know the link; no other link ever has it.
    let number: UInt64
    var socket: Socket
    /// Whose messages come over it.
    var carries: Carried
    /// The subscriptions of which Redis is to be told something, in order; of a shared link.
    var requests = Deque<SlotID>()
    /// The server that the log has named since the link last failed.
    var server: SocketAddress?
    /// Whether the link holds a place of the dial gate.
    var isDialing = false
    /// Its connections that are begun and not decided.
    var attempts: [SlotID] = []
    /// When the last command went out whose answer shows what has been read.
    var askedAt = BootTime.never
    /// How long Redis took for the last such answer; nil before the first.
    var roundTrip: Nanoseconds?
    /// When anything last came from Redis.
    var heardAt = Instant.never
    /// When the last such command went out that was answered: all that Redis had sent before has been
    /// read, since it comes in one stream (I11).
    var confirmedAt = BootTime.never
    /// The ``LinkFailure/cause`` of its last failure; empty before the first.
    var lastCause = ""
    /// The TLS connection over the socket, where there is one.
    var tls: TLSSession?
}

/// The subscriptions that a link carries.
enum Carried: Equatable {
    /// None that a page has, as a probe.
    case nothing
    /// One, of one page.
    case one(SlotID)
    /// Those whose ``ChannelSubscription/link`` it is.
    case many
}

/// A connection to Redis that is begun and not decided.
struct DialAttempt {
    let link: SlotID
    let address: SocketAddress
    var descriptor: Descriptor = -1
}

/// A client of the embedded broker with its socket.
struct SessionEntry {
    var session: BrokerSession
    var socket: Socket
    var isClosing = false
}

/// How far the daemon is.
enum RelayPhase: Equatable, Sendable {
    /// Redis has not answered yet; upgrades are refused.
    case starting
    case serving
    /// On the way down; ``Relay/drain`` says how far.
    case draining
    /// The loop ends; a text is the one clear line of a fatal error.
    case stopped(fatal: String?)
}

/// The relay on one event loop: it interprets the actions of the machines.
///
/// A process has one for each of its loops; `place` says which. The files beside this one hold the
/// parts: `Relay+Loops`, `Relay+Accepting`, `Relay+Clients`, `Relay+Refusals`, `Relay+Delivery`,
/// `Relay+Subscriptions`, `Relay+Links`, `Relay+Dialing`, `Relay+TLS`, `Relay+Broker`,
/// `Relay+Shutdown`, `Relay+Service`.
struct Relay<S: Sys & ~Copyable>: ~Copyable {
    /// Connections accepted in one turn, at most.
    static var acceptLimit: Int { 64 }
    /// How long accepting pauses when descriptors or memory have run out.
    static var acceptPause: Nanoseconds { .milliseconds(200) }
    /// The connections that may be taken at once: those of so long a time at the permitted rate.
    static var acceptBurst: Nanoseconds { .seconds(1) }
    /// The shortest pause of accepting for its rate: the loop must not turn for each connection.
    static var acceptRatePause: Nanoseconds { .milliseconds(10) }
    /// Unsent bytes at which a browser is disconnected (1 MiB); a single message may be longer.
    static var clientQueueLimit: Int { 1 << 20 }

    var loop: EventLoop<S>
    var configuration: SharedSettings
    var router: Router
    var log: RelayLog
    var options: RelayOptions
    /// Which loop of the process it is, and what the loops share.
    let place: LoopPlace
    /// Makes the TLS connections to Redis, where its URL asks for them.
    let tls: TLSContext?
    var phase = RelayPhase.starting
    var metrics = Metrics()
    /// Messages that the kernel has taken in the turn in which Redis's bytes were read.
    var deliveredInTurn: UInt64 = 0

    var clients = Slab<ClientEntry>()
    var links = Slab<LinkEntry>()
    var hub: Hub
    /// The admin listener, and what it keeps.
    var admin = AdminListener()
    let traceTimer: TimerID
    /// The link that all subscriptions share, where they do.
    var sharedLink: SlotID?
    var attempts = Slab<DialAttempt>()
    var sessions = Slab<SessionEntry>()
    var broker: Broker
    var gate: LoopGate
    let gateTimer: TimerID
    let acceptTimer: TimerID
    let shutdownTimer: TimerID
    let upkeepTimer: TimerID
    let gatherTimer: TimerID
    /// How far the wall clock was ahead, now and before.
    var wallClock = UnixTimeOffsets()
    /// How far the way down has been gone.
    var drain = DrainStage.notBegun
    /// When the last page of any loop is told to go.
    var lastDeparture = Instant.never
    /// Bounds how many connections are taken in a second.
    var acceptBucket: TokenBucket
    /// The loop that gets the next connection.
    var choice = LoopChoice()
    /// Whether the other loops turn.
    var watch: LoopWatch
    /// The bytes that the loop may hold, as the others left it when the turn began.
    var memoryAllowance: Int
    /// The bytes that the loop has told the others it holds.
    var publishedBytes = 0
    /// Whether another loop has been asked in this turn to shed what it holds.
    var hasAskedToShed = false
    /// A connection that another loop is to have, until the bytes behind its request are known.
    var handOver: HandOver?
    /// Requests for the metrics that wait for the figures of the other loops.
    var gathering = MetricsGathering()
    /// The connections that give way when there is no room.
    var arrivals = ArrivalLine()
    var listener: Descriptor?
    /// Where browsers connect, with the port that was really bound.
    private(set) var boundAddress: SocketAddress?
    var brokerListener: Descriptor?
    /// The link that tells whether Redis answers.
    var probe: SlotID?
    /// The place in the URL of the Sentinel that is asked first: the one that last named a master.
    var firstSentinel = 0
    /// What earlier connections have taught about the servers.
    var history = ConnectionHistory()
    /// What the service manager has been told.
    var service = ServiceReport()
    /// When the failure of a link may make its server suspect again.
    var nextSuspicion: Instant?
    /// When the files of passwords and URL may be read again.
    var nextRefresh: Instant?
    /// The trace while it is on.
    var trace: Trace?
    /// Where the lines of the trace go, once it has been on.
    var traceSink: (any LogSink)?

    // Storage that is used again in every turn.
    var reply: [UInt8] = []
    var frame: [UInt8] = []
    var numberedFrame: [UInt8] = []
    var encoder = RESPEncoder()
    var arguments: [Range<Int>] = []
    private var events: [SysEvent] = []
    private var fired: [Token] = []
    private var dirty: [Token] = []

    var malformedLogLimit = LogRateLimit(lines: 10, per: .seconds(10))
    var linkLogLimit = LogRateLimit(lines: 50, per: .seconds(1))
    var remarkLogLimit = LogRateLimit(lines: 5, per: .seconds(60))
    var refreshLogLimit = LogRateLimit(lines: 1, per: .seconds(60))
    var acceptLogLimit = LogRateLimit(lines: 1, per: .seconds(10))
    var acceptRateLogLimit = LogRateLimit(lines: 1, per: .seconds(10))
    var refusalLog = RefusalLog()
    var standstillLogLimit = LogRateLimit(lines: 1, per: .seconds(10))

    init(
        sys: consuming S, settings: Settings, options: RelayOptions, log: RelayLog,
        tls: TLSContext? = nil, place: LoopPlace? = nil
    ) {
        let place = place ?? LoopPlace(share: ProcessShare(settings), index: 0)
        self.place = place
        loop = EventLoop(sys: sys)
        let mode = settings.redisSubscriptions
        hub = Hub(mode, seed: mode == .shared ? loop.sys.random() : 0)
        configuration = SharedSettings(settings)
        router = Router(settings: settings)
        self.options = options
        self.log = log
        self.tls = tls
        broker = Broker(password: settings.redis.password, version: options.release.version)
        gate = LoopGate(place)
        watch = LoopWatch(own: place.index, loops: place.share.loops.count)
        memoryAllowance = settings.memoryBudget
        acceptBucket = TokenBucket(
            ratePerSecond: settings.acceptRate, burst: Self.acceptBurst)
        gateTimer = loop.makeTimer(token: Token(.gate))
        acceptTimer = loop.makeTimer(token: Token(.listener))
        shutdownTimer = loop.makeTimer(token: Token(.shutdown))
        upkeepTimer = loop.makeTimer(token: Token(.upkeep))
        gatherTimer = loop.makeTimer(token: Token(.gather))
        traceTimer = loop.makeTimer(token: Token(.trace))
    }

    var settings: Settings { configuration.settings }

    // MARK: - Running

    /// Opens the listeners and begins to probe Redis, which one loop does for all.
    ///
    /// Where an address cannot be used the phase is ``RelayPhase/stopped(fatal:)`` afterwards.
    mutating func start() {
        keepUp()
        if options.trace.isOn { switchTrace(on: true) }
        guard place.isFirst else { return }
        if let broker = options.embeddedBroker {
            let address = ListenAddress.tcp(host: broker.host, port: broker.port)
            do throws(SystemError) {
                let (descriptor, bound) = try loop.sys.listen(
                    address, token: Token(.brokerListener))
                brokerListener = descriptor
                useBroker(at: bound)
                log.broker.info("embedded broker listening", metadata: ["address": "\(bound)"])
            } catch {
                phase = .stopped(
                    fatal: "cannot listen on \(address) for the embedded broker: \(error.reason)")
                return
            }
        }
        do throws(SystemError) {
            let (descriptor, bound) = try loop.sys.listen(
                settings.listenAddress, token: Token(.listener))
            listener = descriptor
            boundAddress = bound
            log.server.info("listening", metadata: ["address": "\(bound)"])
        } catch {
            phase = .stopped(
                fatal: "cannot listen on \(settings.listenAddress): \(error.reason)")
            return
        }
        if let fatal = openAdminListener() {
            phase = .stopped(fatal: fatal)
            return
        }
        probe = openLink(.probe, carries: .nothing)
        openGate()
        flushDirty()
    }

    /// The broker was given any free port: the relay dials the one that it got.
    private mutating func useBroker(at bound: SocketAddress) {
        var settings = settings
        guard case .tcp(let host, 0) = settings.redis.address else { return }
        settings.redis.address = .tcp(host: host, port: bound.port)
        configuration = SharedSettings(settings)
    }

    /// Runs until the loop ends; returns the line of a fatal error, or nil after a clean shutdown.
    mutating func run() -> String? {
        while true {
            if case .stopped(let fatal) = phase { return fatal }
            turn()
        }
    }

    /// One turn of the loop: events, timers, dials, and the writes that they led to.
    mutating func turn() {
        var events = take(&self.events)
        loop.wait(into: &events)
        beginTurn()
        for event in events { handle(event) }
        events.removeAll(keepingCapacity: true)
        self.events = events

        var fired = take(&self.fired)
        let verdict = loop.fireTimers(into: &fired)
        for token in fired { handleTimer(token, verdict) }
        fired.removeAll(keepingCapacity: true)
        self.fired = fired

        openGate()
        flushDirty()
        if deliveredInTurn > 0 { noteDeliveries() }
        if trace != nil { writeTrace() }
        if admin.trace != nil { passTraceOn() }
        if !place.isAlone { publish() }
        if isLeaving, clients.count == 0, mayEnd { finishShutdown() }
    }

    /// What comes before the events of a turn: lost time, and what other loops have told.
    private mutating func beginTurn() {
        let standstill = loop.takeStandstill()
        if standstill > .zero { stoodStill(for: standstill) }
        if let lag = loop.takeLag() { metrics.loopLag.add(lag) }
        place.state.countTurn()
        guard !place.isAlone else { return }
        hasAskedToShed = false
        learnMemoryAllowance()
        if !place.state.inbox.isEmpty { readInbox() }
    }

    private mutating func handle(_ event: SysEvent) {
        switch event {
        case .socket(let token, let readable, let writable):
            switch token.kind {
            case .listener: acceptClients()
            case .client: clientEvent(token.id, readable: readable, writable: writable)
            case .link: linkEvent(token.id, readable: readable, writable: writable)
            case .dial: decideDial(token.id)
            case .brokerListener: acceptSessions()
            case .brokerSession: sessionEvent(token.id, readable: readable, writable: writable)
            case .adminListener: acceptAdmins()
            case .adminConnection:
                adminEvent(token.id, readable: readable, writable: writable)
            case .gate, .shutdown, .upkeep, .gather, .trace, nil: break
            }
        case .resolved(let token, let resolution):
            guard token.kind == .link, links.contains(token.id) else { return }
            linkResolved(token.id, resolution)
        case .signal(HostProcess.traceSignal):
            toggleTrace()
        case .signal(HostProcess.reloadSignal):
            reload()
        case .signal(let signal):
            beginShutdown(signal: signal)
        }
    }

    private mutating func handleTimer(_ token: Token, _ verdict: TimerVerdict) {
        switch token.kind {
        case .client: clientTimer(token.id, verdict)
        case .link: linkTimer(token.id, verdict)
        case .listener: resumeAccepting()
        case .shutdown: continueShutdown()
        case .upkeep: keepUp()
        case .gather: answerMetrics()
        case .trace: traceTimerFired()
        case .adminConnection: adminTimer(token.id, verdict)
        case .gate, .adminListener, .brokerListener, .brokerSession, .dial, nil: break
        }
    }

    /// Writes what the turn has collected; closing one connection may add to the list.
    private mutating func flushDirty() {
        while true {
            var dirty = take(&self.dirty)
            loop.takeDirty(into: &dirty)
            if dirty.isEmpty {
                self.dirty = dirty
                return
            }
            for index in dirty.indices {
                let token = dirty[index]
                switch token.kind {
                case .client: flushClient(token.id)
                case .link: flushLink(token.id)
                case .brokerSession: flushSession(token.id)
                case .adminConnection: flushAdmin(token.id)
                default: break
                }
            }
            dirty.removeAll(keepingCapacity: true)
            self.dirty = dirty
        }
    }

    /// Whether the daemon can do its work, as a list of reasons why not.
    var unreadiness: [String] {
        var reasons: [String] = []
        if phase == .draining { reasons.append("draining") }
        if !isRedisAnswering {
            reasons.append("redis_unavailable")
        } else if options.canary?.isLost == true {
            reasons.append("canary_lost")
        }
        if watch.hasFoundStall { reasons.append("loop_stalled") }
        return reasons
    }

    /// Whether Redis answers the probe, which is the first loop's.
    var isRedisAnswering: Bool {
        guard place.isFirst else { return place.share.isRedisAnswering }
        guard let probe, links.contains(probe) else { return false }
        return links[probe].machine.isAnswering
    }
}

/// Moves a value out, leaving an empty one: what is taken may be changed without a copy.
func take<Element>(_ storage: inout [Element]) -> [Element] {
    var taken: [Element] = []
    swap(&taken, &storage)
    return taken
}
