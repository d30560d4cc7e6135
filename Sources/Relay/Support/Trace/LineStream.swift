import Synchronization

/// Lines on their way to who reads them over a connection: written by any event loop, taken by the one
/// that has the connection.
///
/// What waits is bounded; past it lines are dropped, and a line tells of how many at their place.
final class LineStream: LogSink {
    /// Bytes of lines that may wait.
    static let capacity = 1 << 20

    private let queue: Mutex<LineQueue>
    /// Tells the loop that takes the lines that there are some.
    private let wake: @Sendable () -> Void

    /// Makes an empty stream; `note` makes the line that tells of lines that were dropped.
    init(
        capacity: Int = LineStream.capacity, note: @escaping @Sendable (UInt64) -> [UInt8],
        wake: @escaping @Sendable () -> Void = {}
    ) {
        queue = Mutex(LineQueue(capacity: capacity, note: note))
        self.wake = wake
    }

    /// Lines that were dropped so far.
    var dropped: UInt64 { queue.withLock { $0.dropped } }

    func write(_ line: [UInt8]) {
        if queue.withLock({ $0.append(line) }) == .first { wake() }
    }

    /// Takes all that waits.
    func takeAll() -> [UInt8] { queue.withLock { $0.takeAll() } }
}
