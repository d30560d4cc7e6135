import Logging
import RESP
import WSFrame

/// The relay on one event loop: it gives each event to the shell whose it is, and passes on what one
/// shell has for another.
///
///     browsers    ClientShell ─ requests, departures ─▶ Relay ─▶ Hub ─▶ LinkShell    Redis
///     browsers    ClientShell ◀─ frames, notices ─ Relay ◀─ Hub ◀─ messages, events ─ LinkShell
///
/// A process has one for each of its loops; ``LoopContext/place`` says which. The files beside this
/// one hold the parts: requests, subscriptions, resumption, memory, the other loops, the way down.
struct Relay<S: Sys & ~Copyable>: ~Copyable {
    var context: LoopContext<S>
    var router: Router

    var acceptor: Acceptor<S>
    var clients = ClientShell<S>()
    var links: LinkShell<S>
    var hub: Hub
    var broker: BrokerShell<S>
    var admin: AdminShell<S>

    let shutdownTimer: TimerID
    let upkeepTimer: TimerID
    let gatherTimer: TimerID
    /// How far the way down has been gone.
    var drain = DrainStage.notBegun
    /// When the last page of any loop is told to go.
    var lastDeparture = Instant.never
    /// The loop that gets the next connection.
    var choice = LoopChoice()
    /// Whether the other loops turn.
    var watch: LoopWatch
    /// What the loop may hold.
    var memory: MemoryShare
    /// Requests for the metrics that wait for the figures of the other loops.
    var gathering = MetricsGathering()
    /// What the service manager has been told.
    var service = ServiceReport()

    // Storage that is used again in every turn.
    var frame: [UInt8] = []
    var numberedFrame: [UInt8] = []
    private var events: [SysEvent] = []
    private var fired: [Token] = []
    private var dirty: [Token] = []

    var standstillLogLimit = LogRateLimit(lines: 1, per: .seconds(10))

    init(
        sys: consuming S, settings: Settings, options: RelayOptions, log: RelayLog,
        tls: TLSContext? = nil, place: LoopPlace? = nil
    ) {
        let place = place ?? LoopPlace(share: ProcessShare(settings), index: 0)
        context = LoopContext(
            sys: sys, settings: settings, options: options, log: log, place: place)
        router = Router(settings: settings)
        acceptor = Acceptor(&context)
        links = LinkShell(tls: tls, &context)
        let mode = settings.redisSubscriptions
        hub = Hub(mode, seed: mode == .shared ? context.loop.sys.random() : 0)
        broker = BrokerShell(
            Broker(password: settings.redis.password, version: options.release.version))
        admin = AdminShell(&context)
        watch = LoopWatch(own: place.index, loops: place.share.loops.count)
        memory = MemoryShare(allowance: settings.memoryBudget)
        shutdownTimer = context.loop.makeTimer(token: Token(.shutdown))
        upkeepTimer = context.loop.makeTimer(token: Token(.upkeep))
        gatherTimer = context.loop.makeTimer(token: Token(.gather))
    }

    // MARK: - What others see

    var settings: Settings { context.settings }
    var place: LoopPlace { context.place }
    var phase: RelayPhase { context.phase }
    var metrics: Metrics { context.metrics }
    /// Where browsers connect, with the port that was really bound.
    var boundAddress: SocketAddress? { acceptor.boundAddress }

    // MARK: - Running

    /// Opens the listeners and begins to probe Redis, which one loop does for all.
    ///
    /// Where an address cannot be used the phase is ``RelayPhase/stopped(fatal:)`` afterwards.
    mutating func start() {
        keepUp()
        if context.options.trace.isOn { links.switchTrace(on: true, &context) }
        guard place.isFirst else { return }
        if let fatal = openListeners() {
            context.phase = .stopped(fatal: fatal)
            return
        }
        links.openProbe(&context)
        openGate()
        flushDirty()
    }

    /// Returns the line of a fatal error.
    private mutating func openListeners() -> String? {
        if let embedded = context.options.embeddedBroker {
            let address = ListenAddress.tcp(host: embedded.host, port: embedded.port)
            do throws(SystemError) {
                let bound = try broker.listen(address, &context)
                useBroker(at: bound)
                context.log.broker.info(
                    "embedded broker listening", metadata: ["address": "\(bound)"])
            } catch {
                return "cannot listen on \(address) for the embedded broker: \(error.reason)"
            }
        }
        do throws(SystemError) {
            try acceptor.listen(&context)
        } catch {
            return "cannot listen on \(settings.listenAddress): \(error.reason)"
        }
        return admin.listen(&context)
    }

    /// The broker was given any free port: the relay dials the one that it got.
    private mutating func useBroker(at bound: SocketAddress) {
        var settings = settings
        guard case .tcp(let host, 0) = settings.redis.address else { return }
        settings.redis.address = .tcp(host: host, port: bound.port)
        context.configuration = SharedSettings(settings)
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
        context.loop.wait(into: &events)
        beginTurn()
        // By index: an iterator would retain the array.
        for index in events.indices { handle(events[index]) }
        events.removeAll(keepingCapacity: true)
        self.events = events

        var fired = take(&self.fired)
        let verdict = context.loop.fireTimers(into: &fired)
        for index in fired.indices { handleTimer(fired[index], verdict) }
        fired.removeAll(keepingCapacity: true)
        self.fired = fired

        openGate()
        flushDirty()
        clients.noteDeliveries(&context)
        if links.trace != nil { links.writeTrace(to: admin.trace?.order.lines) }
        if admin.trace != nil { passTraceOn() }
        if !context.place.isAlone { publish() }
        if isLeaving, clients.count == 0, mayEnd { finishShutdown() }
    }

