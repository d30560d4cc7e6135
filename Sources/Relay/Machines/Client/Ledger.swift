/// Why a message that came from Redis did not reach its browser.
enum DropReason: String, CaseIterable, Sendable {
    /// Its payload was over `STATUS_MAX_PAYLOAD_SIZE`.
    case oversized
    /// The browser took its bytes too slowly and was disconnected.
    case slowClient = "slow_client"
    /// The browser's queue was the largest when `STATUS_MEMORY_BUDGET` was used up.
    case memoryBudget = "memory_budget"
    /// It came when the WebSocket was closing.
    case closing
    /// It waited to be sent when the connection was lost.
    case connectionLost = "connection_lost"
}

/// How many messages were dropped, by reason.
struct DropCounts: Equatable, Sendable {
    private var oversized: UInt64 = 0
    private var slowClient: UInt64 = 0
    private var memoryBudget: UInt64 = 0
    private var closing: UInt64 = 0
    private var connectionLost: UInt64 = 0

    /// The messages dropped for one reason.
    subscript(reason: DropReason) -> UInt64 {
        get {
            switch reason {
            case .oversized: oversized
            case .slowClient: slowClient
            case .memoryBudget: memoryBudget
            case .closing: closing
            case .connectionLost: connectionLost
            }
        }
        set {
            switch reason {
            case .oversized: oversized = newValue
            case .slowClient: slowClient = newValue
            case .memoryBudget: memoryBudget = newValue
            case .closing: closing = newValue
            case .connectionLost: connectionLost = newValue
            }
        }
    }

    /// The messages dropped for any reason.
    var total: UInt64 { oversized + slowClient + memoryBudget + closing + connectionLost }
}

/// What became of every message that Redis sent for one browser, or for all of them.
///
/// At all times `received = delivered + queued + dropped` (I9). A message is received when Redis
/// has sent it for a browser, delivered when the kernel has taken its last byte, and dropped with a
/// reason otherwise; what is queued is counted where it waits, by ``OutputQueue/messageCount``.
struct Ledger: Equatable, Sendable {
    /// Messages that Redis sent.
    var received: UInt64 = 0
    /// Messages that the kernel has taken.
    var delivered: UInt64 = 0
    /// Messages that came to nothing.
    var dropped = DropCounts()

    /// Whether every message is accounted for when `queued` messages wait.
    func isBalanced(queued: Int) -> Bool {
        received == delivered &+ UInt64(truncatingIfNeeded: queued) &+ dropped.total
    }
}
