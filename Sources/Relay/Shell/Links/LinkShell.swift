import DequeModule
import Logging
import RESP

/// The links to Redis of an event loop: it dials, reads and writes, and does what their machines ask
/// for.
///
/// What concerns others it tells: ``read(_:_:_:)`` gives messages back, one at a time, and
/// ``nextEvent()`` what has happened. It knows no pages.
struct LinkShell<S: Sys & ~Copyable>: ~Copyable {
    var entries = Slab<LinkEntry>()
    var attempts = Slab<DialAttempt>()
    var gate: LoopGate
    let gateTimer: TimerID
    /// The links that subscriptions share, where they do.
    private var shared = SharedLinks()
    /// What is known of the cluster, where Redis is one.
    var cluster: ClusterView
    /// The link that tells whether Redis answers, or asks a cluster where its slots are.
    var probe: SlotID?
    /// The place in the URL of the Sentinel that is asked first: the one that last named a master.
    var firstSentinel = 0
    /// What earlier connections have taught about the servers.
    var history = ConnectionHistory()
    /// Makes the TLS connections, where the URL asks for them.
    let tls: TLSContext?
    /// When the failure of a link may make its server suspect again.
    var nextSuspicion: Instant?
    /// From when on the probe may log in anew because others are refused; nil before the first time.
    var nextLogIn: Instant?
    /// When the files of passwords and URL may be read again.
    var nextRefresh: Instant?
    /// The trace while it is on.
    var trace: Trace?
    /// Where the lines of the trace go, once it has been on.
    var traceSink: (any LogSink)?

    private var events = Deque<LinkEvent>()
    /// What is to be sent, storage that is used again.
    var encoder = RESPEncoder()

    var failureLogLimit = LogRateLimit(lines: 50, per: .seconds(1))
    var repetitionLogLimit = LogRateLimit(lines: 1, per: .seconds(10))
    var remarkLogLimit = LogRateLimit(lines: 5, per: .seconds(60))
    var refreshLogLimit = LogRateLimit(lines: 1, per: .seconds(60))

    init(tls: TLSContext?, _ context: inout LoopContext<S>) {
        self.tls = tls
        cluster = ClusterView(
            concurrency: context.settings.redisDialConcurrency,
            loops: context.place.share.loops.count,
            seed: context.isCluster ? context.loop.sys.random() : 0)
        gate = LoopGate(context.place)
        gateTimer = context.loop.makeTimer(token: Token(.gate))
    }

    // MARK: - What others see

    var count: Int { entries.count }
    var ids: [SlotID] { entries.ids }
    func contains(_ id: SlotID) -> Bool { entries.contains(id) }

    /// Whether the loop's probe says that Redis answers.
    var isProbeAnswering: Bool {
        guard let probe, contains(probe) else { return false }
        return entries[probe].machine.isAnswering
    }

    /// What has happened since this was asked last, one thing at a time.
    mutating func nextEvent() -> LinkEvent? { events.popFirst() }

    var hasEvents: Bool { !events.isEmpty }

    mutating func tell(_ event: LinkEvent) { events.append(event) }

    // MARK: - Opening and closing

    /// Makes a link; it dials when the gate lets it through.
    mutating func open(
        _ purpose: LinkPurpose, carries: Carried, at node: RedisEndpoint? = nil,
        _ context: inout LoopContext<S>
    ) -> SlotID {
        let seed = context.loop.sys.random()
        let number = context.place.share.nextLinkNumber()
        let id = entries.insert { id in
            LinkEntry(
                machine: RedisLink(
                    purpose: purpose, configuration: context.configuration, seed: seed),
                number: number, socket: context.loop.makeSocket(token: Token(.link, id)),
                carries: carries)
        }
        entries[id].machine.node = node
        enqueue(id, context)
        return id
    }

    /// The link that all subscriptions share, in a cluster those of one node.
    mutating func sharedLink(
        to node: RedisEndpoint?, _ context: inout LoopContext<S>
    ) -> SlotID {
        if let link = shared.link(to: node) { return link }
        let link = open(.shared, carries: .many, at: node, &context)
        shared.insert(link, to: node)
        return link
    }

    /// The shared links to nodes of a cluster that are no masters any more.
    func linksToFormerMasters() -> [SlotID] {
        shared.all.filter { node, _ in
            node.map { !cluster.topology.masters.contains($0) } ?? false
        }.map(\.link)
    }

    /// Opens the loop's probe.
    mutating func openProbe(_ context: inout LoopContext<S>) {
        let purpose = context.isCluster ? LinkPurpose.topology : .probe
        probe = open(purpose, carries: .nothing, &context)
    }

