import DequeModule

/// Bounds the dials to Redis of the whole process: how many are in flight, and how many begin in a
/// second.
///
/// When Redis comes back after an outage every link dials again at about the same time; the gate
/// lets them through one after the other, first come, first served.
struct DialGate {
    private let concurrency: Int
    private let interval: Nanoseconds
    /// Dials that may begin at once after a quiet time: a tenth of a second's worth.
    private let burst: Nanoseconds
    private var inFlight = 0
    /// The instant from which the rate alone would let the next dial begin.
    private var nextFree: Instant?
    private var waiting = Deque<SlotID>()

    init(concurrency: Int, ratePerSecond: Int) {
        self.concurrency = max(1, concurrency)
        interval = Nanoseconds(1_000_000_000 / Int64(max(1, ratePerSecond)))
        burst = max(.milliseconds(100), interval)
    }

    /// Puts a link in the queue.
    mutating func enqueue(_ link: SlotID) {
        waiting.append(link)
    }

    /// Takes the next link that may dial now; nil when none waits or none may.
    ///
    /// `isWanted` says whether the link still wants to dial; one that does not is passed over.
    mutating func next(now: Instant, isWanted: (SlotID) -> Bool) -> SlotID? {
        while let link = waiting.first {
            guard isWanted(link) else {
                waiting.removeFirst()
                continue
            }
            guard inFlight < concurrency else { return nil }
            let earliest = Instant(
                nanoseconds: (Nanoseconds(now.nanoseconds) - burst + interval).count)
            let free = max(nextFree ?? earliest, earliest)
            guard free <= now else { return nil }
            nextFree = free + interval
            inFlight += 1
            waiting.removeFirst()
            return link
        }
        return nil
    }

    /// Tells that a dial is decided, well or badly.
    mutating func finished() {
        inFlight -= 1
    }

    /// When to ask again although no dial has ended; nil when only an ending dial can help.
    func nextDeadline(now: Instant) -> Instant? {
        guard !waiting.isEmpty, inFlight < concurrency, let nextFree else { return nil }
        return max(nextFree, now)
    }
}
