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

    /// A page that can resume hears a channel, whose messages have positions from now on.
    mutating func join(_ page: SlotID, streamOf id: SlotID) {
        if hub[id].stream == nil {
            let epoch = StreamEpoch(
                loop: UInt8(truncatingIfNeeded: place.index),
                beganAt: context.unixMilliseconds(since: context.loop.boot).from,
                secret: context.loop.sys.random())
            hub.beginStream(of: id, epoch)
        }
        hub.join(id, isBack: hub[id].stream?.epoch == epochAskedFor(by: page))
    }

    /// Whether a page has come back and not been told yet what it has missed.
    func isComingBack(_ page: SlotID) -> Bool {
        guard clients.contains(page), let resume = clients.connections[page].resume else {
            return false
        }
        return !resume.hasBegun && resume.request != .begin
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
        for loss in resumption.stream.losses where loss.after >= resumption.position.number {
            tell(client, of: loss)
        }
        replay(resumption.stream, behind: resumption.position.number, to: client, resume)
        if resume.outcome == .complete { context.metrics.resumesComplete += 1 }
    }

    /// Queues what a page has missed, however many bytes that are: its queue may hold them beside what
    /// any queue may hold.
    private mutating func replay(
        _ stream: ResumeStream, behind number: UInt64, to client: SlotID, _ resume: PageResume
    ) {
        guard var cursor = stream.cursor(after: number) else { return }
        var storage = take(&numberedFrame)
        var payload: [UInt8] = []
        while clients.contains(client), stream.next(&cursor, into: &payload) {
            let built = StatusFrame.build(
                payload.span, at: StreamPosition(stream.epoch, cursor.number), in: &storage)
            context.metrics.messagesReplayed += 1
            let queued = clients.connections[client].socket.output.count
            if queued + built.frame.count > ClientShell<S>.queueLimit {
                clients.flush(client, &context)
            }
            resume.replayed += built.frame.count
            deliver(storage.span.extracting(built.frame), to: client)
        }
        numberedFrame = storage
        // Memory may have run short meanwhile.
        if clients.contains(client), cursor.number < stream.last {
            resume.outcome = .gap
            let notice = noticeOfFailedResume(of: client)
            clients.queueFailedResume(notice, on: client, &context)
            context.metrics.resumesFailed += 1
        }
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

    /// A page has left the stream of its channel.
    mutating func leaveStream(_ departure: Departure) {
        guard departure.resume != nil else { return }
        let deadline =
            mayComeBack(departure) ? context.loop.now + settings.resumeWindow : nil
        hub.leave(departure.subscription, mayComeBackUntil: deadline, now: context.loop.now)
        context.loop.heldBytes = hub.resumeBytes
    }

    /// Whether a page that has left a subscription may come back for what it misses: one that can resume
    /// and has been told where the stream is, now or on a former connection.
    private func mayComeBack(_ departure: Departure) -> Bool {
        guard departure.mayComeBack, takesWebSockets, let resume = departure.resume,
            let stream = hub[departure.subscription].stream
        else { return false }
        return resume.hasBegun || stream.epoch == resume.request.epoch
    }

    /// Ends what is kept for pages that may come back where its time is over, and the oldest of it where
    /// there is no room: with dedicated links each has a descriptor, which new pages must find free.
    mutating func endKeptStreams() {
        var limit = Hub.keptLimit
        if hub.mode == .dedicated {
            let room = context.options.mostConnections - place.share.webSockets
            limit = min(limit, max(0, room) / place.share.loops.count)
        }
        while let id = hub.nextToEnd(now: context.loop.now, limit: limit) { endKept(id) }
    }

    /// Nobody comes back any more; pages that cannot resume may still hear the channel.
    mutating func endKept(_ id: SlotID) {
        // What comes while the end is under way is nobody's: whoever comes back then has missed it.
        hub.endStream(of: id)
        context.loop.heldBytes = hub.resumeBytes
        if !hub[id].isWanted { endSubscription(id) }
    }

    /// Ends all that is kept: nobody can come back any more.
    mutating func endAllKeptStreams() {
        while let id = hub.nextToEnd(now: context.loop.now, isPressed: true) { endKept(id) }
    }

    // MARK: - Other loops

    /// How much later another loop may have begun to look at the clocks.
    private static var startSpread: Nanoseconds { .seconds(10) }

    /// The loop that has the stream which a page asks for, where it is another.
    ///
    /// What began before the process is nowhere, and its loops may have been fewer: all its pages
    /// would come to those.
    func otherLoop(of request: ResumeRequest?) -> Int? {
        guard case .after(let position)? = request, !place.isAlone else { return nil }
        let target = Int(position.epoch.loop)
        let wallClock = context.wallClock
        let start = wallClock.milliseconds(from: wallClock.beganAt, to: context.loop.boot).from
        guard position.epoch.beganAt >= start - Self.startSpread.milliseconds,
            target != place.index, target < place.share.loops.count,
            !place.share.loops[target].hasEnded
        else { return nil }
        return target
    }
}