    /// Closes a link and forgets it.
    ///
    /// Nothing on its connection matters to anybody any more, so it is reset: a connection that this
    /// side closes in order occupies its local port for another minute (TIME_WAIT).
    mutating func close(_ id: SlotID, _ context: inout LoopContext<S>) {
        if trace != nil { traceEnd(of: id, &context) }
        endDial(id)
        shared.remove(id)
        abandonAttempts(of: id, &context)
        context.loop.release(&entries[id].socket, reset: true)
        entries.remove(id)
    }

    // MARK: - Subscriptions

    /// Whether a live link of a subscription's own has begun to end it; it tells when it has.
    mutating func unsubscribe(_ id: SlotID, _ context: inout LoopContext<S>) -> Bool {
        encoder.removeAll()
        guard entries[id].machine.unsubscribe(now: context.loop.now, output: &encoder) else {
            return false
        }
        sendEncoded(on: id, &context)
        if contains(id) { arm(id, &context) }
        return true
    }

    /// Puts a subscription into the queue of those that a shared link has to tell Redis of, at the end
    /// of the turn.
    mutating func enqueue(_ subscription: SlotID, on id: SlotID, _ context: inout LoopContext<S>) {
        entries[id].requests.append(subscription)
        wake(id, &context)
    }

    /// Whether a link has something to tell Redis.
    func hasRequests(_ id: SlotID) -> Bool { !entries[id].requests.isEmpty }

    /// The next subscription of which Redis is to be told, as far as the link takes commands now.
    mutating func nextRequest(of id: SlotID) -> SlotID? {
        entries[id].machine.takesRequests ? entries[id].requests.popFirst() : nil
    }

    /// Writes the command for a subscription, of those that ``sendRequests(on:_:)`` sends.
    mutating func write(
        _ command: Hub.Command, for subscription: SlotID, on id: SlotID,
        _ context: borrowing LoopContext<S>
    ) {
        let now = context.loop.now
        switch command {
        case .none: break
        case .subscribe(let channel):
            entries[id].machine.subscribe(subscription, to: channel, now: now, output: &encoder)
        case .unsubscribe(let channel):
            entries[id].machine.unsubscribe(
                subscription, from: channel, now: now, output: &encoder)
        }
    }

    /// Begins to write commands.
    mutating func beginRequests() { encoder.removeAll() }

    /// Sends the commands that were written.
    mutating func sendRequests(on id: SlotID, _ context: inout LoopContext<S>) {
        sendEncoded(on: id, isQuestion: false, &context)
        if contains(id) { arm(id, &context) }
    }

    // MARK: - Writing

    /// Has the link looked at when the turn ends.
    mutating func wake(_ id: SlotID, _ context: inout LoopContext<S>) {
        context.loop.markDirty(&entries[id].socket)
    }

    /// Queues what the link's machine has written; `isQuestion` says whether the answer to it will
    /// show what has been read (I11).
    mutating func sendEncoded(
        on id: SlotID, isQuestion: Bool = true, _ context: inout LoopContext<S>
    ) {
        guard !encoder.bytes.isEmpty else { return }
        if isQuestion { entries[id].askedAt = context.loop.boot }
        if trace != nil { traceSent(encoder.bytes, on: id, &context) }
        if let session = entries[id].tls {
            return encrypt(encoder.bytes, by: session, of: id, &context)
        }
        context.loop.queue(encoder.bytes, on: &entries[id].socket)
    }

    mutating func flush(_ id: SlotID, _ context: inout LoopContext<S>) {
        entries[id].socket.isDirty = false
        if case .failed(let error) = context.loop.flush(&entries[id].socket, reads: true) {
            lost(id, error, &context)
        }
    }

    // MARK: - What the machines ask for

    /// Does what a link's machine asks for; one step may lead to the next.
    mutating func perform(
        _ action: LinkAction, on id: SlotID, _ context: inout LoopContext<S>
    ) {
        var action = action
        while true {
            for experience in entries[id].machine.takeExperiences() { history.note(experience) }
            switch action {
            case .none, .message, .oversized, .withdrawn: return
            case .resolve(let host, let port):
                disconnect(id, reset: true, &context)
                return context.loop.sys.resolve(host: host, port: port, token: Token(.link, id))
            case .dial(let address):
                guard let error = beginDial(to: address, for: id, &context) else { return }
                action = entries[id].machine.dialFailed(error, now: context.loop.now)
            case .again: return dialAgain(id, &context)
            case .suspicious:
                return suspectServer(of: id, because: "the probe is not answered", &context)
            case .remarked(let remark): return remarked(id, remark, &context)
            case .secure(let host): return beginHandshake(id, host: host, &context)
            case .live: return isLive(id, &context)
            case .acknowledged(let subscription):
                wake(id, &context)
                return tell(.acknowledged(subscription, on: id))
            case .ended(let subscription):
                wake(id, &context)
                return tell(.ended(subscription, on: id))
            case .refused(let subscription, let failure):
                wake(id, &context)
                return tell(.refused(subscription, failure, on: id))
            case .mapped: return mapped(by: id, &context)
            case .unsubscribed: return tell(.unsubscribed(id))
            case .failed(let failure): return failed(id, failure, &context)
            }
        }
    }

