import Logging

// The configuration is read again (SIGHUP) and taken up as far as no page has to be closed for it.
extension Relay where S: ~Copyable {
    /// Reads the configuration again; where something is wrong with it, nothing is changed.
    mutating func reload() {
        guard phase != .draining, let read = context.options.reload else {
            context.log.server.info("reload signal ignored: the daemon is shutting down")
            return
        }
        // Before Redis has answered, the service manager still waits for the first word.
        let isTold = phase == .serving
        if isTold { tellService(.reloading) }
        defer { if isTold { tellServiceOfStart() } }
        let configuration = read()
        guard configuration.problems.isEmpty else {
            context.log.server.error(
                "the configuration was read again and is faulty; nothing is changed",
                metadata: [
                    "error": "\(configuration.problems.map(\.fault).joined(separator: "; "))"
                ])
            return
        }
        for warning in configuration.warnings { context.log.server.warning("\(warning)") }
        var former = settings
        former.loops = context.options.loopSetting
        var change = SettingsChange(
            from: former, to: configuration.settings,
            ownsRedis: context.options.embeddedBroker != nil)
        change.settings.loops = settings.loops
        if !change.applied.isEmpty {
            apply(change.settings)
            context.tellLoops(.settings(change.settings))
        }
        // What was done is told by the more talkative of both levels.
        context.log.setLevel(min(former.logLevel, settings.logLevel))
        logReload(change)
        context.log.setLevel(settings.logLevel)
    }

    private mutating func logReload(_ change: SettingsChange) {
        var metadata: Logger.Metadata = [:]
        if !change.applied.isEmpty {
            metadata["applied"] = "\(SettingsChange.values(of: change.applied, in: settings))"
        }
        if let tls = links.tls {
            switch tls.refresh() {
            case .unchanged: break
            case .reloaded: metadata["certificates"] = "reloaded"
            case .refused(let error): metadata["certificates"] = "\(error)"
            }
        }
        guard change.postponed.isEmpty else {
            metadata["restart"] = "\(change.postponed.joined(separator: " "))"
            context.log.server.warning(
                "configuration reloaded; what is named takes a restart", metadata: metadata)
            return
        }
        let outcome = metadata.isEmpty ? "; nothing has changed" : ""
        context.log.server.info("configuration reloaded\(outcome)", metadata: metadata)
    }

    /// Takes up settings that differ from those in force in nothing that takes a restart.
    ///
    /// Pages that are open have the new time-outs from now on; limits of messages are those of
    /// connections to come. Links to Redis use them from their next connection on.
    mutating func apply(_ settings: Settings) {
        let former = self.settings
        context.configuration = SharedSettings(settings)
        router = Router(settings: settings)
        context.log.setLevel(settings.logLevel)
        links.trace?.mask(RedisAccess(settings).secrets)
        context.options.connectionLimit =
            settings.maxConnections == 0
            ? context.options.mostConnections
            : min(settings.maxConnections, context.options.mostConnections)
        if settings.acceptRate != former.acceptRate {
            acceptor.adopt(ratePerSecond: settings.acceptRate)
        }
        if place.isAlone { memory.allowance = settings.memoryBudget }
        clients.adoptSettings(&context)
        if isOverBudget { keepMemoryBudget() }
    }
}
