import DequeModule

/// The registry of subscriptions: which page hears which channel, and over which link.
///
/// It alone knows. Pages come and go whenever they like; what Redis has been told follows by state: a
/// subscription with pages is wanted, one without is not, and no command goes out for it while another
/// is open. So a page that comes while the end of its channel is under way waits for that, and then for
/// the acknowledgement of its own subscription (I2).
///
///     state          input                            next state
///     wanted         a command may go out             requested: SUBSCRIBE
///     requested      acknowledged                     acknowledged
///     acknowledged   not wanted any more              ending: UNSUBSCRIBE
///     ending         ended, no page has come          (gone)
///     ending         ended, pages have come           wanted
///     any            the link is lost                 wanted, or (gone) without pages
///
/// How many subscriptions a link carries is a matter of ``RedisSubscriptions``. With dedicated links
/// each page has a subscription of its own, for which its link asks in its greeting; with shared links
/// the pages of a channel have one together, which is found by its name.
struct Hub: ~Copyable {
    /// A page's place in a subscription.
    struct Membership {
        let subscription: SlotID
        let place: Int
        /// Whether the channel's messages come already.
        let isLive: Bool
    }

    /// What Redis is to be told of a subscription.
    enum Command: Equatable {
        case none
        case subscribe(channel: [UInt8])
        case unsubscribe(channel: [UInt8])
    }

    /// What became of a subscription.
    enum Loss: Equatable {
        /// Its pages miss messages until it is acknowledged again.
        case outage
        /// It was not in force: its pages go on waiting.
        case waiting
        /// It had no pages and is gone.
        case gone
    }

    let mode: RedisSubscriptions
    private var table: ChannelTable
    private var subscriptions = Slab<ChannelSubscription>()
    /// Subscriptions that are kept for pages that may come back, in the order of their time being over.
    private var kept = Deque<(id: SlotID, until: Instant)>()
    /// How many subscriptions are kept for pages that may come back.
    private(set) var keptCount = 0
    /// Bytes that are held for pages that may come back, or have.
    private(set) var resumeBytes = 0

    /// Makes an empty registry; the seed is to be a secret.
    init(_ mode: RedisSubscriptions, seed: UInt64) {
        self.mode = mode
        table = ChannelTable(seed: seed)
    }

    /// How many subscriptions there are.
    var count: Int { subscriptions.count }

    /// All subscriptions, in the order of their slots.
    var ids: [SlotID] { subscriptions.ids }

    func contains(_ id: SlotID) -> Bool { subscriptions.contains(id) }

    /// A subscription, which must be there.
    subscript(id: SlotID) -> ChannelSubscription {
        _read { yield subscriptions[id] }
        _modify { yield &subscriptions[id] }
    }

    // MARK: - Pages

    /// A page wants to hear a channel; with `epoch` it comes back to a stream that it has heard.
    mutating func subscribe(
        _ page: SlotID, to channel: [UInt8], resuming epoch: StreamEpoch? = nil
    ) -> Membership {
        let id = existing(channel, epoch) ?? make(channel)
        let place = subscriptions[id].pages.insert(page)
        return Membership(
            subscription: id, place: place, isLive: subscriptions[id].state == .acknowledged)
    }

    private func existing(_ channel: [UInt8], _ epoch: StreamEpoch?) -> SlotID? {
        if mode == .shared { return find(channel.span) }
        guard let epoch else { return nil }
        return table.find(table.hash(channel.span)) { id in
            subscriptions[id].stream?.epoch == epoch && subscriptions[id].channel == channel
        }
    }

    private mutating func make(_ channel: [UInt8]) -> SlotID {
        let id = subscriptions.insert { _ in ChannelSubscription(channel) }
        if mode == .shared { list(id) }
        return id
    }

    /// Makes the subscription one that is found by its name.
    private mutating func list(_ id: SlotID) {
        let channel = subscriptions[id].channel
        let hash = table.hash(channel.span)
        subscriptions[id].hash = hash
        subscriptions[id].isListed = true
        table.insert(id, hash: hash)
    }

    /// A page hears its channel no more; returns the page that has its place now, if one has moved.
    mutating func leave(_ id: SlotID, at place: Int) -> SlotID? {
        subscriptions[id].pages.remove(at: place)
    }

    /// Forgets a subscription.
    mutating func remove(_ id: SlotID) {
        endStream(of: id)
        if subscriptions[id].isListed { table.remove(id, hash: subscriptions[id].hash) }
        subscriptions.remove(id)
    }

    // MARK: - Messages

    /// The shared subscription of a channel.
    func find(_ name: Span<UInt8>) -> SlotID? {
        table.find(table.hash(name)) { name.isEqual(to: subscriptions[$0].channel) }
    }

    // MARK: - Pages that come back

    /// Subscriptions that are kept at once for pages that are all away, at most; the oldest go first.
    static let keptLimit = 10_000

    /// Begins the stream of a subscription, where it has none yet.
    mutating func beginStream(of id: SlotID, _ epoch: @autoclosure () -> StreamEpoch) {
        guard subscriptions[id].stream == nil else { return }
        subscriptions[id].stream = ResumeStream(epoch())
        if !subscriptions[id].isListed { list(id) }
    }

    /// Takes a message up in its stream; returns its position.
    mutating func append(_ payload: Span<UInt8>, to stream: ResumeStream, limit: Int)
        -> StreamPosition
    {
        resumeBytes += stream.append(payload, limit: limit)
        return StreamPosition(stream.epoch, stream.last)
    }

    /// A page that can resume hears the subscription, whose stream has begun; `isBack` where it comes
    /// back to that stream.
    mutating func join(_ id: SlotID, isBack: Bool) {
        subscriptions[id].stream?.join(isBack: isBack)
        release(id)
    }

