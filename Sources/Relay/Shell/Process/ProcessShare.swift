import Synchronization

/// What the event loops of the process share: counts that hold for the process, the gate of dials,
/// and an inbox for each loop.
///
/// Nothing of it lies on the way of a message (I12): the counts change when a connection comes or
/// goes, the lock of the gate is taken for a dial, and the memory that a loop holds is published in
/// steps.
final class ProcessShare: Sendable {
    /// What is known of each loop.
    let loops: [LoopState]
    /// Bounds the dials of the process.
    let gate: Mutex<DialGate>
    private let addresses = Mutex(AddressCount())
    private let reports: Mutex<[LoopReport]>
    private let access = Mutex<RedisAccess?>(nil)

    /// Connections of any kind, those that are on their way to a loop among them.
    private let connectionCount = Atomic(0)
    private let webSocketCount = Atomic(0)
    private let linkCount = Atomic<UInt64>(0)
    private let closedCount = Atomic<UInt64>(0)
    /// Bytes that the loops hold, as far as they have published them.
    private let heldBytes = Atomic(0)
    private let answering = Atomic(false)
    private let standstillToldAt = Atomic(Int64.min)

    /// Makes the share of so many loops; `wakes` end the waits of each, from any thread.
    init(_ settings: Settings, wakes: [@Sendable () -> Void] = [{}]) {
        loops = wakes.map { LoopState(inbox: LoopInbox(wake: $0)) }
        gate = Mutex(
            DialGate(
                concurrency: settings.redisDialConcurrency,
                ratePerSecond: settings.redisDialRate, loops: wakes.count))
        reports = Mutex(Array(repeating: LoopReport(), count: wakes.count))
    }

    /// Tells a loop something.
    func post(_ message: LoopMessage, to loop: Int) {
        loops[loop].inbox.post(message)
    }

    // MARK: - Connections

    /// Connections of any kind, of all loops.
    var connections: Int { connectionCount.load(ordering: .relaxed) }

    /// WebSockets, of all loops.
    var webSockets: Int { webSocketCount.load(ordering: .relaxed) }

    /// Counts a connection that goes to a loop.
    func addConnection(to loop: Int) {
        connectionCount.add(1, ordering: .relaxed)
        loops[loop].connections.add(1, ordering: .relaxed)
    }

    /// Counts a connection of a loop no more.
    func removeConnection(of loop: Int) {
        connectionCount.subtract(1, ordering: .relaxed)
        loops[loop].connections.subtract(1, ordering: .relaxed)
    }

    /// Counts a WebSocket; returns false, and counts nothing, where there are `limit` already.
    func addWebSocket(of loop: Int, limit: Int) -> Bool {
        guard webSocketCount.add(1, ordering: .relaxed).newValue <= limit else {
            webSocketCount.subtract(1, ordering: .relaxed)
            return false
        }
        loops[loop].webSockets.add(1, ordering: .relaxed)
        return true
    }

    /// Counts a WebSocket of a loop no more.
    func removeWebSocket(of loop: Int) {
        webSocketCount.subtract(1, ordering: .relaxed)
        loops[loop].webSockets.subtract(1, ordering: .relaxed)
    }

    /// Counts a WebSocket for its address; returns false where the address has `limit` already.
    func enter(_ address: NetworkAddress, limit: Int) -> Bool {
        addresses.withLock { $0.enter(address, limit: limit) }
    }

    /// Counts one WebSocket less for its address.
    func leave(_ address: NetworkAddress) {
        addresses.withLock { $0.leave(address) }
    }

    /// The addresses that have a WebSocket, where they are capped.
    var addressCount: Int { addresses.withLock { $0.addresses } }

    /// The number of a new link; no other link of the process ever has it.
    func nextLinkNumber() -> UInt64 {
        linkCount.add(1, ordering: .relaxed).newValue
    }

