import Logging
import WSFrame

/// A connection that comes back to a stream of another loop, with its request.
struct HandOver: Equatable, Sendable {
    let descriptor: Descriptor
    let peer: String
    let proxy: String?
    let address: NetworkAddress?
    let request: HTTPRequest
    /// The loop that has the stream.
    let target: Int
}

// Pages that come back: what they have missed, or that it is not to be had.
extension Relay where S: ~Copyable {
    /// Where a page that can resume begins to hear its stream.
    struct Resumption {
        let stream: ResumeStream
        /// The last message that it has had, or does not get.
        let position: StreamPosition
        /// Whether it gets everything behind that.
        let isComplete: Bool
    }

    // MARK: - Coming back

    /// The stream that a page asks for.
    func epochAskedFor(by client: SlotID) -> StreamEpoch? {
        guard case .after(let position)? = clients[client].resume?.request else { return nil }
        return position.epoch
    }

    /// Sees to it that the channel's messages have positions.
    mutating func beginStream(of id: SlotID) {
        guard hub[id].stream == nil else { return }
        let epoch = StreamEpoch(
            loop: UInt8(truncatingIfNeeded: place.index),
            beganAt: unixMilliseconds(since: loop.boot).from, secret: loop.sys.random())
        hub.beginStream(of: id, epoch)
    }

    /// What a page that can resume gets now that it is live for the first time; nil for any other.
    func resumption(of client: SlotID) -> Resumption? {
        guard let resume = clients[client].resume, !resume.hasBegun,
            let id = clients[client].subscription, let stream = hub[id].stream
        else { return nil }
        let end = StreamPosition(stream.epoch, stream.last)
        switch resume.request {
        case .begin: return Resumption(stream: stream, position: end, isComplete: true)
        case .after(let position)
        where position.epoch == stream.epoch && stream.holds(after: position.number):
            return Resumption(stream: stream, position: position, isComplete: true)
        case .after, .unknown:
            return Resumption(stream: stream, position: end, isComplete: false)
        }
    }

    /// A page is live for the first time: it gets what it has missed before anything newer, and is told
    /// of what nobody has.
    mutating func resume(_ client: SlotID, _ resumption: Resumption) {
        guard let resume = clients[client].resume, clients[client].machine.isLive else { return }
        resume.hasBegun = true
        guard resume.request != .begin else { return }
        guard resumption.isComplete else { return tellOfFailedResume(client) }
        metrics.resumesComplete += 1
        let stream = resumption.stream
        for loss in stream.losses where loss.after >= resumption.position.number {
            tell(client, of: loss)
        }
        var storage = take(&numberedFrame)
        var number = resumption.position.number
        for payload in stream.payloads(after: number) {
            number += 1
            let built = StatusFrame.build(
                payload.span, at: StreamPosition(stream.epoch, number), in: &storage)
            metrics.messagesReplayed += 1
            deliver(storage.span.extracting(built.frame), to: client)
        }
        numberedFrame = storage
    }

    private mutating func tell(_ client: SlotID, of loss: ResumeStream.Loss) {
        let (from, to) = wallClock.milliseconds(from: loss.since, to: loss.until)
        queueGap(.redisOutage, from: from, to: to, on: client)
    }

    /// The stream that the page has heard is not here, or not all of it: since it began, for all that
    /// is known, the page may have missed something.
    private mutating func tellOfFailedResume(_ client: SlotID) {
        metrics.resumesFailed += 1
        let now = unixMilliseconds(since: loop.boot).to
        var from: Int64 = 0
        if let epoch = epochAskedFor(by: client) { from = min(epoch.beganAt, now) }
        queueGap(.resume, from: from, to: now, on: client)
    }

    private mutating func queueGap(_ reason: GapReason, from: Int64, to: Int64, on id: SlotID) {
        let frame = StatusFrame.gap(reason, fromMilliseconds: from, toMilliseconds: to)
        loop.queue(frame, on: &clients[id].socket)
        metrics.gapNotices += 1
    }

    // MARK: - Messages with positions

