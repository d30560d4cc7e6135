/// What the daemon counts since its start.
struct Metrics: Equatable, Sendable {
    /// WebSockets whose upgrade was accepted and which are not closed.
    var connectionsActive = 0
    /// Messages queued for a browser.
    var messagesForwarded: UInt64 = 0
    /// What became of the messages for all browsers, those that have left included.
    var ledger = Ledger()
    /// Connections whose ledger did not balance: it must stay at nothing (I9).
    var ledgerImbalances: UInt64 = 0
    /// How long messages took from Redis's bytes to the browser's socket.
    var delivery = Histogram()
    /// How long browsers took to answer heartbeats.
    var heartbeatRoundTrip = Histogram()
    /// How long Redis took to answer commands.
    var redisRoundTrip = Histogram()
    /// How late the loop came to its timers.
    var loopLag = Histogram()
    /// Ill-formed UTF-8 sequences that were replaced.
    var replacements: UInt64 = 0
    /// Notices of a gap that were sent to browsers.
    var gapNotices: UInt64 = 0
    /// Pages that have come back and got what they had missed.
    var resumesComplete: UInt64 = 0
    /// Pages that have come back to a stream that was not to be had, and were told of a gap.
    var resumesFailed: UInt64 = 0
    /// Messages that pages have got when they came back.
    var messagesReplayed: UInt64 = 0
    /// Notices of an interrupted subscription that were sent to browsers.
    var outageNotices: UInt64 = 0
    /// How often the loop stood still.
    var standstills: UInt64 = 0
    /// Event loops that were found standing still by another, the process's own standstills left
    /// out.
    var loopStalls: UInt64 = 0

    /// Links to Redis that were made again after a failure.
    var redisReconnects: UInt64 = 0
    /// The same by the cause of the failure.
    var redisReconnectsByCause: [String: UInt64] = [:]
    /// Failures of links, dials that failed included, by cause.
    var redisLinkFailures: [String: UInt64] = [:]
    /// What Redis sent that was wrong and ended no link, by kind.
    var redisRemarks: [String: UInt64] = [:]
    /// Commands to Redis that were not answered in time.
    var redisTimeouts: UInt64 = 0
    /// How often a server was suspected and all its links were asked.
    var redisSuspicions: UInt64 = 0
    /// Answers of a cluster's nodes that said where the slots are.
    var clusterTopologies: UInt64 = 0
    /// Redirections to another node of a cluster (`MOVED`).
    var clusterRedirections: UInt64 = 0
    /// Subscriptions that were in force at a node of a cluster and had to go to another.
    var clusterMoves: UInt64 = 0
    /// TLS handshakes with Redis that were done in full, with certificates.
    var tlsHandshakesFull: UInt64 = 0
    /// TLS handshakes with Redis that took up an earlier one.
    var tlsHandshakesResumed: UInt64 = 0
    /// The time during which subscriptions were interrupted, summed over those that came back or
    /// were given up.
    var redisOutage = Nanoseconds.zero

    /// Connections on which writing to the browser failed.
    var writeErrors: UInt64 = 0
    /// Text messages from browsers that were not JSON.
    var clientMessagesMalformed: UInt64 = 0
    /// Browsers disconnected because they took their bytes too slowly.
    var slowClients: UInt64 = 0
    /// WebSockets that have ended, by reason; the reasons are few and fixed.
    var connectionsEnded: [String: UInt64] = [:]
    /// Connections that ended without an upgrade, by reason; the reasons are few and fixed.
    var refusals: [String: UInt64] = [:]
    /// Accepts that failed for want of descriptors or memory.
    var acceptFailures: UInt64 = 0
    /// Pauses of accepting because connections came faster than they may.
    var acceptPauses: UInt64 = 0
}

/// What is not counted but looked at when somebody asks for the metrics.
struct MetricsReading: Equatable, Sendable {
    /// What this build is called.
    var release = Release()
    /// Whether the daemon can do its work.
    var isReady = false
    var isOriginCheckDisabled = false
    /// WebSockets that may be open at once.
    var connectionLimit = 0
    /// `STATUS_MEMORY_BUDGET`, in bytes.
    var memoryBudget = 0
    /// Messages that wait to be sent, in all connections.
    var queuedMessages = 0
    /// Bytes that wait to be sent to browsers.
    var queuedBytes = 0
    /// Bytes of memory that count towards `STATUS_MEMORY_BUDGET`.
    var bufferedBytes = 0
    /// Timers that are armed.
    var armedTimers = 0
    /// The time that the loop has stood still.
    var stoodStill = Nanoseconds.zero
    /// Links that are live.
    var liveLinks = 0
    /// Subscriptions that Redis has acknowledged.
    var liveSubscriptions = 0
    /// Subscriptions that are wanted and not in force: their pages get no messages.
    var pendingSubscriptions = 0
    /// Bytes of messages held for pages that may come back.
    var resumeBytes = 0
    /// Subscriptions that are kept for pages that may come back.
    var resumeKept = 0
    /// Links that are being made, for the first time or again.
    var pendingLinks = 0
    /// The time for which present interruptions of subscriptions have lasted, summed.
    var ongoingOutage = Nanoseconds.zero
    /// What the canary has found; nil where there is none.
    var canary: Canary.Findings?
    var logLinesDropped: UInt64 = 0
    var traceLinesDropped: UInt64 = 0
    var process = ProcessUsage()
    /// What each event loop has.
    var loops: [LoopFigures] = []
    /// Event loops that stand still at present.
    var stalledLoops = 0
    /// Event loops that have not answered in time, so that their last known figures are told.
    var unansweredLoops = 0
}

/// What is told of each event loop.
struct LoopFigures: Equatable, Sendable {
    /// WebSockets that are open.
    var connections = 0
    /// Turns so far.
    var turns: UInt64 = 0
}

/// What the process takes of its machine.
struct ProcessUsage: Equatable, Sendable {
    /// Processor time, in the kernel and outside.
    var processorTime = Nanoseconds.zero
    /// Memory that is really there, in bytes.
    var residentBytes = 0
    var openDescriptors = 0
    var descriptorLimit = 0
    /// The start of the process, in nanoseconds since the Unix epoch.
    var startedAtUnixTime: Int64 = 0
}
