import Logging
import WSFrame

/// The browsers' connections of an event loop: it reads and writes their sockets and does what their
/// machines ask for.
///
/// What concerns others it gives back: a request that is to be served, and pages that have left
/// (``takeDepartures()``). It knows no links and no subscriptions.
struct ClientShell<S: Sys & ~Copyable>: ~Copyable {
    /// Unsent bytes at which a browser is disconnected (1 MiB); a single message may be longer.
    static var queueLimit: Int { 1 << 20 }

    var connections = Slab<ClientEntry>()
    /// The connections that give way when there is no room.
    var arrivals = ArrivalLine()
    /// The WebSockets that have ended last, for the admin listener.
    var closed = ClosedRing()
    /// Messages that the kernel has taken in the turn in which Redis's bytes were read.
    var deliveredInTurn: UInt64 = 0
    private var departures: [Departure] = []
    /// Storage that is used again for every answer.
    private var reply: [UInt8] = []

    private var malformedLogLimit = LogRateLimit(lines: 10, per: .seconds(10))
    var refusalLog = RefusalLog()

    init() {}

    // MARK: - What others see

    var count: Int { connections.count }
    var ids: [SlotID] { connections.ids }
    func contains(_ id: SlotID) -> Bool { connections.contains(id) }

    // MARK: - Events

    /// The kernel tells of a connection's socket; returns a request that is to be served, after which
    /// ``goOn(_:_:)`` is due.
    mutating func event(
        _ id: SlotID, readable: Bool, writable: Bool, _ context: inout LoopContext<S>
    ) -> HTTPRequest? {
        guard contains(id) else { return nil }
        var request: HTTPRequest?
        if readable {
            if connections[id].machine.wantsInput {
                request = read(id, &context)
            } else if connections[id].machine.isPaused {
                // Only an error or the end of both directions is told here: reading has paused.
                close(id, .vanished, &context)
            }
        }
        guard contains(id) else { return nil }
        if writable || !connections[id].machine.wantsInput { wake(id, &context) }
        return request
    }

    /// Has the connection looked at when the turn ends.
    mutating func wake(_ id: SlotID, _ context: inout LoopContext<S>) {
        context.loop.markDirty(&connections[id].socket)
    }

    private mutating func read(
        _ id: SlotID, _ context: inout LoopContext<S>
    ) -> HTTPRequest? {
        var buffer = take(&context.loop.readBuffer)
        var request: HTTPRequest?
        let outcome = context.loop.sys.receive(connections[id].socket.descriptor, into: &buffer)
        switch outcome {
        case .bytes(let count): request = consume(id, &buffer, count, &context)
        case .endOfStream: perform(connections[id].machine.endOfStream(), on: id, &context)
        case .wouldBlock: break
        case .failed: close(id, .vanished, &context)
        }
        context.loop.giveBack(&buffer)
        if contains(id), outcome == .endOfStream { wake(id, &context) }
        return request
    }

    /// Goes on with what came behind a request that has been served, or ahead of the `101`; returns the
    /// next request.
    mutating func goOn(_ id: SlotID, _ context: inout LoopContext<S>) -> HTTPRequest? {
        guard contains(id) else { return nil }
        guard connections[id].socket.input.count > 0 else {
            arm(id, &context)
            return nil
        }
        var none: [UInt8] = []
        return consume(id, &none, 0, &context)
    }

    /// Hands the machine what was left over and the `count` bytes behind it, up to a request that is to
    /// be served.
    private mutating func consume(
        _ id: SlotID, _ buffer: inout [UInt8], _ count: Int, _ context: inout LoopContext<S>
    ) -> HTTPRequest? {
        let total = context.loop.join(&buffer, count: count, in: &connections[id].socket)
        var offset = 0
        var request: HTTPRequest?
        while request == nil {
            reply.removeAll(keepingCapacity: true)
            let action = connections[id].machine.receive(
                &buffer, from: &offset, to: total, now: context.loop.now, reply: &reply)
            context.loop.queue(reply, on: &connections[id].socket)
            if action == .none { break }
            if case .route(let head) = action { request = head }
            perform(action, on: id, &context)
            guard contains(id) else { return nil }
        }
        if let roundTrip = connections[id].machine.takeRoundTrip() {
            context.metrics.heartbeatRoundTrip.add(roundTrip)
        }
        context.loop.keep(&buffer, from: offset, of: total, in: &connections[id].socket)
        arm(id, &context)
        return request
    }

