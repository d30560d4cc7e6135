@testable import Relay

/// Who is at the other end of a connection.
enum Peer {
    case page(Page)
    case redis(RedisServer)
    /// Nobody that the world drives: a script does.
    case script(ScriptedPeer)
    /// A test, at this address: it writes and reads the kernel's buffers.
    case hand(SocketAddress)
}

/// A way through the network, which connections share.
final class Path {
    var latency: Nanoseconds
    /// Packets that are lost, of all.
    var loss = 0.0 { didSet { wasLossy = wasLossy || loss > 0 } }
    /// Bytes that get through in a second; nil for as many as come.
    var bytesPerSecond: Int?
    /// Nothing gets through, and nobody is told.
    var isDead = false { didSet { wasDead = wasDead || isDead } }
    /// Whether packets were ever lost on it, and whether it was ever dead: what was under way then may
    /// come much later, or never.
    private(set) var (wasLossy, wasDead) = (false, false)

    init(latency: Nanoseconds) { self.latency = latency }
}

/// One direction of a connection, as the network sees it.
struct Stream {
    /// Whether its next step is planned.
    var isPlanned = false
    /// How often the present bytes were sent in vain.
    var retransmissions = 0
    /// The monotonic time since when bytes are not acknowledged; nil when all are.
    var unacknowledgedSince: Int64?
    /// The end follows the bytes.
    var ends = false
    /// The end has arrived.
    var hasEnded = false
    /// The sender is gone: nobody is there for what comes back.
    var isGone = false
}

/// One connection, as the daemon's kernel has it and as the network carries it.
final class Connection {
    let descriptor: Descriptor
    let peer: Peer
    let path: Path

    // What the kernel holds.

    /// Bytes that have come and wait to be read.
    var toDaemon: [UInt8] = []
    /// Bytes that the daemon has written and that are not acknowledged.
    var fromDaemon: [UInt8] = []
    /// Bytes that the kernel holds for the daemon to read.
    var receiveCapacity = 1 << 18
    /// Bytes of the daemon's that the kernel holds.
    var sendCapacity = 1 << 18
    var peerHasEnded = false
    var daemonHasEnded = false
    /// The connection has failed; the daemon is told once.
    var failure: SystemError?
    var isFailed = false
    /// The peer's reset comes between the daemon's look at the connection and its next write.
    var isResetAtWrite = false
    /// Whether the dial that made the connection is decided, and how.
    var isDecided = true
    var dialError: SystemError?
    /// When it was dialed.
    var dialedAt: Int64 = 0
    var port: UInt16 = 0
    /// Nobody is at the address that was dialed, and nobody says so.
    var isToNobody = false
    /// The daemon has closed the descriptor.
    var isClosed = false
    /// Whether it is one that the daemon has accepted or dialed.
    var isHeld = false
    /// When it did so.
    var closedAt = Int64.max
    /// Whether it did so with a reset.
    var wasReset = false
    /// How often the daemon has written.
    var writes = 0
    /// The other end, where both are the daemon's, in a world that a test drives.
    weak var twin: Connection?
    var token: Token?
    /// The event loop that watches it.
    var loop = 0
    var interest: Interest = []
    /// Whether it stands on the list of those that may be ready.
    var isListed = false
    var keepAlive: KeepAlive?
    /// When the last bytes came, by the monotonic clock.
    var heardAt: Int64 = 0
    /// When the last bytes came.
    var spokenAt: Int64 = 0
    /// How long nothing had come before the last bytes that came after more than a second.
    var silence: Int64 = 0
    /// How long nothing had come when the daemon last wrote, or had been before.
    var silenceAtWrite: Int64 = 0

    // What the network holds.

    /// Bytes of the peer's that are on their way.
    var outbox: [UInt8] = []
    var outbound = Stream()
    var inbound = Stream()

    init(_ descriptor: Descriptor, peer: Peer, path: Path) {
        self.descriptor = descriptor
        self.peer = peer
        self.path = path
    }

    var isReadable: Bool {
        isFailed || isHungUp
            || interest.contains(.read) && isDecided && (!toDaemon.isEmpty || peerHasEnded)
    }

    var isWritable: Bool {
        isFailed || isHungUp
            || interest.contains(.write) && isDecided
                && (dialError != nil || hasRoom)
    }

    /// The connection fails, as a reset by the peer makes it: the daemon reads what has come, then
    /// the error.
    func fail(with error: SystemError) {
        guard !isFailed else { return }
        isFailed = true
        failure = error
    }

    /// A kernel tells of room once a third of the buffer is free.
    private var hasRoom: Bool { sendCapacity > 0 && fromDaemon.count <= sendCapacity / 3 * 2 }

    private var isHungUp: Bool { peerHasEnded && daemonHasEnded }
}