    /// A page that can resume hears the subscription no more; it may come back until `deadline`, where
    /// there is one.
    ///
    /// When the last of them has left, the stream is kept as long as one of them may come back, whoever
    /// else hears the channel meanwhile; then it ends.
    mutating func leave(_ id: SlotID, mayComeBackUntil deadline: Instant?, now: Instant) {
        guard let stream = subscriptions[id].stream else { return }
        stream.leave(until: deadline, now: now)
        guard stream.pageCount == 0 else { return }
        guard let last = stream.isAwaited(until: now) else { return endStream(of: id) }
        keep(id, until: last)
    }

    private mutating func keep(_ id: SlotID, until deadline: Instant) {
        subscriptions[id].keptUntil = deadline
        var place = kept.count
        while place > 0, kept[place - 1].until > deadline { place -= 1 }
        kept.insert((id, deadline), at: place)
        keptCount += 1
    }

    /// Ends the stream of a subscription: nobody comes back to it.
    ///
    /// A stream ends before Redis is asked to end the subscription: what comes from then on is not taken
    /// up, and a page that comes back must not take it for complete.
    mutating func endStream(of id: SlotID) {
        release(id)
        if let stream = subscriptions[id].stream.take() { resumeBytes -= stream.byteCount }
    }

    /// The oldest of the subscriptions that are kept, where it is to end: its time is over, there are
    /// more than `limit`, or `isPressed` for memory. It is kept no more.
    mutating func nextToEnd(
        now: Instant, limit: Int = keptLimit, isPressed: Bool = false
    ) -> SlotID? {
        while let (id, deadline) = kept.first {
            // A page has come back, and may have left again.
            guard subscriptions.contains(id), subscriptions[id].keptUntil == deadline else {
                kept.removeFirst()
                continue
            }
            guard deadline <= now || keptCount > limit || isPressed else { return nil }
            kept.removeFirst()
            release(id)
            return id
        }
        return nil
    }

    private mutating func release(_ id: SlotID) {
        guard subscriptions[id].keptUntil != nil else { return }
        subscriptions[id].keptUntil = nil
        keptCount -= 1
    }

    /// Forgets the older half of what each stream holds.
    mutating func forgetHalf() {
        for id in subscriptions.ids {
            guard let stream = subscriptions[id].stream else { continue }
            resumeBytes -= stream.forgetHalf()
        }
    }

    // MARK: - What Redis is told

    /// Whether the subscription is to be put in the queue of its link: what Redis has been told is not
    /// what is wanted, and nothing is open.
    mutating func enqueue(_ id: SlotID) -> Bool {
        guard !subscriptions[id].isQueued, isToBeTold(id) else { return false }
        subscriptions[id].isQueued = true
        return true
    }

    private func isToBeTold(_ id: SlotID) -> Bool {
        switch subscriptions[id].state {
        case .wanted: true
        case .acknowledged:
            subscriptions[id].isMoving
                || !subscriptions[id].isWanted && !subscriptions[id].cannotEnd
        case .requested, .ending: false
        }
    }

    /// Takes a subscription from the queue: the command that is to go out for it now.
    ///
    /// One that is not wanted any more, and of which Redis knows nothing, is gone afterwards.
    mutating func next(_ id: SlotID) -> Command {
        subscriptions[id].isQueued = false
        guard isToBeTold(id) else { return .none }
        let channel = subscriptions[id].channel
        guard subscriptions[id].state == .wanted else {
            subscriptions[id].state = .ending
            return .unsubscribe(channel: channel)
        }
        guard subscriptions[id].isWanted else {
            remove(id)
            return .none
        }
        subscriptions[id].state = .requested
        return .subscribe(channel: channel)
    }

    /// Redis has acknowledged the subscription.
    mutating func acknowledged(_ id: SlotID) {
        subscriptions[id].state = .acknowledged
    }

    /// Redis has acknowledged what it was asked for; false where that is of no more use.
    mutating func answered(_ id: SlotID) -> Bool {
        guard contains(id), subscriptions[id].state == .requested else { return false }
        acknowledged(id)
        return true
    }

    /// Redis has ended the subscription; it is gone where no page has come meanwhile.
    mutating func ended(_ id: SlotID) {
        guard contains(id), subscriptions[id].state == .ending else { return }
        subscriptions[id].state = .wanted
        subscriptions[id].cannotEnd = false
        subscriptions[id].isMoving = false
        if !subscriptions[id].isWanted { remove(id) }
    }

    /// The subscription, which is in force, is to be had elsewhere: it is ended where it is first.
    mutating func move(_ id: SlotID) { subscriptions[id].isMoving = true }

    /// Redis refuses to end the subscription: it is kept.
    mutating func keeps(_ id: SlotID) {
        subscriptions[id].state = .acknowledged
        subscriptions[id].cannotEnd = true
        subscriptions[id].isMoving = false
    }

    /// The subscription is in force no more.
    mutating func lost(_ id: SlotID) -> Loss {
        let wasInForce = subscriptions[id].state == .acknowledged
        subscriptions[id].state = .wanted
        subscriptions[id].isQueued = false
        subscriptions[id].cannotEnd = false
        subscriptions[id].isMoving = false
        guard subscriptions[id].isWanted else {
            remove(id)
            return .gone
        }
        return wasInForce ? .outage : .waiting
    }
}

/// How subscriptions are spread over links to Redis.
public enum RedisSubscriptions: String, Sendable, CaseIterable {
    /// Each WebSocket has a link of its own: a slow or stuck one touches nobody else.
    case dedicated
    /// All WebSockets of an event loop share one link, in a cluster one to each master, and those of a
    /// channel one subscription.
    case shared
}
