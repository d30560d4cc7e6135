/// Makes a ``Configuration`` of an environment, of flags and of the files that they name; it reads
/// nothing else.
///
/// A flag wins over its variable, and an empty variable counts as unset. A value that is refused
/// leaves the default in force where that is no wider than any value may be meant; elsewhere it ends
/// the start (``SettingRow/Refusal``).
public struct SettingsLoader {
    let environment: [String: String]
    let texts: TextSources
    private let embeddedBroker: EmbeddedBrokerAddress?
    private(set) var configuration = Configuration()
    /// Where the value of each row comes from, in the table's order.
    private var origins: [ValueOrigin] = []

    /// Loads a configuration.
    ///
    /// - Parameters:
    ///   - environment: the process's environment, of which other variables are passed over.
    ///   - flags: the values by flag, without dashes (`ping-interval`).
    ///   - embeddedBroker: where the broker within the process listens, which then stands for Redis,
    ///     whatever the environment says.
    ///   - readFile: reads the files that hold secrets.
    public static func load(
        environment: [String: String], flags: [String: String],
        embeddedBroker: EmbeddedBrokerAddress? = nil,
        readFile: @escaping SecretFile.Read
    ) -> Configuration {
        var file: EnvironmentFile?
        var refusal: TextSources.Refusal?
        do throws(TextSources.Refusal) {
            file = try EnvironmentFile.find(
                environment: environment, flags: flags, readFile: readFile)
        } catch {
            refusal = error
        }
        var loader = SettingsLoader(
            environment: environment, file: file, flags: flags, embeddedBroker: embeddedBroker,
            readFile: readFile)
        if let refusal { loader.refuse(refusal) }
        for row in SettingsTable.rows {
            let origin = loader.load(row)
            loader.origins.append(origin)
        }
        loader.listEntries()
        loader.refuseUnknownFlags()
        loader.warnOfUnknownVariables()
        loader.warnOfUnlikelyValues()
        loader.checkTLS()
        if embeddedBroker == nil {
            loader.configuration.redisReload = RedisReload(
                loader.texts, loader.configuration.settings)
        }
        return loader.configuration
    }

    private init(
        environment: [String: String], file: EnvironmentFile?, flags: [String: String],
        embeddedBroker: EmbeddedBrokerAddress?, readFile: @escaping SecretFile.Read
    ) {
        // An empty variable is an unset one, as in the Go service; an empty flag is a value, so
        // that a list can be emptied.
        var values = environment
        // The file that is read is the one that was named from outside.
        for (name, value) in file?.values ?? [:] where name != EnvironmentFile.variable {
            values[name] = value
        }
        self.environment = values.filter { !$0.value.isEmpty }
        texts = TextSources(
            environment: self.environment, file: file, flags: flags, readFile: readFile)
        self.embeddedBroker = embeddedBroker
    }

    private mutating func load(_ row: SettingRow) -> ValueOrigin {
        if row.variable == SettingsTable.redisURL.variable {
            return embeddedBroker.map { useBroker(at: $0, row) } ?? loadRedis()
        }
        let hasFile = SettingsTable.fileRow(of: row.variable) != nil
        do throws(TextSources.Refusal) {
            guard let found = try texts.find(row.variable, flag: row.flag, hasFile: hasFile)
            else { return .standard }
            return apply(row, found)
        } catch {
            refuse(error)
            return .standard
        }
    }

    private mutating func apply(_ row: SettingRow, _ found: TextSources.Found) -> ValueOrigin {
        do throws(InvalidValue) {
            try row.apply(found.text, &configuration.settings)
            return found.origin
        } catch {
            let outcome: ConfigurationProblem.Outcome =
                switch row.refusal {
                case .fallback: .fallback(row.defaultText)
                case .fatal: .fatal
                }
            add(
                ConfigurationProblem(
                    name: found.name, refusedValue: found.path ?? found.text, reason: error.reason,
                    outcome: found.isFlag ? .usageError : outcome))
            return .standard
        }
    }

