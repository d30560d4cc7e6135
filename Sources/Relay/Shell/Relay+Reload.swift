import Logging

// The configuration is read again (SIGHUP) and taken up as far as no page has to be closed for it.
extension Relay where S: ~Copyable {
    /// Reads the configuration again; where something is wrong with it, nothing is changed.
    mutating func reload() {
        guard phase != .draining, let read = options.reload else {
            log.server.info("reload signal ignored: the daemon is shutting down")
            return
        }
        // Before Redis has answered, the service manager still waits for the first word.
        let isTold = phase == .serving
        if isTold { tellService(.reloading) }
        defer { if isTold { tellServiceOfStart() } }
        let configuration = read()
        guard configuration.problems.isEmpty else {
            log.server.error(
                "the configuration was read again and is faulty; nothing is changed",
                metadata: [
                    "error": "\(configuration.problems.map(\.description).joined(separator: "; "))"
                ])
            return
        }
        for warning in configuration.warnings { log.server.warning("\(warning)") }
        var former = settings
        former.loops = options.loopSetting
        var change = SettingsChange(
            from: former, to: configuration.settings, ownsRedis: options.embeddedBroker != nil)
        change.settings.loops = settings.loops
        if !change.applied.isEmpty {
            apply(change.settings)
            tellLoops(.settings(change.settings))
        }
        // What was done is told by the more talkative of both levels.
        log.setLevel(min(former.logLevel, settings.logLevel))
        logReload(change)
        log.setLevel(settings.logLevel)
    }

    private mutating func logReload(_ change: SettingsChange) {
        var metadata: Logger.Metadata = [:]
        if !change.applied.isEmpty {
            metadata["applied"] = "\(SettingsChange.values(of: change.applied, in: settings))"
        }
        if let tls {
            switch tls.refresh() {
            case .unchanged: break
            case .reloaded: metadata["certificates"] = "reloaded"
            case .refused(let error): metadata["certificates"] = "\(error)"
            }
        }
        guard change.postponed.isEmpty else {
            metadata["restart"] = "\(change.postponed.joined(separator: " "))"
            log.server.warning(
                "configuration reloaded; what is named takes a restart", metadata: metadata)
            return
        }
        let outcome = metadata.isEmpty ? "; nothing has changed" : ""
        log.server.info("configuration reloaded\(outcome)", metadata: metadata)
    }

    /// Takes up settings that differ from those in force in nothing that takes a restart.
    ///
    /// Pages that are open have the new time-outs from now on; limits of messages are those of
    /// connections to come. Links to Redis use them from their next connection on.
    mutating func apply(_ settings: Settings) {
        let former = self.settings
        configuration = SharedSettings(settings)
        router = Router(settings: settings)
        log.setLevel(settings.logLevel)
        trace?.mask(RedisAccess(settings).secrets)
        options.connectionLimit =
            settings.maxConnections == 0
            ? options.mostConnections : min(settings.maxConnections, options.mostConnections)
        if settings.acceptRate != former.acceptRate {
            acceptBucket = TokenBucket(
                ratePerSecond: settings.acceptRate, burst: Self.acceptBurst)
        }
        if place.isAlone { memoryAllowance = settings.memoryBudget }
        for id in clients.ids {
            clients[id].machine.adopt(configuration, now: loop.now, seed: loop.sys.random())
            arm(client: id)
        }
        if loop.bufferedBytes > memoryAllowance { keepMemoryBudget() }
    }
}
