/// A connection to the admin listener with its socket.
struct AdminEntry: ~Copyable {
    var machine: AdminConnection
    var socket: Socket
}

/// The admin listener, which is the first loop's; and what each loop keeps for it.
struct AdminListener: ~Copyable {
    /// Connections at once; one more is closed unanswered.
    static var connectionLimit: Int { 32 }
    /// The longest wait for what other loops have to tell.
    static var answerLimit: Nanoseconds { .milliseconds(500) }

    var listener: Descriptor?
    /// Where it listens, with the port that was really bound.
    var boundAddress: SocketAddress?
    var router = AdminRouter(isUnixSocket: false)
    var connections = Slab<AdminEntry>()
    /// What other loops have been asked and have not all answered.
    var questions: [AdminQuestion] = []
    var questionCount: UInt64 = 0
    /// The trace that was asked for here, while it lasts.
    var trace: AdminTrace?
    /// Lines of former ones that were dropped because their reader was too slow.
    var formerDroppedLines: UInt64 = 0
    /// The WebSockets of this loop that have ended last.
    var closed = ClosedRing()

    /// Lines of traces that were dropped because their reader was too slow, of all loops.
    var droppedLines: UInt64 { formerDroppedLines + (trace?.order.lines?.dropped ?? 0) }
}

/// A question to all loops that is not answered yet.
struct AdminQuestion {
    let number: UInt64
    let connection: SlotID
    let question: DebugQuestion
    /// What has been answered so far.
    var answer: DebugAnswer
    /// The loops that have not answered.
    var missing: [Int]
}

/// A trace that was asked for by the admin listener, as every loop makes it.
struct AdminTraceOrder: Equatable, Sendable {
    let request: TraceRequest
    /// Where the lines go; nil for the configured sink.
    let lines: LineStream?

    static func == (left: AdminTraceOrder, right: AdminTraceOrder) -> Bool {
        left.request == right.request && left.lines === right.lines
    }
}

/// Such a trace while it lasts.
struct AdminTrace {
    let order: AdminTraceOrder
    /// When it ends by itself.
    let end: Instant
    /// The connection that its lines go to; of the first loop.
    var reader: SlotID?
}