    private mutating func refuse(_ refusal: TextSources.Refusal) {
        add(
            ConfigurationProblem(
                name: refusal.name, refusedValue: refusal.shownValue, reason: refusal.reason,
                outcome: refusal.name.hasPrefix("--") ? .usageError : .fatal))
    }

    /// Takes a problem up, but for a second one of the same name: a password's file is looked at
    /// for the URL, for the password and for itself.
    private mutating func add(_ problem: ConfigurationProblem) {
        guard !configuration.problems.contains(where: { $0.name == problem.name }) else { return }
        configuration.problems.append(problem)
    }

    private mutating func loadRedis() -> ValueOrigin {
        do throws(TextSources.Refusal) {
            let resolution = try RedisSource(texts: texts).resolve()
            configuration.settings.redis = resolution.target
            configuration.settings.redisTLS.take(resolution.tls)
            for remark in resolution.remarks { warn(remark.name, remark.reason) }
            return resolution.origin
        } catch {
            refuse(error)
            return .standard
        }
    }

    private mutating func useBroker(
        at broker: EmbeddedBrokerAddress, _ row: SettingRow
    ) -> ValueOrigin {
        configuration.settings.redis.address = .tcp(host: broker.host, port: broker.port)
        for flag in ["redis-url", "redis-url-file"] where texts.flags[flag] != nil {
            configuration.problems.append(
                ConfigurationProblem(
                    name: "--\(flag)", refusedValue: nil,
                    reason: "cannot be given together with --embedded-redis", outcome: .usageError))
        }
        // Both ends of the connection are ours: the broker asks for the password that is sent.
        do throws(TextSources.Refusal) {
            let password = try RedisSource(texts: texts).password()
            configuration.settings.redis.password = password.map { Secret($0.text) }
        } catch {
            refuse(error)
        }
        let others = [
            "STATUS_REDIS_URL", "STATUS_REDIS_URL_FILE", "REDIS_URL", "REDIS_URL_FILE",
            "REDIS_HOST",
            "REDIS_PORT",
        ]
        for name in others where environment[name] != nil {
            warn(name, "is passed over, since --embedded-redis is given")
        }
        return .flag("--embedded-redis")
    }

    private mutating func listEntries() {
        let urlOrigin = zip(SettingsTable.rows, origins)
            .first { $0.0.variable == SettingsTable.redisURL.variable }?.1
        configuration.entries = zip(SettingsTable.rows, origins).map { row, origin in
            let value = row.print(configuration.settings)
            // An option of the URL may have set what no setting of its own has.
            let isOfURL = origin == .standard && value != row.defaultText
            return EffectiveSetting(
                variable: row.variable, value: value,
                origin: isOfURL ? urlOrigin ?? origin : origin)
        }
    }

    private mutating func refuseUnknownFlags() {
        for flag in texts.flags.keys.sorted() where SettingsTable.row(flag: flag) == nil {
            configuration.problems.append(
                ConfigurationProblem(
                    name: "--\(flag)", refusedValue: nil, reason: "is not a setting",
                    outcome: .usageError))
        }
    }

    mutating func warn(_ name: String, _ reason: String) {
        configuration.warnings.append(ConfigurationWarning(name: name, reason: reason))
    }

    mutating func refuse(_ name: String, _ reason: String) {
        configuration.problems.append(
            ConfigurationProblem(name: name, refusedValue: nil, reason: reason, outcome: .fatal))
    }
}

extension RedisTLSSettings {
    /// Stores what a URL's options say.
    fileprivate mutating func take(_ options: RedisURLQuery.TLSOptions) {
        caFile = options.caFile ?? caFile
        certificateFile = options.certificateFile ?? certificateFile
        keyFile = options.keyFile ?? keyFile
        skipsVerification = options.skipsVerification ?? skipsVerification
    }
}
