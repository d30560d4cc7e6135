import Glibc
import Synchronization

/// Opens the writer of the trace when it is first needed, and knows what it has dropped.
final class TraceWriter: Sendable {
    /// Bytes of lines of the trace that may wait (8 MiB).
    private static let capacity = 8 << 20

    private let options: TraceOptions
    private let writer = Mutex<LogWriter?>(nil)

    init(_ options: TraceOptions) { self.options = options }

    /// Lines that were dropped so far.
    var dropped: UInt64 { writer.withLock { $0?.dropped ?? 0 } }

    /// The writer, on the file that was asked for or on standard error.
    @Sendable func open() throws(SystemError) -> any LogSink {
        if let opened = writer.withLock({ $0 }) { return opened }
        let format = options.format
        let queue = LineQueue(capacity: Self.capacity) { count in
            TraceFormatter.line(dropped: count, at: WallClock.unixTime(), format: format)
        }
        let opened: LogWriter
        if let file = options.file {
            let output = try LineOutput.file(path: file.path, limit: file.limit)
            opened = try LogWriter(output: output, queue: queue)
        } else {
            opened = try LogWriter(
                output: LineOutput(descriptor: STDERR_FILENO), queue: queue)
        }
        writer.withLock { $0 = opened }
        return opened
    }

    /// Waits until the last lines are written, at most `limit`.
    func drain(atMost limit: Nanoseconds) {
        writer.withLock { $0 }?.drain(atMost: limit)
    }
}
