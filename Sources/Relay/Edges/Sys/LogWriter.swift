import CLinux
import Glibc
import Synchronization

/// Writes lines from a thread of its own: the log's to standard output, the trace's elsewhere.
///
/// A terminal or a pipe that takes nothing must not stop the event loop: lines wait in a bounded
/// queue, and past the bound they are dropped and counted. The first line of a quiet time is written at
/// once; those that follow soon are written together, so that thousands of pages that come at once do
/// not wake the thread for each.
final class LogWriter: LogSink {
    /// Bytes of lines of the log that may wait (1 MiB).
    static let capacity = 1 << 20

    /// How long the thread rests after it has written, while lines gather: 2 ms.
    private static let rest: Int32 = 2

    private struct State {
        var queue: LineQueue
        var isWriting = false
        /// Whether the thread will look for lines by itself.
        var isResting = false
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
        let (outcome, wakes): (LineQueue.Outcome?, Bool) = state.withLock { state in
            guard state.isRunning else { return (nil, false) }
            let wasHalfFull = state.queue.isHalfFull
            let outcome = state.queue.append(line)
            // The thread takes all that waits, so that only the first line has to wake it, and none while
            // it rests, unless there is more than can wait for long.
            let isFirst = outcome == .first && !state.isResting
            return (outcome, isFirst || state.queue.isHalfFull && !wasHalfFull)
        }
        if wakes { _ = eventfd_write(wakeUp, 1) }
        if outcome == nil { _ = output.withLock { $0.write(line) } }
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
            awaitLines()
            let batch = state.withLock { state in
                let batch = state.queue.takeAll()
                state.isWriting = !batch.isEmpty
                state.isResting = !batch.isEmpty
                return batch
            }
            guard !batch.isEmpty else { continue }
            let lost = output.withLock { $0.write(batch) }
            state.withLock { state in
                state.queue.addDropped(lost)
                state.isWriting = false
            }
        }
    }

    /// Waits to be woken; while it rests no longer than that.
    private func awaitLines() {
        if state.withLock({ $0.isResting }) {
            var waiting = pollfd(fd: wakeUp, events: Int16(POLLIN), revents: 0)
            guard unsafe poll(&waiting, 1, Self.rest) > 0 else { return }
        }
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(wakeUp, &count)
    }
}
