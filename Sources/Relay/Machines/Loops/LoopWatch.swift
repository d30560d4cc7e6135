/// One event loop's look at the others: whether they turn.
///
/// Every loop turns at least once in ``Relay/upkeepInterval``, so that a count of turns that stays
/// the same is a loop that stands still: its thread is starved, or stuck in its own work. The time is
/// the looking loop's own, which leaves out what the whole process stood still for: nobody is blamed
/// for that (I10).
struct LoopWatch: Equatable, Sendable {
    /// What a look has found about another loop.
    enum Finding: Equatable, Sendable {
        /// It stands still for ``limit`` now.
        case stalled(loop: Int)
        /// It turns again, after so long.
        case turns(loop: Int, after: Nanoseconds)
    }

    private struct Other: Equatable {
        var turns: UInt64
        /// When the count was first seen as it is.
        var since: Instant
        var isStalled = false
    }

    /// The time without a turn after which nothing is given to a loop or waited for from it.
    static let patience = Nanoseconds.seconds(2)
    /// The time without a turn after which the daemon is not ready.
    static let limit = Nanoseconds.seconds(5)

    private let own: Int
    private var others: [Other] = []
    /// For each loop whether nothing is to be expected of it at present.
    private(set) var absent: [Bool]

    /// Begins with loops that have not turned; `own` is the one that looks.
    init(own: Int, loops: Int) {
        self.own = own
        absent = loops > 1 ? Array(repeating: false, count: loops) : []
    }

    /// Whether a loop stands still for so long that the daemon is not ready.
    var hasFoundStall: Bool { stalled > 0 }

    /// How many loops stand still.
    private(set) var stalled = 0

    /// Whether this loop is the one to tell of what was found about `loop`: the first that turns.
    func tells(of loop: Int) -> Bool {
        others.indices.prefix(own).allSatisfy { $0 == loop || others[$0].isStalled }
    }

    /// Looks at the counts of turns of all loops; one that has ended has nil.
    mutating func look(at turns: [UInt64?], now: Instant) -> [Finding] {
        guard turns.count > 1 else { return [] }
        if others.isEmpty { others = turns.map { Other(turns: $0 ?? 0, since: now) } }
        var findings: [Finding] = []
        for loop in turns.indices where loop != own {
            let isGone = turns[loop] == nil
            let count = turns[loop] ?? .max
            if count != others[loop].turns || isGone {
                if others[loop].isStalled, !isGone {
                    findings.append(.turns(loop: loop, after: now - others[loop].since))
                }
                others[loop] = Other(turns: count, since: now)
            }
            let span = now - others[loop].since
            absent[loop] = isGone || span >= Self.patience
            if span >= Self.limit, !others[loop].isStalled {
                others[loop].isStalled = true
                findings.append(.stalled(loop: loop))
            }
        }
        stalled = others.count { $0.isStalled }
        return findings
    }
}
