import CLinux
import Glibc
import Synchronization

/// Writes lines from a thread of its own: the log's to standard output, the trace's elsewhere.
///
/// A terminal or a pipe that takes nothing must not stop the event loop: lines wait in a bounded
/// queue, and past the bound they are dropped and counted.
final class LogWriter: LogSink {
    /// Bytes of lines of the log that may wait (1 MiB).
    static let capacity = 1 << 20

    private struct State {
        var queue: LineQueue
        var isWriting = false
        var isRunning = false
    }

    private let state: Mutex<State>
    /// Used by the thread; by the caller only where there is none.
    private let output: Mutex<LineOutput>
    private let wakeUp: Descriptor

    /// Makes the writer and starts its thread; without a thread it writes in the caller's.
    init(
        output: consuming sending LineOutput = LineOutput(descriptor: STDOUT_FILENO),
        queue: LineQueue = LineQueue(capacity: LogWriter.capacity)
    ) throws(SystemError) {
        self.output = Mutex(output)
        state = Mutex(State(queue: queue))
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC))
        guard wakeUp >= 0 else { throw .last }
        state.withLock { $0.isRunning = true }
        if !Thread.start({ [self] in run() }) { state.withLock { $0.isRunning = false } }
    }

    /// Lines that were dropped so far.
    var dropped: UInt64 { state.withLock { $0.queue.dropped } }

    func write(_ line: [UInt8]) {
        // The thread takes all that waits, so that only the first line has to wake it.
        let outcome: LineQueue.Outcome? = state.withLock { state in
            state.isRunning ? state.queue.append(line) : nil
        }
        switch outcome {
        case .first: _ = eventfd_write(wakeUp, 1)
        case .queued, .dropped: break
        case nil: _ = output.withLock { $0.write(line) }
        }
    }

    /// Waits until what is pending is written, at most `limit`; for the end of the process.
    func drain(atMost limit: Nanoseconds) {
        let pause: Int32 = 1
        for _ in 0..<max(1, limit.milliseconds) {
            let isDone = state.withLock {
                !$0.isRunning || ($0.queue.isEmpty && !$0.isWriting)
            }
            if isDone { return }
            _ = poll(nil, 0, pause)
        }
    }

    private func run() {
        while true {
            var count: eventfd_t = 0
            _ = unsafe eventfd_read(wakeUp, &count)
            let batch = state.withLock { state in
                let batch = state.queue.takeAll()
                state.isWriting = !batch.isEmpty
                return batch
            }
            let lost = output.withLock { $0.write(batch) }
            state.withLock { state in
                state.queue.addDropped(lost)
                state.isWriting = false
            }
        }
    }
}
