/// A connected socket with its buffers and its timer, as the event loop keeps it.
struct Socket {
    /// The kernel's number, or -1 when there is no connection.
    var descriptor: Descriptor = -1
    let token: Token
    let timer: TimerID
    var interest: Interest = []
    var output = OutputQueue()
    var input = InputBuffer()
    /// When the timer is set to fire; it may be earlier than anything is due.
    var armedAt = Instant.never
    /// Whether the socket is on the list of those to be flushed at the end of the turn.
    var isDirty = false
    /// Whether our sending direction has been ended.
    var hasEnded = false

    var isOpen: Bool { descriptor >= 0 }
}
