import DequeModule

/// Bounds the dials to Redis of the whole process: how many are in flight, and how many begin in a
/// second.
///
/// When Redis comes back after an outage every link dials again at about the same time; the gate
/// lets them through one after the other, first come, first served, whichever event loop they are
/// of; only those that ask on behalf of all, few as they are, come before the others. A loop takes
/// its own links only, since it alone knows whether they still want to dial; one whose turn it is
/// with another loop's link waits until that loop is told.
struct DialGate {
    /// A link in the queue, with its place among those of all loops.
    private struct Ticket {
        let place: UInt64
        let link: SlotID
    }

    private let concurrency: Int
    private let interval: Nanoseconds
    /// Dials that may begin at once after a quiet time: a tenth of a second's worth.
    private let burst: Nanoseconds
    private var inFlight = 0
    /// The instant from which the rate alone would let the next dial begin.
    private var nextFree: Instant?
    /// The links of each loop that wait.
    private var waiting: [Deque<Ticket>]
    private var places: UInt64 = 0

    init(concurrency: Int, ratePerSecond: Int, loops: Int = 1) {
        self.concurrency = max(1, concurrency)
        interval = Nanoseconds(1_000_000_000 / Int64(max(1, ratePerSecond)))
        burst = max(.milliseconds(100), interval)
        waiting = Array(repeating: Deque(), count: loops)
    }

    /// Puts a link in the queue: at its end, or ahead of all.
    mutating func enqueue(_ link: SlotID, of loop: Int = 0, isAhead: Bool = false) {
        places += 1
        if isAhead {
            waiting[loop].prepend(Ticket(place: 0, link: link))
        } else {
            waiting[loop].append(Ticket(place: places, link: link))
        }
    }

    /// Takes the loop's next link that may dial now; nil when none waits or none may.
    ///
    /// - Parameters:
    ///   - now: the boot clock, which all loops share.
    ///   - passesOver: loops that stand still, whose links are not waited for.
    ///   - isWanted: whether the link still wants to dial; one that does not is passed over.
    mutating func next(
        of loop: Int = 0, now: Instant, passesOver: [Bool] = [], isWanted: (SlotID) -> Bool
    ) -> SlotID? {
        while let ticket = waiting[loop].first {
            guard isWanted(ticket.link) else {
                waiting[loop].removeFirst()
                continue
            }
            guard isFirst(loop, passesOver), inFlight < concurrency else { return nil }
            let earliest = Instant(
                nanoseconds: (Nanoseconds(now.nanoseconds) - burst + interval).count)
            let free = max(nextFree ?? earliest, earliest)
            guard free <= now else { return nil }
            nextFree = free + interval
            inFlight += 1
            waiting[loop].removeFirst()
            return ticket.link
        }
        return nil
    }

    /// Tells that a dial is decided, well or badly.
    mutating func finished() {
        inFlight -= 1
    }

    /// Whether the loop has links in the queue.
    func isWaiting(_ loop: Int) -> Bool { !waiting[loop].isEmpty }

    /// The loop whose link is the first in the queue; nil when none waits.
    func first(passesOver: [Bool] = []) -> Int? {
        waiting.indices
            .filter { !Self.isIn(passesOver, $0) && !waiting[$0].isEmpty }
            .min { (waiting[$0].first?.place ?? 0) < (waiting[$1].first?.place ?? 0) }
    }

    private func isFirst(_ loop: Int, _ passesOver: [Bool]) -> Bool {
        waiting.count == 1 || (first(passesOver: passesOver) ?? loop) == loop
            || Self.isIn(passesOver, loop)
    }

    private static func isIn(_ loops: [Bool], _ loop: Int) -> Bool {
        loop < loops.count && loops[loop]
    }

    /// When the loop is to ask again although no dial has ended; nil when only an ending dial or
    /// another loop can help.
    func nextDeadline(
        of loop: Int = 0, now: Instant, passesOver: [Bool] = []
    ) -> Instant? {
        guard !waiting[loop].isEmpty, isFirst(loop, passesOver), inFlight < concurrency,
            let nextFree
        else { return nil }
        return max(nextFree, now)
    }
}
