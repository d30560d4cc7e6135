/// Makes a ``Configuration`` of an environment and of flags; it reads nothing else.
///
/// A flag wins over its variable, and an empty variable counts as unset. A value that is refused
/// leaves the default in force, but for a Redis URL: to relay from another Redis than the one that
/// was meant would be worse than not to start.
public struct SettingsLoader {
    private let environment: [String: String]
    private let flags: [String: String]
    private let embeddedBroker: EmbeddedBrokerAddress?
    private var configuration = Configuration()

    /// Loads a configuration.
    ///
    /// - Parameters:
    ///   - environment: the process's environment, of which other variables are passed over.
    ///   - flags: the values by flag, without dashes (`ping-interval`).
    ///   - embeddedBroker: where the broker within the process listens, which then stands for Redis,
    ///     whatever the environment says.
    public static func load(
        environment: [String: String], flags: [String: String],
        embeddedBroker: EmbeddedBrokerAddress? = nil
    ) -> Configuration {
        var loader = SettingsLoader(
            environment: environment, flags: flags, embeddedBroker: embeddedBroker)
        for row in SettingsTable.rows {
            loader.load(row)
        }
        loader.refuseUnknownFlags()
        loader.warnOfUnknownVariables()
        loader.warnOfUnlikelyValues()
        loader.checkTLS()
        return loader.configuration
    }

    private init(
        environment: [String: String], flags: [String: String],
        embeddedBroker: EmbeddedBrokerAddress?
    ) {
        // An empty variable is an unset one, as in the Go service; an empty flag is a value, so
        // that a list can be emptied.
        self.environment = environment.filter { !$0.value.isEmpty }
        self.flags = flags
        self.embeddedBroker = embeddedBroker
    }

    private mutating func load(_ row: SettingRow) {
        let origin: ValueOrigin
        if row.variable == SettingsTable.redisURL.variable {
            origin = embeddedBroker.map { useBroker(at: $0, row) } ?? loadRedis(row)
        } else if let text = flags[row.flag] {
            origin = apply(row, text, name: "--\(row.flag)", origin: .flag("--\(row.flag)"))
        } else if let text = environment[row.variable] {
            origin = apply(row, text, name: row.variable, origin: .environment([row.variable]))
        } else {
            origin = .standard
        }
        configuration.entries.append(
            EffectiveSetting(
                variable: row.variable, value: row.print(configuration.settings), origin: origin))
    }

    private mutating func apply(
        _ row: SettingRow, _ text: String, name: String, origin: ValueOrigin
    ) -> ValueOrigin {
        let isFlag = flags[row.flag] != nil
        func problem(_ reason: String, _ outcome: ConfigurationProblem.Outcome)
            -> ConfigurationProblem
        {
            ConfigurationProblem(
                name: name, refusedValue: text, reason: reason,
                outcome: isFlag ? .usageError : outcome)
        }
        do throws(InvalidValue) {
            for remark in try row.apply(text, &configuration.settings) {
                configuration.problems.append(problem(remark, .kept))
            }
            return origin
        } catch {
            configuration.problems.append(problem(error.reason, .fallback(row.defaultText)))
            return .standard
        }
    }

    private mutating func loadRedis(_ row: SettingRow) -> ValueOrigin {
        let source = RedisSource(environment: environment, flag: flags[row.flag])
        do throws(RedisSource.Refusal) {
            let (target, origin) = try source.resolve()
            configuration.settings.redis = target
            return origin
        } catch {
            configuration.problems.append(
                ConfigurationProblem(
                    name: error.name, refusedValue: error.shownValue, reason: error.reason,
                    outcome: flags[row.flag] == nil ? .fatal : .usageError))
            return .standard
        }
    }

    private mutating func useBroker(
        at broker: EmbeddedBrokerAddress, _ row: SettingRow
    ) -> ValueOrigin {
        configuration.settings.redis.address = .tcp(host: broker.host, port: broker.port)
        if flags[row.flag] != nil {
            configuration.problems.append(
                ConfigurationProblem(
                    name: "--\(row.flag)", refusedValue: nil,
                    reason: "cannot be given together with --embedded-redis", outcome: .usageError))
        }
        // Both ends of the connection are ours: the broker asks for the password that is sent.
        configuration.settings.redis.password = environment["REDIS_PASSWORD"].map { Secret($0) }
        for name in [row.variable] + SettingsTable.companions.map(\.variable)
        where name != "REDIS_PASSWORD" && environment[name] != nil {
            warn(name, "is passed over, since --embedded-redis is given", isAdvice: true)
        }
        return .flag("--embedded-redis")
    }

    private mutating func refuseUnknownFlags() {
        for flag in flags.keys.sorted() where SettingsTable.row(flag: flag) == nil {
            configuration.problems.append(
                ConfigurationProblem(
                    name: "--\(flag)", refusedValue: nil, reason: "is not a setting",
                    outcome: .usageError))
        }
    }

    private mutating func warnOfUnknownVariables() {
        let known = SettingsTable.rows.map(\.variable)
        for name in environment.keys.sorted()
        where name.hasPrefix("STATUS_") && !known.contains(name) {
            if let advice = SettingsTable.former[name] {
                warn(name, advice)
                continue
            }
            let hint = NearestName.find(name, among: known).map { "; was \($0) meant?" } ?? ""
            let shown = String(name.debugDescription.dropFirst().dropLast())
            configuration.warnings.append(
                ConfigurationWarning(
                    name: shown, reason: "is not a setting of this daemon\(hint)", isAdvice: false))
        }
    }

    private mutating func warnOfUnlikelyValues() {
        let settings = configuration.settings
        if settings.pongTimeout < .seconds(60) {
            // Browsers slow the timers of pages in the background to one run a minute.
            warn(
                "STATUS_PONG_TIMEOUT",
                "is under 60s: pages in the background, whose timers browsers slow down to one run"
                    + " a minute, may be cut off", isAdvice: true)
        }
        if settings.pongTimeout <= settings.pingInterval {
            warn(
                "STATUS_PONG_TIMEOUT",
                "is not longer than STATUS_PING_INTERVAL: clients are cut off between two"
                    + " heartbeats")
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

    private mutating func checkTLS() {
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
            configuration.problems.append(
                ConfigurationProblem(
                    name: present.0, refusedValue: nil, reason: "needs \(missing.0) beside it",
                    outcome: .fatal))
        }
        if tls.skipsVerification {
            warn(
                RedisTLSSettings.skipsVerificationVariable,
                "is on: whoever is between here and Redis can read and change everything",
                isAdvice: true)
        }
    }

    private mutating func warn(_ name: String, _ reason: String, isAdvice: Bool = false) {
        configuration.warnings.append(
            ConfigurationWarning(name: name, reason: reason, isAdvice: isAdvice))
    }
}

/// Finds the name that a mistyped one was meant to be.
enum NearestName {
    /// The candidate that is fewest edits away; nil where none is within three.
    static func find(_ name: String, among candidates: [String]) -> String? {
        var best: (name: String, distance: Int)?
        for candidate in candidates {
            let distance = distance(Array(name.utf8), Array(candidate.utf8))
            if distance <= 3 && distance < best?.distance ?? .max {
                best = (candidate, distance)
            }
        }
        return best?.name
    }

    /// The insertions, deletions and replacements of bytes that make one name of the other.
    static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
        var previous = Array(0...right.count)
        for (row, byte) in left.enumerated() {
            var current = [row + 1]
            for (column, other) in right.enumerated() {
                let replaced = previous[column] + (byte == other ? 0 : 1)
                current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
            }
            previous = current
        }
        return previous[right.count]
    }
}
