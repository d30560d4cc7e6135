// What is looked at when all settings are known: names that nobody knows, and values that do not go
// together.
extension SettingsLoader {
    mutating func warnOfUnknownVariables() {
        let known = SettingsTable.rows.map(\.variable)
        for name in environment.keys.sorted()
        where name.hasPrefix("STATUS_") && !known.contains(name)
            && !ServiceVariables.isMade(name, environment[name] ?? "")
        {
            if let advice = SettingsTable.former[name] {
                warn(name, advice)
                continue
            }
            let hint = NearestName.find(name, among: known).map { "; was \($0) meant?" } ?? ""
            let shown = String(name.debugDescription.dropFirst().dropLast())
            warn(shown, "is not a setting of this daemon\(hint)")
        }
    }

    /// Says what lets nobody in, or has no effect on who is let in.
    private mutating func warnOfListening() {
        for pattern in configuration.settings.allowedOrigins {
            guard let flaw = OriginPattern.flaw(of: pattern) else { continue }
            warn(
                "STATUS_ALLOWED_ORIGINS",
                "has a pattern that matches no page: \(pattern.debugDescription) \(flaw)")
        }
        guard let mode = configuration.settings.listenMode else { return }
        if case .tcp = configuration.settings.listenAddress {
            warn("STATUS_LISTEN_MODE", "has no effect: STATUS_LISTEN_ADDR is not a unix: path")
        } else if mode.admitsNobody {
            warn(
                "STATUS_LISTEN_MODE",
                "lets nobody but root connect: who may connect is who may write to the socket")
        }
    }

    /// Says which sizes end connections that do nothing unusual.
    private mutating func warnOfNarrowSizes() {
        let settings = configuration.settings
        if settings.maxMessageSize < 64 {
            warn(
                "STATUS_MAX_MESSAGE_SIZE",
                "is under 64 bytes: pages whose init or pong says more than its type are closed")
        }
        if settings.memoryBudget < settings.maxPayloadSize {
            warn(
                "STATUS_MEMORY_BUDGET",
                "is less than STATUS_MAX_PAYLOAD_SIZE: one such payload disconnects its page")
        }
    }

    mutating func warnOfUnlikelyValues() {
        let settings = configuration.settings
        if settings.pongTimeout < .seconds(60) {
            // Browsers slow the timers of pages in the background to one run a minute.
            warn(
                "STATUS_PONG_TIMEOUT",
                "is under 60s: pages in the background, whose timers browsers slow down to one run"
                    + " a minute, may be cut off")
        }
        if settings.pongTimeout <= settings.pingInterval {
            warn(
                "STATUS_PONG_TIMEOUT",
                "is not longer than STATUS_PING_INTERVAL: clients are cut off between two"
                    + " heartbeats")
        }
        if settings.pingInterval >= .seconds(60) {
            warn(
                "STATUS_PING_INTERVAL",
                "is not under 60s, the time after which proxies close a connection that is silent")
        }
        warnOfListening()
        warnOfNarrowSizes()
        if let network = settings.trustedProxies.boundless {
            warn(
                "STATUS_TRUSTED_PROXIES",
                "has \(network): whoever connects from there gives itself any address it likes")
        }
        if settings.redisSentinelUsername != nil, settings.redisSentinelPassword == nil {
            warn(
                "STATUS_REDIS_SENTINEL_USERNAME",
                "has no effect without STATUS_REDIS_SENTINEL_PASSWORD")
        }
        if settings.redisRetryBase > settings.redisRetryMax {
            warn(
                "STATUS_REDIS_RETRY_BASE",
                "is longer than STATUS_REDIS_RETRY_MAX, which is the wait before every attempt")
        }
        if settings.maxConnectionsPerAddress > 0, settings.trustedProxies.isEmpty {
            // Behind a proxy all clients would share the proxy's one address.
            warn(
                "STATUS_MAX_CONNECTIONS_PER_ADDRESS",
                "has no effect without STATUS_TRUSTED_PROXIES")
        }
    }

    mutating func checkTLS() {
        let tls = configuration.settings.redisTLS
        guard configuration.settings.redis.usesTLS else {
            guard tls != RedisTLSSettings() else { return }
            for row in SettingsTable.redisTLS
            where row.print(configuration.settings) != row.defaultText {
                warn(row.variable, "has no effect: the URL of Redis is not rediss://")
            }
            return
        }
        let files = [
            (RedisTLSSettings.certificateVariable, tls.certificateFile),
            (RedisTLSSettings.keyVariable, tls.keyFile),
        ]
        for (present, missing) in [(files[0], files[1]), (files[1], files[0])]
        where !present.1.isEmpty && missing.1.isEmpty {
            refuse(present.0, "needs \(missing.0) beside it")
        }
        if tls.skipsVerification {
            warn(
                RedisTLSSettings.skipsVerificationVariable,
                "is on: whoever is between here and Redis can read and change everything")
        }
    }
}
