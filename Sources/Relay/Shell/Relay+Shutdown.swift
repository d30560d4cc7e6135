import Logging
import WSFrame

/// How far the way down has been gone.
enum DrainStage {
    case notBegun
    /// `/ready` says no, and everything else goes on, until a load balancer has turned elsewhere.
    case announced
    /// Nobody is let in any more, and the clients are sent away one after the other.
    case departing(DrainSchedule)
    /// All are told; who does not go is cut off at the deadline.
    case ending
}

// The way down: not ready, no more accepts, every client sent away, an end in bounded time.
extension Relay where S: ~Copyable {
    /// Whether the way down is so far that it ends with the last client.
    var isLeaving: Bool {
        switch drain {
        case .notBegun, .announced: false
        case .departing, .ending: phase == .draining
        }
    }

    /// Whether an upgrade is accepted.
    var takesWebSockets: Bool {
        if case .announced = drain { return true }
        return phase == .serving
    }

    /// Begins the shutdown; a second signal ends the process at once, by its handler or, where it
    /// came together with the first, from here.
    mutating func beginShutdown(signal: Int32) {
        let delay: Nanoseconds
        switch phase {
        case .draining, .stopped: return options.onSecondSignal(signal)
        // Nobody was ever told that it is ready.
        case .starting: delay = .zero
        case .serving: delay = settings.drainDelay
        }
        log.server.info(
            "shutdown signal received",
            metadata: [
                "signal": .stringConvertible(signal),
                "connections": .stringConvertible(metrics.connectionsActive),
                "delay_ms": .stringConvertible(delay.milliseconds),
                "window_ms": .stringConvertible(settings.drainWindow.milliseconds),
            ])
        phase = .draining
        options.onShutdown()
        guard delay > .zero else { return beginDepartures() }
        drain = .announced
        loop.arm(shutdownTimer, at: loop.now + delay)
    }

    /// The shutdown's timer has fired.
    mutating func continueShutdown() {
        switch drain {
        case .announced: beginDepartures()
        case .departing(let schedule): sendAway(schedule)
        case .ending: endShutdown()
        case .notBegun: break
        }
    }

    /// Closes the listener and deals the window out to the clients.
    private mutating func beginDepartures() {
        if let descriptor = listener.take() { loop.sys.stopListening(descriptor) }
        let leaving = clients.ids.filter { id in
            switch clients[id].machine.state {
            case .opening, .open: true
            case .request, .closing, .finishing: false
            }
        }
        log.server.info(
            "draining: no more connections are taken",
            metadata: ["connections": .stringConvertible(leaving.count)])
        sendAway(
            DrainSchedule(
                clients: leaving, window: settings.drainWindow, seed: loop.sys.random(),
                now: loop.now))
    }

    /// Sends away whoever is due.
    private mutating func sendAway(_ schedule: DrainSchedule) {
        var schedule = schedule
        while let departure = schedule.next(now: loop.now) {
            guard clients.contains(departure.client) else { continue }
            endSubscription(of: departure.client)
            if settings.sendsHangup {
                closeWebSocket(
                    departure.client, code: WebSocketCloseCode.normal, because: .shutdown,
                    sendsHangup: true)
            } else {
                closeWebSocket(
                    departure.client, code: WebSocketCloseCode.serviceRestart,
                    because: .restart(retryMilliseconds: departure.retry.milliseconds),
                    sendsHangup: false)
            }
        }
        if let deadline = schedule.nextDeadline {
            drain = .departing(schedule)
            loop.arm(shutdownTimer, at: deadline)
        } else {
            endDepartures()
        }
    }

    /// All are told. Requests that are not complete by now are not waited for.
    private mutating func endDepartures() {
        drain = .ending
        for id in clients.ids where clients[id].machine.state == .request {
            closeClient(id, .shutdown)
        }
        loop.arm(shutdownTimer, at: loop.now + settings.shutdownTimeout)
    }

    /// The time for the shutdown is over: who is still there is cut off.
    private mutating func endShutdown() {
        guard phase == .draining else { return }
        if clients.count > 0 {
            log.server.error(
                "graceful shutdown failed",
                metadata: [
                    "error": "timed out; connections are cut",
                    "connections": .stringConvertible(clients.count),
                ])
        }
        for id in clients.ids { closeClient(id, .shutdown) }
    }

    /// Everybody is gone: the links, the broker and the loop end.
    mutating func finishShutdown() {
        if let probe, links.contains(probe) { closeLink(probe) }
        for id in links.ids { closeLink(id) }
        for id in sessions.ids { closeSession(id) }
        if let descriptor = brokerListener.take() { loop.sys.stopListening(descriptor) }
        log.server.info("status2 stopped")
        phase = .stopped(fatal: nil)
    }
}
