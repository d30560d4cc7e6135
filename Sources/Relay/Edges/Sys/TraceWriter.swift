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
        // Behind the lock as a whole: two loops must not make the file twice.
        try writer.withLock { writer throws(SystemError) in
            if let writer { return writer }
            let opened = try make()
            writer = opened
            return opened
        }
    }

    private func make() throws(SystemError) -> LogWriter {
        let format = options.format
        let queue = LineQueue(capacity: Self.capacity) { count in
            TraceFormatter.line(dropped: count, at: WallClock.unixTime(), format: format)
        }
        if let file = options.file {
            let output = try LineOutput.file(path: file.path, limit: file.limit)
            return try LogWriter(output: output, queue: queue)
        }
        return try LogWriter(output: LineOutput(descriptor: STDERR_FILENO), queue: queue)
    }

    /// Waits until the last lines are written, at most `limit`.
    func drain(atMost limit: Nanoseconds) {
        writer.withLock { $0 }?.drain(atMost: limit)
    }
}
