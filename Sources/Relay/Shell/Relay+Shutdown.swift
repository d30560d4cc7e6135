import Logging
import WSFrame

// The way down: no more accepts, every client sent away, an end in bounded time.
extension Relay where S: ~Copyable {
    /// Begins the shutdown; a second signal ends the process by the system's own hand.
    mutating func beginShutdown(signal: Int32) {
        switch phase {
        case .draining, .stopped: return
        case .starting, .serving: break
        }
        log.server.info(
            "shutting down",
            metadata: [
                "signal": .stringConvertible(signal),
                "connections": .stringConvertible(metrics.connectionsActive),
            ])
        phase = .draining
        options.onShutdown()
        if let descriptor = listener.take() { loop.sys.close(descriptor, reset: false) }
        let code =
            settings.hangupOnShutdown
            ? WebSocketCloseCode.normal : WebSocketCloseCode.serviceRestart
        for id in clients.ids {
            switch clients[id].machine.state {
            case .request:
                closeClient(id, .shutdown)
            case .opening, .open:
                closeWebSocket(
                    id, code: code, because: .shutdown, sendsHangup: settings.hangupOnShutdown)
            case .closing, .finishing: break
            }
        }
        loop.arm(shutdownTimer, at: loop.now + settings.shutdownTimeout)
    }

    /// The time for the shutdown is over: who is still there is cut off.
    mutating func endShutdown() {
        guard phase == .draining else { return }
        if clients.count > 0 {
            log.server.warning(
                "shutdown timed out; connections are cut",
                metadata: ["connections": .stringConvertible(clients.count)])
        }
        for id in clients.ids { closeClient(id, .shutdown) }
    }

    /// Everybody is gone: the links, the broker and the loop end.
    mutating func finishShutdown() {
        if let probe, links.contains(probe) { closeLink(probe) }
        for id in links.ids { closeLink(id) }
        for id in sessions.ids { closeSession(id) }
        if let descriptor = brokerListener.take() {
            loop.sys.close(descriptor, reset: false)
        }
        log.server.info("stopped")
        phase = .stopped(fatal: nil)
    }
}
