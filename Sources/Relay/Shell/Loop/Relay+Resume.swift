import WSFrame

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
        clients.connections[client].resume?.request.epoch
    }

    /// Sees to it that the channel's messages have positions.
    mutating func beginStream(of id: SlotID) {
        guard hub[id].stream == nil else { return }
        let epoch = StreamEpoch(
            loop: UInt8(truncatingIfNeeded: place.index),
            beganAt: context.unixMilliseconds(since: context.loop.boot).from,
            secret: context.loop.sys.random())
        hub.beginStream(of: id, epoch)
    }

    /// What a page that can resume gets now that it is live for the first time; nil for any other.
    func resumption(of client: SlotID) -> Resumption? {
        guard let resume = clients.connections[client].resume, !resume.hasBegun,
            let id = clients.connections[client].subscription, let stream = hub[id].stream
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
    /// of what nobody has. That its stream is not here it has been told before its first ping.
    mutating func resume(_ client: SlotID, _ resumption: Resumption) {
        guard let resume = clients.connections[client].resume,
            clients.connections[client].machine.isLive
        else { return }
        guard resume.request != .begin else { return resume.outcome = .begun }
        resume.outcome = resumption.isComplete ? .complete : .gap
        guard resumption.isComplete else {
            context.metrics.resumesFailed += 1
            context.metrics.gapNotices += 1
            return
        }
        context.metrics.resumesComplete += 1
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
            context.metrics.messagesReplayed += 1
            // What is held may be more than may wait for a page, once it is escaped.
            let queued = clients.connections[client].socket.output.count
            if queued + built.frame.count > ClientShell<S>.queueLimit {
                clients.flush(client, &context)
            }
            deliver(storage.span.extracting(built.frame), to: client)
            guard clients.contains(client) else { break }
        }
        numberedFrame = storage
    }

    private mutating func tell(_ client: SlotID, of loss: ResumeStream.Loss) {
        let (from, to) = context.wallClock.milliseconds(from: loss.since, to: loss.until)
        clients.queueGap(.redisOutage, from: from, to: to, on: client, &context)
    }

    /// The stream that the page has heard is not here, or not all of it: since it began, for all that
    /// is known, the page may have missed something.
    mutating func noticeOfFailedResume(of client: SlotID) -> [UInt8] {
        context.noteWallClock()
        // Until now, by whichever setting of the wall clock a message was measured; a beginning that
        // lies before all of it was measured by none.
        let latest = context.wallClock.milliseconds(
            from: BootTime(nanoseconds: 0), to: context.loop.boot
        ).to
        var from: Int64 = 0
        if let epoch = epochAskedFor(by: client), epoch.beganAt <= latest { from = epoch.beganAt }
        return StatusFrame.gap(.resume, fromMilliseconds: from, toMilliseconds: latest)
    }

    // MARK: - Going away

    /// Whether a page that has left a subscription may come back for what it misses: one that can resume
    /// and has been told where the stream is, now or on a former connection.
    func mayComeBack(_ departure: Departure) -> Bool {
        guard let resume = departure.resume, let stream = hub[departure.subscription].stream
        else { return false }
        return resume.hasBegun || stream.epoch == resume.request.epoch
    }

    /// Ends the subscriptions whose time is over.
    mutating func endKeptSubscriptions() {
        while let id = hub.nextToEnd(now: context.loop.now) { endSubscription(id) }
    }

    /// Ends all subscriptions that no page hears: nobody can come back any more.
    mutating func endAllKeptSubscriptions() {
        while let id = hub.nextToEnd(now: context.loop.now, isPressed: true) {
            endSubscription(id)
        }
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
}