    private mutating func perform(
        _ action: ClientAction, on id: SlotID, _ context: inout LoopContext<S>
    ) {
        switch action {
        case .none, .route: break
        case .ignoredMalformedMessage: noteMalformedMessage(from: id, &context)
        case .finish(let end): finish(id, end, &context)
        case .abort(let end): close(id, end, &context)
        }
    }

    private mutating func noteMalformedMessage(
        from id: SlotID, _ context: inout LoopContext<S>
    ) {
        context.metrics.clientMessagesMalformed += 1
        guard case .logged(let suppressed) = malformedLogLimit.admit(at: context.loop.now) else {
            return
        }
        var metadata = metadata(of: id)
        metadata["suppressed"] = .stringConvertible(suppressed)
        context.log.server.warning("invalid client message", metadata: metadata)
    }

    // MARK: - Answers

    mutating func respond(
        _ response: HTTPResponse, to id: SlotID, _ context: inout LoopContext<S>
    ) {
        reply.removeAll(keepingCapacity: true)
        let action = connections[id].machine.respond(
            response, now: context.loop.now, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        perform(action, on: id, &context)
    }

    /// Takes an upgrade; the `101` follows the acknowledgement of the subscription (I2).
    mutating func upgrade(
        _ id: SlotID, to channel: ChannelName, acceptKey: String, resume: ResumeRequest?,
        _ context: inout LoopContext<S>
    ) {
        connections[id].resume = resume.map(PageResume.init)
        connections[id].machine.upgrade(
            to: channel, acceptKey: acceptKey, now: context.loop.now)
        context.metrics.connectionsActive += 1
        connections[id].isActive = true
        wake(id, &context)
        context.log.server.info("client connected", metadata: metadata(of: id))
    }

    /// The page's subscription is acknowledged; returns whether the `101` goes out with that, before
    /// the notice, which comes before the first ping.
    mutating func subscribed(
        _ id: SlotID, at position: StreamPosition?, behind notice: [UInt8],
        _ context: inout LoopContext<S>
    ) -> Bool {
        let wasOpening = connections[id].machine.state == .opening
        reply.removeAll(keepingCapacity: true)
        connections[id].machine.subscribed(
            at: position, behind: notice, now: context.loop.now, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        return wasOpening
    }

    /// Starts the close handshake from this side.
    mutating func closeWebSocket(
        _ id: SlotID, code: UInt16, because end: ClientEnd, sendsHangup: Bool,
        _ context: inout LoopContext<S>
    ) {
        reply.removeAll(keepingCapacity: true)
        connections[id].machine.close(
            code: code, because: end, sendsHangup: sendsHangup, now: context.loop.now,
            reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        arm(id, &context)
    }

    // MARK: - Subscriptions

    /// The page hears a subscription, at a place among its pages.
    mutating func joined(_ id: SlotID, _ subscription: SlotID, at place: Int) {
        connections[id].subscription = subscription
        connections[id].place = UInt32(place)
    }

    /// Notes the number of the link that carries the page's subscription.
    mutating func note(link: UInt64, of id: SlotID) {
        connections[id].lastLink = link
    }

    /// The page has another place among those of its subscription.
    mutating func move(_ id: SlotID, to place: Int) {
        connections[id].place = UInt32(place)
    }

    /// The page's subscription is gone.
    mutating func bereave(_ id: SlotID) {
        connections[id].subscription = nil
    }

    /// The page needs its subscription no more; `end` says whether it may come back.
    mutating func leave(_ id: SlotID, because end: ClientEnd? = nil) {
        guard let subscription = connections[id].subscription.take() else { return }
        departures.append(
            Departure(
                page: id, subscription: subscription, place: Int(connections[id].place),
                resume: connections[id].resume, mayComeBack: Self.mayComeBack(after: end)))
    }

    /// Whether a page that ends so may come back for what it misses: it has not said good-bye.
    ///
    /// Only 1000 is a good-bye: browsers close with 1001 what they freeze and thaw again.
    private static func mayComeBack(after end: ClientEnd?) -> Bool {
        guard let end else { return false }
        switch end {
        case .closedByClient(let code): return code != WebSocketCloseCode.normal
        case .shutdown, .restart: return false
        default: return true
        }
    }

    var hasDepartures: Bool { !departures.isEmpty }

    /// The pages that have left their subscriptions since this was asked last, those with the highest
    /// places first: whoever moves into a place that has become free is one that stays.
    mutating func takeDepartures() -> [Departure] {
        var taken = take(&departures)
        if taken.count > 1 { taken.sort { $0.place > $1.place } }
        return taken
    }

    // MARK: - Time

    /// The client's timer has fired; returns whether the page has been let in without its subscription,
    /// after which ``goOn(_:_:)`` is due.
    mutating func timerFired(
        _ id: SlotID, _ verdict: TimerVerdict, _ context: inout LoopContext<S>
    ) -> Bool {
        guard contains(id) else { return false }
        context.loop.fired(&connections[id].socket)
        guard case .judged(let now) = verdict else {
            // A heartbeat waits for nobody's bytes; anything else fires again until it is judged.
            reply.removeAll(keepingCapacity: true)
            connections[id].machine.beat(now: verdict.now, reply: &reply)
            context.loop.queue(reply, on: &connections[id].socket)
            arm(id, &context)
            return false
        }
        if now >= writeDeadline(of: id, context) {
            // There may be room by now: it was told in this turn, or will be in the next.
            flush(id, &context)
            guard contains(id) else { return false }
            if now >= writeDeadline(of: id, context) {
                let queued = connections[id].socket.output.count
                close(id, .slow(queuedBytes: queued), &context)
                return false
            }
        }
        let wasOpening = connections[id].machine.state == .opening
        reply.removeAll(keepingCapacity: true)
        let action = connections[id].machine.timedOut(now: now, reply: &reply)
        context.loop.queue(reply, on: &connections[id].socket)
        perform(action, on: id, &context)
        guard contains(id) else { return false }
        arm(id, &context)
        return wasOpening && connections[id].machine.state != .opening
    }

    private func writeDeadline(
        of id: SlotID, _ context: borrowing LoopContext<S>
    ) -> Instant {
        let oldest = connections[id].socket.output.oldestQueuedAt
        return oldest == .never ? .never : oldest + context.settings.writeTimeout
    }

    /// What is queued leaves when the turn ends; only what the socket had no room for has a deadline.
    mutating func arm(_ id: SlotID, _ context: inout LoopContext<S>) {
        let isBlocked = connections[id].socket.interest.contains(.write)
        let deadline = connections[id].machine.nextDeadline
        let due = isBlocked ? min(deadline, writeDeadline(of: id, context)) : deadline
        context.loop.arm(&connections[id].socket, at: due)
    }

    /// The loop has stood still: nobody is blamed for it.
    mutating func stoodStill(for span: Nanoseconds, _ context: borrowing LoopContext<S>) {
        for id in ids {
            connections[id].machine.stoodStill(for: span, now: context.loop.now)
            connections[id].socket.output.restartAge(now: context.loop.now)
        }
    }

    /// Settings have changed: pages that are open have the new time-outs from now on.
    mutating func adoptSettings(_ context: inout LoopContext<S>) {
        for id in ids {
            let seed = context.loop.sys.random()
            connections[id].machine.adopt(
                context.configuration, now: context.loop.now, seed: seed)
            arm(id, &context)
        }
    }

    /// What a line about the connection names.
    func metadata(of id: SlotID) -> Logger.Metadata {
        var metadata: Logger.Metadata = ["peer": "\(connections[id].peer)"]
        if let proxy = connections[id].proxy { metadata["via"] = "\(proxy)" }
        if let channel = connections[id].machine.channel {
            metadata["run_id"] = .string(channel.runID)
            metadata["channel"] = .string(channel.channel)
        }
        return metadata
    }
}
