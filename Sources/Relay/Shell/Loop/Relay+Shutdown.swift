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
    /// The deadline is over, and another loop has not ended.
    case overdue
}

// The way down: not ready, no more accepts, every client sent away, an end in bounded time.
extension Relay where S: ~Copyable {
    /// How much longer than its own deadline the first loop waits for the others.
    static var overdueLimit: Nanoseconds { .seconds(1) }

    /// Whether the way down is so far that it ends with the last client.
    var isLeaving: Bool {
        switch drain {
        case .notBegun, .announced: false
        case .departing, .ending, .overdue: phase == .draining
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
        case .draining, .stopped: return context.options.onSecondSignal(signal)
        // Nobody was ever told that it is ready.
        case .starting: delay = .zero
        case .serving: delay = settings.drainDelay
        }
        context.log.server.info(
            "shutdown signal received",
            metadata: [
                "signal": .stringConvertible(signal),
                "connections": .stringConvertible(place.share.webSockets),
                "delay_ms": .stringConvertible(delay.milliseconds),
                "window_ms": .stringConvertible(settings.drainWindow.milliseconds),
            ])
        announceDrain()
        context.tellLoops(.drain)
        context.options.onShutdown()
        tellServiceOfShutdown(delay: delay)
        guard delay > .zero else { return beginDepartures() }
        context.loop.arm(shutdownTimer, at: context.loop.now + delay)
    }

    /// The daemon is not ready from now on; everything else goes on.
    mutating func announceDrain() {
        context.phase = .draining
        drain = .announced
    }

    /// The shutdown's timer has fired.
    mutating func continueShutdown() {
        switch drain {
        case .announced: beginDepartures()
        case .departing(let schedule): sendAway(schedule)
        case .ending: endShutdown()
        case .overdue: finishShutdown()
        case .notBegun: break
        }
    }

    /// Closes the listener and deals the window out to the clients; the first loop begins, so that
    /// no connection comes to another any more.
    mutating func beginDepartures() {
        lastDeparture = context.loop.now + settings.drainWindow
        acceptor.close(&context)
        endAllKeptStreams()
        let leaving = clients.ids.filter { id in
            switch clients.connections[id].machine.state {
            case .opening, .open: true
            case .request, .closing, .finishing: false
            }
        }
        if place.isFirst {
            let elsewhere = place.others.reduce(0) { $0 + place.share.loops[$1].webSocketCount }
            context.log.server.info(
                "draining: no more connections are taken",
                metadata: ["connections": .stringConvertible(leaving.count + elsewhere)])
            // Behind the count: the others begin to send theirs away at once.
            context.tellLoops(.depart)
        }
        sendAway(
            DrainSchedule(
                clients: leaving, window: settings.drainWindow, seed: context.loop.sys.random(),
                now: context.loop.now))
    }

    /// Sends away whoever is due.
    private mutating func sendAway(_ schedule: DrainSchedule) {
        var schedule = schedule
        while let departure = schedule.next(now: context.loop.now) {
            guard clients.contains(departure.client) else { continue }
            endSubscription(ofPage: departure.client)
            if settings.sendsHangup {
                clients.closeWebSocket(
                    departure.client, code: WebSocketCloseCode.normal, because: .shutdown,
                    sendsHangup: true, &context)
            } else {
                clients.closeWebSocket(
                    departure.client, code: WebSocketCloseCode.serviceRestart,
                    because: .restart(retryMilliseconds: departure.retry.milliseconds),
                    sendsHangup: false, &context)
            }
        }
        if let deadline = schedule.nextDeadline {
            drain = .departing(schedule)
            context.loop.arm(shutdownTimer, at: deadline)
        } else {
            endDepartures()
        }
    }

    /// All are told. Requests that are not complete by now are not waited for.
    private mutating func endDepartures() {
        drain = .ending
        for id in clients.ids where clients.connections[id].machine.state == .request {
            clients.close(id, .shutdown, &context)
        }
        context.loop.arm(shutdownTimer, at: context.loop.now + settings.shutdownTimeout)
    }

    /// The time for the shutdown is over: who is still there is cut off.
    private mutating func endShutdown() {
        guard phase == .draining else { return }
        if clients.count > 0 {
            context.log.server.error(
                "graceful shutdown failed",
                metadata: [
                    "error": "timed out; connections are cut",
                    "connections": .stringConvertible(clients.count),
                ])
        }
        for id in clients.ids { clients.close(id, .shutdown, &context) }
        guard !mayEnd else { return }
        // The pages of this loop may have been the first to go, and those of another are not yet due.
        drain = .overdue
        let deadline = max(context.loop.now, lastDeparture + settings.shutdownTimeout)
        context.loop.arm(shutdownTimer, at: deadline + Self.overdueLimit)
    }

    /// Whether nothing but the loop's own connections keeps it: the first ends behind the others,
    /// whose links its broker may serve.
    var mayEnd: Bool { !place.isFirst || place.share.haveOthersEnded }

    /// Everybody is gone: the links, the broker and the loop end.
    mutating func finishShutdown() {
        if case .stopped = phase { return }
        for id in clients.ids { clients.close(id, .shutdown, &context) }
        settle()
        if let probe = links.probe, links.contains(probe) { close(probe) }
        for id in links.ids { close(id) }
        broker.close(&context)
        if admin.trace != nil { endAdminTrace() }
        admin.close(&context)
        context.phase = .stopped(fatal: nil)
        guard !place.isFirst else { return context.log.server.info("status2 stopped") }
        leaveReport()
        place.state.hasEnded = true
        place.share.post(.ended(loop: place.index, fatal: nil), to: 0)
    }
}
