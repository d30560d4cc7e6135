import Synchronization

/// What the canary has found: messages that the daemon sends through Redis to a page of its own.
///
/// The canary has a thread of its own and writes this; the loops read it for `/ready` and `/metrics`.
final class Canary: Sendable {
    /// What has been found so far.
    struct Findings: Equatable, Sendable {
        /// From before the message is published until it has come to the page.
        var latency = Histogram()
        /// Messages that did not come in time.
        var misses: UInt64 = 0
        /// The last so many were missed.
        var missesInARow = 0

        /// Whether Redis takes messages that do not come back. One alone may be the machine's doing.
        var isLost: Bool { missesInARow >= Canary.missLimit }
    }

    /// Messages that are missed one after the other until the canary counts as lost.
    static let missLimit = 2

    private let state = Mutex(Findings())
    private let started = Atomic(false)
    private let stopped = Atomic(false)

    /// What has been found so far.
    var findings: Findings { state.withLock { $0 } }

    /// Whether messages do not come back at present.
    var isLost: Bool { findings.isLost }

    /// Whether Redis has answered: before that no page is let in, this one's neither.
    var isStarted: Bool { started.load(ordering: .relaxed) }

    /// Lets the canary fly.
    func start() { started.store(true, ordering: .relaxed) }

    /// Whether the daemon is on its way down, and the canary with it.
    var isStopped: Bool { stopped.load(ordering: .relaxed) }

    /// Lets the canary end.
    func stop() { stopped.store(true, ordering: .relaxed) }

    /// A message has come; returns whether the canary had been lost.
    func delivered(after span: Nanoseconds) -> Bool {
        state.withLock { findings in
            defer { findings.missesInARow = 0 }
            findings.latency.add(span)
            return findings.isLost
        }
    }

    /// A message has not come in time; returns whether the canary is lost from now on.
    func missed() -> Bool {
        state.withLock { findings in
            let wasLost = findings.isLost
            findings.misses += 1
            findings.missesInARow += 1
            return findings.isLost && !wasLost
        }
    }
}
