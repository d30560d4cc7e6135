import Logging

// The door: which connections are taken, and when taking pauses.
extension Relay where S: ~Copyable {
    mutating func acceptClients() {
        guard let listener else { return }
        for _ in 0..<Self.acceptLimit {
            switch loop.sys.accept(listener) {
            case .wouldBlock:
                return
            case .failed(let error):
                pauseAccepting(error)
                return
            case .accepted(let descriptor, let peer):
                admit(descriptor, peer: peer)
            }
        }
    }

    private mutating func admit(_ descriptor: Descriptor, peer: String) {
        guard clients.count < options.clientLimit else {
            loop.sys.close(descriptor, reset: true)
            metrics.refusals["client_limit", default: 0] += 1
            return
        }
        let phase = loop.sys.random()
        let now = loop.now
        let id = clients.insert { id in
            ClientEntry(
                machine: ClientConnection(configuration: configuration, phase: phase, now: now),
                socket: loop.makeSocket(token: Token(.client, id)), peer: peer,
                openedAt: now)
        }
        loop.adopt(descriptor, in: &clients[id].socket)
        arm(client: id)
    }

    /// Out of descriptors or memory: accepting pauses instead of failing in a circle.
    private mutating func pauseAccepting(_ error: SystemError) {
        metrics.acceptFailures += 1
        if case .logged(let suppressed) = acceptLogLimit.admit(at: loop.now) {
            log.server.error(
                "accept failed; accepting pauses",
                metadata: [
                    "error": "\(error.reason)", "suppressed": .stringConvertible(suppressed),
                ])
        }
        guard let listener else { return }
        loop.sys.rewatch(listener, token: Token(.listener), for: [])
        loop.arm(acceptTimer, at: loop.now + Self.acceptPause)
    }

    mutating func resumeAccepting() {
        guard let listener else { return }
        loop.sys.rewatch(listener, token: Token(.listener), for: .read)
    }
}
