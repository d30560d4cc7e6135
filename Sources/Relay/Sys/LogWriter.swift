import CLinux
import Glibc
import Synchronization

/// Writes log lines to standard output from a thread of its own.
///
/// A terminal or a pipe that takes nothing must not stop the event loop: lines wait in a bounded
/// queue, and past the bound they are dropped and counted.
final class LogWriter: LogSink {
    /// Bytes of lines that may wait (1 MiB).
    static let capacity = 1 << 20

    private struct State {
        var pending: [UInt8] = []
        var dropped: UInt64 = 0
        var isWriting = false
        var isRunning = false
    }

    private let state = Mutex(State())
    private let descriptor: Descriptor
    private let wakeUp: Descriptor

    /// Makes the writer and starts its thread; without a thread it writes in the caller's.
    init(descriptor: Descriptor = STDOUT_FILENO) throws(SystemError) {
        self.descriptor = descriptor
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC))
        guard wakeUp >= 0 else { throw .last }
        state.withLock { $0.isRunning = true }
        if !Thread.start({ [self] in run() }) { state.withLock { $0.isRunning = false } }
    }

    /// Lines that were dropped so far.
    var dropped: UInt64 { state.withLock { $0.dropped } }

    func write(_ line: [UInt8]) {
        let isRunning = state.withLock { state in
            if state.isRunning {
                if state.pending.count + line.count <= Self.capacity {
                    state.pending += line
                } else {
                    state.dropped += 1
                }
            }
            return state.isRunning
        }
        if isRunning { _ = eventfd_write(wakeUp, 1) } else { writeAll(line) }
    }

    /// Waits until what is pending is written, at most `limit`; for the end of the process.
    func drain(atMost limit: Nanoseconds) {
        let pause: Int32 = 1
        for _ in 0..<max(1, limit.milliseconds) {
            let isDone = state.withLock {
                !$0.isRunning || ($0.pending.isEmpty && !$0.isWriting)
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
                let batch = take(&state.pending)
                state.isWriting = !batch.isEmpty
                return batch
            }
            writeAll(batch)
            state.withLock { $0.isWriting = false }
        }
    }

    private func writeAll(_ bytes: [UInt8]) {
        unsafe bytes.withUnsafeBytes { raw in
            var written = 0
            while written < raw.count, let base = raw.baseAddress {
                let count = unsafe Glibc.write(descriptor, base + written, raw.count - written)
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN {
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = unsafe poll(&waiting, 1, 1000)
                } else if errno != EINTR {
                    return
                }
            }
        }
    }
}
