import CLinux
import Glibc
import Synchronization

/// What other threads have for one event loop: answers of name look-ups, and the word to wake up.
final class Inbox: Sendable {
    private let answers = Mutex<[SysEvent]>([])
    /// Becomes readable when there is something.
    let descriptor: Descriptor

    init() throws(SystemError) {
        descriptor = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        guard descriptor >= 0 else { throw .last }
    }

    deinit {
        _ = close(descriptor)
    }

    /// Ends the loop's wait, or the next one.
    func wake() {
        _ = eventfd_write(descriptor, 1)
    }

    /// Puts an answer in and wakes the loop.
    func post(_ answer: SysEvent) {
        answers.withLock { $0.append(answer) }
        wake()
    }

    /// Moves what has come to `events`.
    func takeAnswers(into events: inout [SysEvent]) {
        var count: eventfd_t = 0
        _ = unsafe eventfd_read(descriptor, &count)
        events += answers.withLock { take(&$0) }
    }
}
