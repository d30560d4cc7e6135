@testable import Relay

// The end of a process that nobody has asked for, and what its kernel does then.
extension World {
    /// Kills the daemon: the kernel closes all that it had, and for a while nobody listens.
    func killDaemon(for span: Nanoseconds) {
        note(.killed, Int(span.milliseconds))
        for listener in listeners { stopListening(listener.descriptor) }
        for case let connection? in connections where isHeld(connection) {
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
        pass(span.count)
    }

    /// Whether a descriptor of the process stands for the connection.
    private func isHeld(_ connection: Connection) -> Bool {
        !connection.isClosed && connection.token != nil
    }
}