    /// What comes before the events of a turn: lost time, and what other loops have told.
    private mutating func beginTurn() {
        let standstill = context.loop.takeStandstill()
        if standstill > .zero { stoodStill(for: standstill) }
        if let lag = context.loop.takeLag() { context.metrics.loopLag.add(lag) }
        context.place.state.countTurn()
        guard !context.place.isAlone else { return }
        memory.hasAskedToShed = false
        learnMemoryAllowance()
        if !place.state.inbox.isEmpty { readInbox() }
    }

    private mutating func handle(_ event: SysEvent) {
        switch event {
        case .socket(let token, let readable, let writable):
            socketEvent(token, readable: readable, writable: writable)
        case .resolved(let token, let resolution):
            guard token.kind == .link else { return }
            links.resolved(token.id, resolution, &context)
        case .signal(HostProcess.traceSignal): toggleTrace()
        case .signal(HostProcess.reloadSignal): reload()
        case .signal(let signal): beginShutdown(signal: signal)
        }
        settle()
    }

    private mutating func socketEvent(_ token: Token, readable: Bool, writable: Bool) {
        let id = token.id
        switch token.kind {
        case .listener: acceptClients()
        case .client:
            let request = clients.event(id, readable: readable, writable: writable, &context)
            if let request { serve(request, to: id) }
        case .link: linkEvent(id, readable: readable, writable: writable)
        case .dial: links.decideDial(id, &context)
        case .brokerListener: broker.accept(&context)
        case .brokerSession:
            broker.event(id, readable: readable, writable: writable, &context)
        case .adminListener: admin.accept(&context)
        case .adminConnection:
            let route = admin.event(id, readable: readable, writable: writable, &context)
            if let route { serve(route, to: id) }
        case .gate, .shutdown, .upkeep, .gather, .trace, nil: break
        }
    }

    private mutating func handleTimer(_ token: Token, _ verdict: TimerVerdict) {
        switch token.kind {
        case .client:
            if clients.timerFired(token.id, verdict, &context) { opensUnsubscribed(token.id) }
        case .link: links.timerFired(token.id, verdict, &context)
        case .listener: acceptor.resume(&context)
        case .shutdown: continueShutdown()
        case .upkeep: keepUp()
        case .gather: answerMetrics()
        case .trace: traceTimerFired()
        case .adminConnection: admin.timerFired(token.id, verdict, &context)
        case .gate, .adminListener, .brokerListener, .brokerSession, .dial, nil: break
        }
        settle()
    }

    private mutating func openGate() {
        guard links.gate.isWaiting else { return }
        links.openGate(absent: watch.absent, &context)
        settle()
    }

    /// Writes what the turn has collected; closing one connection may add to the list.
    private mutating func flushDirty() {
        while true {
            var dirty = take(&self.dirty)
            context.loop.takeDirty(into: &dirty)
            if dirty.isEmpty {
                self.dirty = dirty
                return
            }
            for index in dirty.indices { flush(dirty[index]) }
            dirty.removeAll(keepingCapacity: true)
            self.dirty = dirty
            settle()
        }
    }

    private mutating func flush(_ token: Token) {
        switch token.kind {
        case .client: clients.flush(token.id, &context)
        case .link: flushLink(token.id)
        case .brokerSession: broker.flush(token.id, &context)
        case .adminConnection: admin.flush(token.id, &context)
        default: break
        }
    }

    /// Does what shells have left for each other: pages that have gone leave their subscriptions, and
    /// what has happened on links is told to the hub and its pages.
    @inline(__always)
    mutating func settle() {
        if clients.hasDepartures || links.hasEvents || admin.hasLostReader { settleAll() }
    }

    private mutating func settleAll() {
        while true {
            if clients.hasDepartures {
                for departure in clients.takeDepartures() { depart(departure) }
            } else if let event = links.nextEvent() {
                handle(event)
            } else {
                break
            }
        }
        if admin.hasLostReader { endAdminTrace() }
    }

    /// Whether the daemon can do its work, as a list of reasons why not.
    var unreadiness: [String] {
        var reasons: [String] = []
        if phase == .draining { reasons.append("draining") }
        if !isRedisAnswering {
            reasons.append("redis_unavailable")
        } else if context.options.canary?.isLost == true {
            reasons.append("canary_lost")
        }
        if watch.hasFoundStall { reasons.append("loop_stalled") }
        return reasons
    }

    /// Whether Redis answers the probe, which is the first loop's.
    var isRedisAnswering: Bool {
        guard place.isFirst else { return place.share.isRedisAnswering }
        return context.isCluster ? links.isClusterAnswering() : links.isProbeAnswering
    }
}

/// Moves a value out, leaving an empty one: what is taken may be changed without a copy.
func take<Element>(_ storage: inout [Element]) -> [Element] {
    var taken: [Element] = []
    swap(&taken, &storage)
    return taken
}
