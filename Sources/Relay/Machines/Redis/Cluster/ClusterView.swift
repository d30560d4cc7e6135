/// What an event loop knows of the cluster, and which subscriptions wait for it to know more.
struct ClusterView {
    /// A subscription of a shared link that no node can be asked for at present.
    private struct Waiting {
        let id: SlotID
        /// When it may be asked for again.
        var notBefore: Instant
    }

    /// The shortest time between two redirections of a slot that are followed at once: two nodes may
    /// each name the other.
    static let redirectionSpacing = Nanoseconds.milliseconds(100)

    /// For how long answers have to agree before a subscription that is in force is taken elsewhere for
    /// their sake alone: nodes learn of a fail-over one after the other, and a former master that has
    /// become a replica relays on.
    static let settlingTime = Nanoseconds.seconds(1)

    /// Where the slots are, as far as is known.
    private(set) var topology = ClusterTopology()
    /// When the question before the last one went out, of those whose answers have agreed. What it said
    /// of a slot was known to a node at that time, if not to all: the last one alone may have gone to a
    /// node that lags behind. It stands still until what is new is sure.
    private(set) var confirmedAt = BootTime.never
    private var askedAt = BootTime.never
    /// When the first of the answers was asked for that have all said the same.
    private var agreedSince = BootTime.never
    /// Whether the node that was asked last does not reach the others, nor any that was asked before it.
    private(set) var isDown = false
    /// Whether subscriptions in force may be where the slots are no more.
    private(set) var isUnsettled = false
    /// Whether a redirection has changed what is known since the last answer: those that come agree anew.
    private var isRedirected = false
    /// The last redirection of each slot: for a while it counts for more than the answer of a node that
    /// may lag behind.
    private var redirections: [UInt16: (node: RedisEndpoint, at: Instant)] = [:]
    private var waiting: [Waiting] = []
    /// Whether the topology has been asked for since it was last told.
    var isAwaited = false
    /// How often subscriptions that wait have been refused since they were last acknowledged.
    private var refusals: [SlotID: Int] = [:]
    private var backoff: Backoff
    /// The links to the masters that tell whether these answer.
    var probes: [SlotID] = []
    /// The connections that are being made to each node.
    var dials: NodeDials
    /// The node that an inquiry begins with: another each time.
    private var turn: Int

    /// Makes the view of a loop that knows nothing; the seed is the source of all chance.
    init(concurrency: Int, loops: Int, seed: UInt64) {
        dials = NodeDials(concurrency: concurrency, loops: loops)
        backoff = Backoff(seed: seed)
        turn = Int(truncatingIfNeeded: seed >> 33)
    }

    /// Whether a node has told where the slots are.
    var isKnown: Bool { topology.coveredCount > 0 }

    /// The master of a channel's slot; nil where nobody is known to serve it.
    func master(of channel: [UInt8]) -> RedisEndpoint? {
        topology.master(of: HashSlot(of: channel))
    }

    // MARK: - Learning

    /// What an answer changes.
    struct News: Equatable {
        /// Whether it says something else than what was known.
        let isNew: Bool
        /// Whether it is sure by now, and nobody has acted upon that yet.
        let isSettled: Bool
    }

    /// A node has told where the slots are.
    ///
    /// - Parameters:
    ///   - askedAt: when the question went out.
    ///   - isSure: whether the node reaches the others. What one says that does not is better than
    ///     nothing, and than nothing else.
    mutating func learn(
        _ told: ClusterTopology, askedAt: BootTime, isSure: Bool = true, now: Instant
    ) -> News {
        isDown = !isSure
        guard isSure || !isKnown else {
            isAwaited = false
            return News(isNew: false, isSettled: false)
        }
        let told = amended(told, now: now)
        if confirmedAt == .never { confirmedAt = askedAt }
        isAwaited = false
        let isNew = told != topology
        topology = told
        if isNew || isRedirected {
            agreedSince = askedAt
            isUnsettled = true
            isRedirected = false
        } else if !isUnsettled {
            confirmedAt = self.askedAt
        }
        self.askedAt = askedAt
        let isSettled = isUnsettled && askedAt - agreedSince >= Self.settlingTime
        if isSettled { isUnsettled = false }
        return News(isNew: isNew, isSettled: isSettled)
    }

    /// An answer with the redirections that may be newer.
    private mutating func amended(_ told: ClusterTopology, now: Instant) -> ClusterTopology {
        redirections = redirections.filter { now - $0.value.at < Self.settlingTime }
        var told = told
        for number in redirections.keys.sorted() {
            guard let slot = HashSlot(Int(number)), let node = redirections[number]?.node else {
                continue
            }
            told.move(slot, to: node)
        }
        return told
    }

    /// A node has said that a slot is another's; false where that is not to be followed at once: only
    /// the topology tells who is right.
    mutating func note(
        _ redirection: ClusterRedirection, from origin: RedisEndpoint, now: Instant
    ) -> Bool {
        guard let target = redirection.target(from: origin) else { return false }
        let known = topology.master(of: redirection.slot)
        guard known != target else { return target != origin }
        let last = redirections[redirection.slot.number]
        if let last, now - last.at < Self.redirectionSpacing { return false }
        redirections[redirection.slot.number] = (target, now)
        topology.move(redirection.slot, to: target)
        isRedirected = true
        return target != origin
    }

    /// The nodes that are asked where the slots are, in their order: those that are known and then those
    /// of the URL, beginning with another each time.
    mutating func nodesToAsk(_ seeds: ClusterSeeds) -> [RedisEndpoint] {
        turn &+= 1
        var nodes = topology.nodes
        if nodes.isEmpty {
            nodes = seeds.nodes
            return Self.rotate(nodes, by: turn)
        }
        return Self.rotate(nodes, by: turn) + seeds.nodes.filter { !nodes.contains($0) }
    }

    private static func rotate(_ nodes: [RedisEndpoint], by turn: Int) -> [RedisEndpoint] {
        let first = Int(turn.magnitude % UInt(nodes.count))
        return Array(nodes[first...] + nodes[..<first])
    }

    // MARK: - Subscriptions that wait

    /// A subscription waits until the topology is told again.
    mutating func hold(_ id: SlotID) {
        waiting.append(Waiting(id: id, notBefore: Instant(nanoseconds: .min)))
    }

    /// A subscription was refused for its slot's sake and waits for a while; returns how often that has
    /// happened since it was last acknowledged.
    mutating func postpone(
        _ id: SlotID, base: Nanoseconds, maximum: Nanoseconds, now: Instant
    ) -> Int {
        let count = (refusals[id] ?? 0) + 1
        refusals[id] = count
        backoff.reset()
        var delay = Nanoseconds.zero
        for _ in 0..<min(count, 16) { delay = backoff.next(base: base, maximum: maximum).delay }
        waiting.append(Waiting(id: id, notBefore: now + delay))
        return count
    }

    /// A subscription is in force, or is gone.
    mutating func forget(_ id: SlotID) {
        guard !refusals.isEmpty else { return }
        refusals[id] = nil
    }

    /// Takes the subscriptions that may be asked for again.
    mutating func takeWaiting(now: Instant) -> [SlotID] {
        guard !waiting.isEmpty else { return [] }
        var seen = Set<SlotID>()
        let due = waiting.filter { $0.notBefore <= now && seen.insert($0.id).inserted }.map(\.id)
        waiting.removeAll { $0.notBefore <= now }
        return due
    }
}