    private mutating func dialAgain(_ id: SlotID, _ context: inout LoopContext<S>) {
        context.log.redis.debug(
            "redis link is made again before it is needed", metadata: metadata(of: id))
        disconnect(id, reset: true, &context)
        gate.enqueue(id, isAhead: entries[id].machine.isProbe)
        arm(id, &context)
    }

    private mutating func isLive(_ id: SlotID, _ context: inout LoopContext<S>) {
        endDial(id)
        noteAnswer(of: id, &context)
        setPatience(with: id, &context)
        if let server = entries[id].machine.server {
            history.note(entries[id].machine.hello, of: server, now: context.loop.now)
        }
        if let index = entries[id].machine.namingSentinel { firstSentinel = index }
        guard entries[id].machine.isProbe else { return tell(.live(id)) }
        probeIsLive(id, &context)
        if context.phase == .starting {
            tell(.redisAnswers(dials: entries[id].machine.dials))
        }
        mapped(by: id, &context)
    }

    private mutating func probeIsLive(_ id: SlotID, _ context: inout LoopContext<S>) {
        // One that only asked the Sentinels again has nothing new to tell.
        let isBack = entries[id].server != entries[id].machine.server
        if isBack {
            entries[id].server = entries[id].machine.server
            var metadata: Logger.Metadata = ["url": "\(context.settings.redis)"]
            if let node = entries[id].node { metadata["node"] = "\(node)" }
            if let server = entries[id].server { metadata["address"] = "\(server)" }
            context.log.redis.info("redis answers", metadata: metadata)
        }
        if let master = entries[id].machine.master {
            leaveOthers(than: master, &context)
            context.tellLoops(.master(master))
        }
        guard isBack, context.phase == .serving, entries[id].machine.purpose == .probe else {
            return
        }
        let node = entries[id].node
        endBackoffs(to: node, &context)
        context.tellLoops(.redisIsBack(node))
    }

    /// Makes the links to another master again.
    mutating func leaveOthers(
        than master: SentinelService.Endpoint, _ context: inout LoopContext<S>
    ) {
        let others = ids.filter { other in
            entries[other].machine.isLive && entries[other].machine.master != master
        }
        for other in others where contains(other) { failed(other, .notMaster, &context) }
    }

    /// Redis has answered the last command of a link.
    mutating func noteAnswer(of id: SlotID, _ context: inout LoopContext<S>) {
        entries[id].confirmedAt = entries[id].askedAt
        let roundTrip = context.loop.boot - entries[id].askedAt
        entries[id].roundTrip = roundTrip
        context.metrics.redisRoundTrip.add(roundTrip)
    }

    // MARK: - Time

    /// The link's timer has fired; it fires again until it is judged.
    mutating func timerFired(
        _ id: SlotID, _ verdict: TimerVerdict, _ context: inout LoopContext<S>
    ) {
        guard contains(id) else { return }
        context.loop.fired(&entries[id].socket)
        guard case .judged(let now) = verdict else { return arm(id, &context) }
        encoder.removeAll()
        setPatience(with: id, &context)
        let wasWaiting = entries[id].machine.state == .waiting
        let action = entries[id].machine.timedOut(now: now, output: &encoder)
        sendEncoded(on: id, &context)
        perform(action, on: id, &context)
        guard contains(id) else { return }
        if !wasWaiting, action == .none, entries[id].machine.state == .waiting {
            enqueue(id, context)
        }
        arm(id, &context)
    }

    mutating func arm(_ id: SlotID, _ context: inout LoopContext<S>) {
        context.loop.arm(&entries[id].socket, at: entries[id].machine.nextDeadline)
    }

    /// The loop has stood still: no server is blamed for it.
    mutating func stoodStill(_ context: borrowing LoopContext<S>) {
        for id in ids { entries[id].machine.stoodStill(now: context.loop.now) }
    }

    /// What a line about a link names.
    func metadata(of id: SlotID) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["link": .stringConvertible(entries[id].number)]
        if entries[id].machine.target.isCluster, let node = entries[id].machine.node {
            metadata["node"] = "\(node)"
        }
        switch entries[id].machine.purpose {
        case .topology: metadata["topology"] = .stringConvertible(true)
        case .probe: metadata["probe"] = .stringConvertible(true)
        case .shared: metadata["shared"] = .stringConvertible(true)
        case .subscription(let bytes):
            guard let channel = ChannelName(bytes: bytes) else { return [:] }
            metadata["run_id"] = .string(channel.runID)
            metadata["channel"] = .string(channel.channel)
        }
        return metadata
    }
}