    /// Takes a message up in its stream and queues it for every page of the subscription: with its
    /// position for those that can resume, and as ever for the others.
    mutating func forward(_ payload: Span<UInt8>, to id: SlotID, numberedBy stream: ResumeStream) {
        let position = hub.append(payload, to: stream, limit: settings.resumeChannelBytes)
        loop.heldBytes = hub.resumeBytes
        var numbered = take(&numberedFrame)
        let built = StatusFrame.build(payload, at: position, in: &numbered)
        metrics.replacements += UInt64(built.replacements)
        var plain = take(&frame)
        let builtPlain = StatusFrame.build(payload, in: &plain)
        hub.beginDealing(id)
        var place = 0
        while hub.contains(id), place < hub[id].pages.placeCount {
            let client = hub[id].pages[place]
            if clients.contains(client), clients[client].resume != nil {
                deliver(numbered.span.extracting(built.frame), to: client)
            } else {
                deliver(plain.span.extracting(builtPlain.frame), to: client)
            }
            place += 1
        }
        endDealing()
        numberedFrame = numbered
        frame = plain
        if loop.bufferedBytes > memoryAllowance { keepMemoryBudget() }
    }

    // MARK: - Going away

    /// Whether a page that has left may come back for what it misses: one that can resume and has not
    /// said good-bye.
    ///
    /// Only 1000 is a good-bye: browsers close with 1001 what they freeze and thaw again.
    func mayComeBack(_ client: SlotID, after end: ClientEnd?) -> Bool {
        guard let end, phase == .serving, let resume = clients[client].resume, resume.hasBegun
        else { return false }
        switch end {
        case .closedByClient(let code): return code != WebSocketCloseCode.normal
        case .shutdown, .restart: return false
        default: return true
        }
    }

    /// Ends the subscriptions whose time is over.
    mutating func endKeptSubscriptions() {
        while let id = hub.nextToEnd(now: loop.now) { endSubscription(id) }
    }

    /// Gives up what is held for pages that may come back, the oldest first, until the memory budget is
    /// kept; then what those hold that are here.
    mutating func shedStreams() {
        while loop.bufferedBytes > memoryAllowance,
            let id = hub.nextToEnd(now: loop.now, isPressed: true)
        {
            endSubscription(id)
            loop.heldBytes = hub.resumeBytes
        }
        guard loop.bufferedBytes > memoryAllowance, hub.resumeBytes > 0 else { return }
        hub.forgetStreams()
        loop.heldBytes = hub.resumeBytes
    }

    // MARK: - Other loops

    /// The loop that has the stream which a page asks for, where it is another.
    func otherLoop(of request: ResumeRequest?) -> Int? {
        guard case .after(let position)? = request, !place.isAlone else { return nil }
        let target = Int(position.epoch.loop)
        guard target != place.index, target < place.share.loops.count,
            !place.share.loops[target].hasEnded
        else { return nil }
        return target
    }

    /// Prepares to give a connection to the loop that has its stream; what came behind its request goes
    /// along.
    mutating func handOver(_ id: SlotID, _ request: HTTPRequest, to target: Int) {
        let peer = clients[id].peer
        let proxy = clients[id].proxy
        let address = clients[id].address
        let descriptor = loop.detach(&clients[id].socket)
        clients.remove(id)
        handOver = HandOver(
            descriptor: descriptor, peer: peer, proxy: proxy, address: address, request: request,
            target: target)
    }

    /// Gives a connection to the loop that has its stream.
    mutating func send(_ handOver: HandOver, rest: [UInt8]) {
        place.share.removeConnection(of: place.index)
        place.share.addConnection(to: handOver.target)
        place.share.post(.comesBack(handOver, rest: rest), to: handOver.target)
    }

    /// Takes a connection whose request another loop has read.
    mutating func takeOver(_ handOver: HandOver, rest: [UInt8]) {
        let seed = loop.sys.random()
        let now = loop.now
        let id = clients.insert { id in
            ClientEntry(
                machine: ClientConnection(configuration: configuration, seed: seed, now: now),
                socket: loop.makeSocket(token: Token(.client, id)), peer: handOver.peer,
                proxy: handOver.proxy, address: handOver.address, openedAt: now)
        }
        loop.adopt(handOver.descriptor, in: &clients[id].socket)
        arm(client: id)
        var buffer = rest
        _ = loop.join(&buffer, count: rest.count, in: &clients[id].socket)
        loop.keep(&buffer, from: 0, of: rest.count, in: &clients[id].socket)
        serve(handOver.request, to: id)
    }
}
