import Synchronization

/// What an event loop is told by the others; each tells it once, in the order of the telling.
enum LoopMessage: Equatable, Sendable {
    /// A connection was accepted for the loop and counted as its own.
    case accepted(Descriptor, peer: SocketAddress)
    /// A page comes back to a stream of this loop; its connection is counted as this loop's.
    case comesBack(HandOver)
    /// There is no room for another connection: one that is no WebSocket and has been here for so
    /// long is to give way.
    case makeRoom(olderThan: Nanoseconds)
    /// Redis has answered for the first time.
    case redisAnswers
    /// Redis answers again, or this master of a cluster: links to it need not wait for their next attempt.
    case redisIsBack(RedisEndpoint?)
    /// A link was refused its log-in: the probe is to log in anew.
    case logInRefused(LinkFailure)
    /// The master that the Sentinels name: links to another one are to be made again.
    case master(SentinelService.Endpoint)
    /// A node of the cluster has told where its slots are; when it was asked.
    case topology(ClusterTopology, askedAt: BootTime, isSure: Bool)
    /// Something was learned that a node of the cluster may know more of: one is to be asked soon.
    case topologyWanted
    /// The files of passwords and URL have changed.
    case credentials(RedisAccess)
    /// The configuration was read again: these are in force.
    case settings(Settings)
    /// The first in the queue of dials is a link of the loop.
    case gateIsOpen
    /// The memory budget is used up, and the loop holds the most.
    case holdsMost
    /// The trace is to be switched on or off.
    case trace(isOn: Bool)
    /// The trace that the admin listener was asked for begins, or ends.
    case adminTrace(AdminTraceOrder?)
    /// Lines of that trace wait for its reader.
    case traceLines
    /// What a debug page shows of the loop is wanted.
    case ask(DebugQuestion, number: UInt64, by: Int)
    /// What it shows of a loop.
    case answer(DebugAnswer, number: UInt64, of: Int)
    /// A shutdown has begun: the daemon is not ready any more.
    case drain
    /// No more connections are taken: the clients are to be sent away.
    case depart
    /// The process ends at once.
    case end
    /// A loop has ended; the text is the one clear line of a fatal error.
    case ended(loop: Int, fatal: String?)
    /// The figures are wanted for the metrics that this loop was asked for.
    case report(to: Int)
    /// The figures of a loop have been left in the share.
    case reported(by: Int)
}

/// The messages for one event loop: a queue behind a lock, and a flag that tells whether it is empty,
/// so that a turn without messages takes no lock.
final class LoopInbox: Sendable {
    private let messages = Mutex<[LoopMessage]>([])
    private let hasSome = Atomic(false)
    private let wake: @Sendable () -> Void

    /// Makes an empty inbox; `wake` ends the loop's wait, from any thread.
    init(wake: @escaping @Sendable () -> Void = {}) {
        self.wake = wake
    }

    /// Whether there are none.
    var isEmpty: Bool { !hasSome.load(ordering: .acquiring) }

    /// Puts a message at the end, and wakes the loop where it may be asleep.
    func post(_ message: LoopMessage) {
        let isFirst = messages.withLock { messages in
            messages.append(message)
            return !hasSome.exchange(true, ordering: .acquiringAndReleasing)
        }
        if isFirst { wake() }
    }

    /// Takes all messages.
    func takeAll() -> [LoopMessage] {
        messages.withLock { messages in
            hasSome.store(false, ordering: .releasing)
            return take(&messages)
        }
    }
}
