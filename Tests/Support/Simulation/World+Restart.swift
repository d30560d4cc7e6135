@testable import Relay

// The end of a process that nobody has asked for, and what its kernel does then.
extension World {
    /// Kills the daemon: the kernel closes all that it had, and for a while nobody listens.
    func killDaemon(for span: Nanoseconds) {
        note(.killed, Int(span.milliseconds))
        for listener in listeners { stopListening(listener.descriptor) }
        for case let connection? in connections where connection.isHeld && !connection.isClosed {
            close(connection.descriptor, reset: false)
        }
        readyList = []
        readyHead = 0
        answers = []
        signals = []
        pendingLookUps = pendingLookUps.map { _ in nil }
        formerTokens = []
        dueStandstill = (0, 0)
        isInterrupted = false
        hasServed = false
        restart = nil
        processNumber += 1
        standing = (-1, 0)
        pass(span.count)
    }
}
