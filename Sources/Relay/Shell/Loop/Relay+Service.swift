/// What the service manager has been told, and what it did not take.
struct ServiceReport {
    /// A notice that is told again with the next look, since the manager's socket was full.
    var pending: ServiceNotice?
    /// The last words about how the daemon is.
    var words = ""
}

// What the service manager is told (sd_notify(3)) by the first loop: each change at once, and once a
// second that all loops turn.
extension Relay where S: ~Copyable {
    /// How long until it is looked again whether all loops turn: twice in the watchdog's time at least.
    var upkeepPause: Nanoseconds {
        guard let interval = context.options.service.watchdogInterval else {
            return Self.upkeepInterval
        }
        return min(Self.upkeepInterval, Nanoseconds(interval.count / 2))
    }

    /// Tells the service manager of a change.
    mutating func tellService(_ notice: ServiceNotice) {
        guard place.isFirst, let tell = context.options.service.tell else { return }
        service.pending = tell(notice) ? nil : notice
    }

    /// Gives the sign of life, if every loop has turned lately, and says how the daemon is.
    mutating func reportToService() {
        guard place.isFirst, let tell = context.options.service.tell else { return }
        if context.options.service.watchdogInterval != nil, !watch.hasFoundStall {
            _ = tell(.watchdog)
        }
        if let pending = service.pending { tellService(pending) }
        let words = serviceStatus
        guard words != service.words, tell(.status(words)) else { return }
        service.words = words
    }

    /// Says that Redis has answered and pages are served.
    mutating func tellServiceOfStart() {
        service.words = serviceStatus
        tellService(.ready(service.words))
    }

    /// Says that the way down has begun, and how long it may take.
    mutating func tellServiceOfShutdown(delay: Nanoseconds) {
        // The last close frames and log lines come on top.
        let margin = Nanoseconds.seconds(5)
        tellService(
            .stopping(
                serviceStatus,
                atMost: delay + settings.drainWindow + settings.shutdownTimeout + margin))
    }

    /// How the daemon is, as `systemctl status` shows it.
    private var serviceStatus: String {
        let count = place.share.webSockets
        let pages = count == 1 ? "1 page" : "\(count) pages"
        switch phase {
        case .starting: return "Waiting for Redis at \(settings.redis)"
        case .serving:
            let redis = unreadiness.isEmpty ? "Redis answers" : "Redis does not answer"
            return "Serving \(pages), \(redis)"
        case .draining: return "Going down, \(pages) left"
        case .stopped: return "Stopped"
        }
    }
}