    /// The number of a WebSocket that ends, in the order of their ends over all loops.
    func nextClosedNumber() -> UInt64 {
        closedCount.add(1, ordering: .relaxed).newValue
    }

    // MARK: - Memory

    /// Bytes that all loops hold, as far as they have published them.
    var bytesHeld: Int { heldBytes.load(ordering: .relaxed) }

    /// Publishes what a loop holds, in place of `former`.
    func publish(held: Int, former: Int, of loop: Int) {
        loops[loop].held.store(held, ordering: .relaxed)
        heldBytes.add(held - former, ordering: .relaxed)
    }

    /// The loop that holds the most bytes, the first of equals.
    var loopHoldingMost: Int {
        loops.indices.max { first, second in
            let (one, other) = (loops[first].bytesHeld, loops[second].bytesHeld)
            return one == other ? first > second : one < other
        } ?? 0
    }

    // MARK: - Redis

    /// Whether Redis answers the first loop's probe.
    var isRedisAnswering: Bool {
        get { answering.load(ordering: .relaxed) }
        set { answering.store(newValue, ordering: .relaxed) }
    }

    /// Notes what the files of passwords and URL say; returns whether no loop had noted it before.
    func note(_ found: RedisAccess) -> Bool {
        access.withLock { access in
            defer { access = found }
            return access != found
        }
    }

    // MARK: - Standstills and figures

    /// Whether a standstill that a loop has noticed now is to be logged by it: where the process
    /// stood still, each of its loops did.
    func tellsOfStandstill(at boot: BootTime) -> Bool {
        let last = standstillToldAt.load(ordering: .relaxed)
        guard boot - BootTime(nanoseconds: last) >= .seconds(1) else { return false }
        return standstillToldAt.compareExchange(
            expected: last, desired: boot.nanoseconds, ordering: .relaxed
        ).exchanged
    }

    /// Whether all loops but the first have ended.
    var haveOthersEnded: Bool { loops.dropFirst().allSatisfy(\.hasEnded) }

    /// Leaves the figures of a loop for whoever asks.
    func leave(_ report: LoopReport, of loop: Int) {
        reports.withLock { $0[loop] = report }
    }

    /// The last figures of each loop.
    var lastReports: [LoopReport] { reports.withLock { $0 } }
}

/// What the process knows of one event loop; only the loop itself writes most of it.
final class LoopState: Sendable {
    // The figures of two loops lie on different lines of the processors' caches.
    private let before: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
        (0, 0, 0, 0, 0, 0, 0, 0)

    /// What the loop is told by the others.
    let inbox: LoopInbox
    private let turnCount = Atomic<UInt64>(0)
    /// Connections of any kind, those that are on their way to the loop among them.
    let connections = Atomic(0)
    let webSockets = Atomic(0)
    /// Bytes that count towards the memory budget, as far as they are published.
    let held = Atomic(0)
    private let ended = Atomic(false)

    private let behind: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) =
        (0, 0, 0, 0, 0, 0, 0, 0)

    init(inbox: LoopInbox) {
        self.inbox = inbox
    }

    /// Turns of the loop so far: one that stands still counts none.
    var turns: UInt64 { turnCount.load(ordering: .relaxed) }

    /// Counts a turn; only the loop itself does.
    func countTurn() {
        turnCount.store(turns &+ 1, ordering: .relaxed)
    }

    /// Connections of any kind.
    var connectionCount: Int { connections.load(ordering: .relaxed) }

    /// WebSockets that are open.
    var webSocketCount: Int { webSockets.load(ordering: .relaxed) }

    /// Connections that are no WebSockets.
    var plainCount: Int { connectionCount - webSocketCount }

    /// Bytes that count towards the memory budget.
    var bytesHeld: Int { held.load(ordering: .relaxed) }

    /// Whether the loop does nothing any more.
    var hasEnded: Bool {
        get { ended.load(ordering: .acquiring) }
        set { ended.store(newValue, ordering: .releasing) }
    }
}
