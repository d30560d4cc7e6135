import Testing

@testable import Relay

@Suite("Loading the settings")
struct SettingsLoaderTests {
    private func load(
        _ environment: [String: String] = [:], flags: [String: String] = [:]
    ) -> Configuration {
        SettingsLoader.load(environment: environment, flags: flags, readFile: TestFiles.none)
    }

    private func entry(_ name: String, _ configuration: Configuration) -> EffectiveSetting? {
        configuration.entries.first { $0.variable == name }
    }

    @Test("of an empty environment gives the contract's defaults")
    func defaults() {
        let configuration = load(["PATH": "/bin", "STATUS_PING_INTERVAL": "", "STATUS_X": ""])
        let settings = configuration.settings
        #expect(settings == Settings())
        #expect(settings.listenAddress == .tcp(host: "", port: 9002))
        #expect(settings.redis.displayURL == "redis://localhost:6379/2")
        #expect(settings.pingInterval == .seconds(5))
        #expect(settings.pongTimeout == .seconds(75))
        #expect(settings.writeTimeout == .seconds(2))
        #expect(settings.redisRequestTimeout == .seconds(1))
        #expect(settings.redisPingInterval == .seconds(5))
        #expect(settings.redisMaxRetries == 5)
        #expect(settings.redisRetryBase == .seconds(1))
        #expect(settings.redisRetryMax == .seconds(30))
        #expect(settings.redisDialConcurrency == 64)
        #expect(settings.redisDialRate == 500)
        #expect(settings.shutdownTimeout == .seconds(15))
        #expect(settings.logLevel == .info)
        #expect(!settings.metricsEnabled && !settings.consoleEnabled)
        #expect(!settings.sendsHangup)
        #expect(settings.allowedOrigins.isEmpty)
        #expect(settings.maxMessageSize == 65_536)
        #expect(settings.maxPayloadSize == 1_048_576)
        #expect(settings.maxConnections == 0)
        #expect(configuration.problems.isEmpty && configuration.warnings.isEmpty)
        #expect(!configuration.isFaulty)
        #expect(configuration.entries.allSatisfy { $0.origin == .standard })
    }

    struct Change: Sendable, CustomTestStringConvertible {
        let variable: String
        let text: String
        let printed: String
        let expected: @Sendable (inout Settings) -> Void
        var testDescription: String { "\(variable)=\(text)" }

        init(
            _ variable: String, _ text: String, _ printed: String? = nil,
            _ expected: @escaping @Sendable (inout Settings) -> Void
        ) {
            (self.variable, self.text, self.printed) = (variable, text, printed ?? text)
            self.expected = expected
        }
    }

    static let changes: [Change] = [
        Change("STATUS_LISTEN_ADDR", "0.0.0.0:80") {
            $0.listenAddress = .tcp(host: "0.0.0.0", port: 80)
        },
        Change("STATUS_LISTEN_ADDR", "[::1]:0") { $0.listenAddress = .tcp(host: "::1", port: 0) },
        Change("STATUS_LISTEN_ADDR", "unix:/run/s") { $0.listenAddress = .unix(path: "/run/s") },
        Change("STATUS_REDIS_URL", "redis://u:p@h:1/3", "redis://u:***@h:1/3") {
            $0.redis.address = .tcp(host: "h", port: 1)
            ($0.redis.username, $0.redis.password, $0.redis.database) = ("u", Secret("p"), 3)
        },
        Change("STATUS_PING_INTERVAL", "1m30s", "90s") {
            $0.pingInterval = .seconds(90)
            $0.pongTimeout = .seconds(75)
        },
        Change("STATUS_PONG_TIMEOUT", "2m") { $0.pongTimeout = .seconds(120) },
        Change("STATUS_WRITE_TIMEOUT", "150ms") { $0.writeTimeout = .milliseconds(150) },
        Change("STATUS_REDIS_REQUEST_TIMEOUT", "0", "0s") { $0.redisRequestTimeout = .zero },
        Change("STATUS_REDIS_REQUEST_TIMEOUT", "-1s", "0s") { $0.redisRequestTimeout = .zero },
        Change("STATUS_REDIS_PING_INTERVAL", "1s") { $0.redisPingInterval = .seconds(1) },
        Change("STATUS_REDIS_MAX_RETRIES", "0") { $0.redisMaxRetries = 0 },
        Change("STATUS_REDIS_MAX_RETRIES", "-1", "0") { $0.redisMaxRetries = 0 },
        Change("STATUS_REDIS_RETRY_BASE", "1ms") { $0.redisRetryBase = .milliseconds(1) },
        Change("STATUS_REDIS_REQUEST_TIMEOUT", "10ms") {
            $0.redisRequestTimeout = .milliseconds(10)
        },
        Change("STATUS_PING_INTERVAL", "50ms") { $0.pingInterval = .milliseconds(50) },
        Change("STATUS_REDIS_RETRY_MAX", "1.5h", "90m") { $0.redisRetryMax = .seconds(5_400) },
        Change("STATUS_REDIS_DIAL_CONCURRENCY", "1") { $0.redisDialConcurrency = 1 },
        Change("STATUS_REDIS_DIAL_RATE", "20") { $0.redisDialRate = 20 },
        Change("STATUS_REDIS_TLS_CA_FILE", "/etc/ca.pem") { $0.redisTLS.caFile = "/etc/ca.pem" },
        Change("STATUS_REDIS_TLS_CERT_FILE", "a b.crt") { $0.redisTLS.certificateFile = "a b.crt" },
        Change("STATUS_REDIS_TLS_KEY_FILE", "a.key") { $0.redisTLS.keyFile = "a.key" },
        Change("STATUS_REDIS_TLS_SERVER_NAME", "fe80::1") { $0.redisTLS.serverName = "fe80::1" },
        Change("STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY", "T", "true") {
            $0.redisTLS.skipsVerification = true
        },
        Change("STATUS_SHUTDOWN_TIMEOUT", "0s") { $0.shutdownTimeout = .zero },
        Change("STATUS_SEND_HANGUP", "T", "true") { $0.sendsHangup = true },
        Change("STATUS_LOG_LEVEL", " WARNING ", "warn") { $0.logLevel = .warn },
        Change("STATUS_LOG_LEVEL", "debug") { $0.logLevel = .debug },
        Change("STATUS_LOG_LEVEL", "error") { $0.logLevel = .error },
        Change("STATUS_METRICS_ENABLED", "tRuE", "true") { $0.metricsEnabled = true },
        Change("STATUS_ADMIN_ADDR", "[::1]:9100", "[::1]:9100") {
            $0.adminAddress = .tcp(host: "::1", port: 9100)
        },
        Change("STATUS_CONSOLE_ENABLED", "1", "true") { $0.consoleEnabled = true },
        Change("STATUS_ALLOWED_ORIGINS", " a.example, ,*.b.example ", "a.example,*.b.example") {
            $0.allowedOrigins = ["a.example", "*.b.example"]
        },
        Change("STATUS_MAX_MESSAGE_SIZE", "65537") { $0.maxMessageSize = 65_537 },
        Change("STATUS_MAX_MESSAGE_SIZE", "64KB") { $0.maxMessageSize = 65_536 },
        Change("STATUS_MAX_MESSAGE_SIZE", "2kib", "2KB") { $0.maxMessageSize = 2_048 },
        Change("STATUS_MAX_MESSAGE_SIZE", "1MB") { $0.maxMessageSize = 1_048_576 },
        Change("STATUS_MAX_PAYLOAD_SIZE", "1024MiB", "1024MB") { $0.maxPayloadSize = 1 << 30 },
        Change("STATUS_REDIS_PASSWORD", "s3cr3t", "***") {
            $0.redisPassword = Secret("s3cr3t")
            $0.redis.password = Secret("s3cr3t")
        },
        Change("STATUS_REDIS_SENTINEL_USERNAME", "watcher") {
            $0.redisSentinelUsername = "watcher"
        },
        Change("STATUS_REDIS_SENTINEL_PASSWORD", "s3cr3t", "***") {
            $0.redisSentinelPassword = Secret("s3cr3t")
        },
        Change("STATUS_MAX_CONNECTIONS", "100") { $0.maxConnections = 100 },
        Change("STATUS_LISTEN_MODE", "0660") { $0.listenMode = SocketMode(0o660) },
        Change("STATUS_LISTEN_MODE", "600", "0600") { $0.listenMode = SocketMode(0o600) },
        Change("STATUS_LISTEN_MODE", "0o777", "0777") { $0.listenMode = SocketMode(0o777) },
        Change("STATUS_DRAIN_DELAY", "5s") { $0.drainDelay = .seconds(5) },
        Change("STATUS_DRAIN_WINDOW", "60s", "1m") { $0.drainWindow = .seconds(60) },
        Change("STATUS_ACCEPT_RATE", "0") { $0.acceptRate = 0 },
        Change("STATUS_MAX_MESSAGE_RATE", "7") { $0.maxMessageRate = 7 },
        Change("STATUS_LOOPS", "4") { $0.loops = 4 },
        Change(
            "STATUS_TRUSTED_PROXIES", " 10.1.2.3/8, ::1 ,,UNIX", "10.0.0.0/8,::1,unix"
        ) {
            $0.trustedProxies =
                (try? TrustedProxies(parsing: "10.0.0.0/8,::1,unix")) ?? TrustedProxies()
        },
    ]

    @Test("takes values from the environment", arguments: changes)
    func environment(change: Change) {
        let configuration = load([change.variable: change.text])
        var expected = Settings()
        change.expected(&expected)
        #expect(configuration.settings == expected)
        #expect(configuration.problems.isEmpty)
        #expect(entry(change.variable, configuration)?.value == change.printed)
        #expect(
            entry(change.variable, configuration)?.origin == .environment([change.variable]))
    }

    @Test("lets a flag win over the environment", arguments: changes)
    func flag(change: Change) throws {
        let row = try #require(SettingsTable.rows.first { $0.variable == change.variable })
        let configuration = load([change.variable: "?"], flags: [row.flag: change.text])
        var expected = Settings()
        change.expected(&expected)
        #expect(configuration.settings == expected)
        #expect(configuration.problems.isEmpty)
        #expect(entry(change.variable, configuration)?.origin == .flag("--\(row.flag)"))
    }

    static let refused: [(String, String)] = [
        ("STATUS_LISTEN_ADDR", "9002"), ("STATUS_LISTEN_ADDR", "h:"),
        ("STATUS_LISTEN_ADDR", "::1:9002"), ("STATUS_LISTEN_ADDR", ":65536"),
        ("STATUS_LISTEN_ADDR", ":http"), ("STATUS_LISTEN_ADDR", "h:+1"),
        ("STATUS_LISTEN_ADDR", "unix:relative"), ("STATUS_LISTEN_ADDR", "a b:1"),
        ("STATUS_PING_INTERVAL", "5"), ("STATUS_PING_INTERVAL", "0"),
        ("STATUS_PING_INTERVAL", "-5s"), ("STATUS_PING_INTERVAL", "soon"),
        ("STATUS_PONG_TIMEOUT", "0s"), ("STATUS_WRITE_TIMEOUT", "0"),
        ("STATUS_PING_INTERVAL", "1us"), ("STATUS_PING_INTERVAL", "49.999ms"),
        ("STATUS_PONG_TIMEOUT", "99ms"), ("STATUS_WRITE_TIMEOUT", "2us"),
        ("STATUS_REDIS_REQUEST_TIMEOUT", "1ns"), ("STATUS_REDIS_PING_INTERVAL", "9ms"),
        ("STATUS_REDIS_RETRY_BASE", "1ns"), ("STATUS_REDIS_RETRY_MAX", "999us"),
        ("STATUS_REDIS_REQUEST_TIMEOUT", "1"), ("STATUS_REDIS_PING_INTERVAL", "0"),
        ("STATUS_REDIS_MAX_RETRIES", "five"), ("STATUS_REDIS_MAX_RETRIES", "5.0"),
        ("STATUS_REDIS_MAX_RETRIES", "99999999999999999999"), ("STATUS_REDIS_RETRY_BASE", "0"),
        ("STATUS_REDIS_RETRY_MAX", "-1s"), ("STATUS_REDIS_DIAL_CONCURRENCY", "0"),
        ("STATUS_REDIS_DIAL_RATE", "0"), ("STATUS_SHUTDOWN_TIMEOUT", "-1s"),
        ("STATUS_SEND_HANGUP", "yes"), ("STATUS_LOG_LEVEL", "verbose"),
        ("STATUS_METRICS_ENABLED", "on"), ("STATUS_METRICS_ENABLED", " true"),
        ("STATUS_CONSOLE_ENABLED", "2"), ("STATUS_MAX_MESSAGE_SIZE", "0"),
        ("STATUS_MAX_MESSAGE_SIZE", "-1"), ("STATUS_MAX_MESSAGE_SIZE", "64 KB"),
        ("STATUS_MAX_MESSAGE_SIZE", "KB"), ("STATUS_MAX_MESSAGE_SIZE", "1GB"),
        ("STATUS_MAX_MESSAGE_SIZE", "1025MB"), ("STATUS_MAX_PAYLOAD_SIZE", "0KB"),
        ("STATUS_MAX_PAYLOAD_SIZE", "9223372036854775807KB"), ("STATUS_MAX_CONNECTIONS", "-1"),
        ("STATUS_MAX_CONNECTIONS_PER_ADDRESS", "-1"), ("STATUS_ACCEPT_RATE", "fast"),
        ("STATUS_LOOPS", "65"), ("STATUS_LOOPS", "-1"), ("STATUS_LOOPS", "all"),
        ("STATUS_MAX_MESSAGE_RATE", "1000001"), ("STATUS_DRAIN_DELAY", "-1s"),
        ("STATUS_DRAIN_WINDOW", "10"), ("STATUS_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("STATUS_TRUSTED_PROXIES", "10.0.0.1,proxy.example"), ("STATUS_TRUSTED_PROXIES", ","),
        ("STATUS_ALLOWED_ORIGINS", "[a"), ("STATUS_ALLOWED_ORIGINS", "a.example,[b"),
        ("STATUS_ALLOWED_ORIGINS", ","), ("STATUS_ALLOWED_ORIGINS", " "),
        ("STATUS_ALLOWED_ORIGINS", "\"\""), ("STATUS_ALLOWED_ORIGINS", "[::1"),
        ("STATUS_LISTEN_MODE", "rw"), ("STATUS_LISTEN_MODE", "0888"),
        ("STATUS_LISTEN_MODE", "1777"), ("STATUS_LISTEN_MODE", "-660"),
        ("STATUS_LISTEN_MODE", "66"), ("STATUS_LISTEN_MODE", "00660"),
        ("STATUS_LISTEN_MODE", "0x1b0"), ("STATUS_LISTEN_MODE", " 0660"),
        ("STATUS_REDIS_TLS_CA_FILE", "a\0b"), ("STATUS_REDIS_TLS_CERT_FILE", "a\0b"),
        ("STATUS_REDIS_TLS_KEY_FILE", "a\0b"), ("STATUS_REDIS_TLS_SERVER_NAME", "a b"),
        ("STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY", "maybe"), ("STATUS_MEMORY_BUDGET", "much"),
        ("STATUS_GAP_NOTICES", "please"), ("STATUS_REDIS_URL_FILE", "a\0b"),
        ("STATUS_REDIS_PASSWORD_FILE", "a\0b"),
        ("STATUS_REDIS_SENTINEL_PASSWORD_FILE", "a\0b"),
        ("STATUS_RESUME_WINDOW", "-1s"), ("STATUS_RESUME_CHANNEL_BYTES", "0"),
        ("STATUS_REDIS_SUBSCRIPTIONS", "both"), ("STATUS_ADMIN_ADDR", ":9100"),
        ("STATUS_ADMIN_ADDR", "0.0.0.0:9100"), ("STATUS_ADMIN_ADDR", "admin"),
        ("STATUS_CANARY_INTERVAL", "often"), ("STATUS_CANARY_INTERVAL", "99ms"),
    ]

    @Test("ends the start or falls back to the default, as the row says", arguments: refused)
    func refusal(variable: String, text: String) throws {
        let row = try #require(SettingsTable.rows.first { $0.variable == variable })
        let configuration = load([variable: text])
        #expect(configuration.settings == Settings())
        let problem = try #require(configuration.problems.first)
        #expect(configuration.problems.count == 1)
        #expect(problem.name == variable)
        #expect(problem.refusedValue == text)
        #expect(problem.description.hasPrefix("\(variable)=\(text.debugDescription) "))
        #expect(entry(variable, configuration)?.origin == .standard)
        #expect(configuration.isFaulty && configuration.usageError == nil)
        switch row.refusal {
        case .fatal:
            #expect(configuration.fatal == problem)
        case .fallback:
            #expect(configuration.fatal == nil)
            #expect(problem.outcome == .fallback(row.defaultText))
            let shown = row.defaultText.isEmpty ? "empty" : row.defaultText
            #expect(problem.description.hasSuffix("the default is used: \(shown)"))
        }
    }

    /// The settings whose default would let in, trust or reach more than the value was meant to.
    static let narrowing: Set<String> = [
        "STATUS_LISTEN_ADDR", "STATUS_LISTEN_MODE", "STATUS_ALLOWED_ORIGINS", "STATUS_REDIS_URL",
        "STATUS_REDIS_URL_FILE",
        "STATUS_REDIS_PASSWORD", "STATUS_REDIS_PASSWORD_FILE", "STATUS_REDIS_SENTINEL_USERNAME",
        "STATUS_REDIS_SENTINEL_PASSWORD", "STATUS_REDIS_SENTINEL_PASSWORD_FILE",
        "STATUS_REDIS_TLS_CA_FILE", "STATUS_REDIS_TLS_CERT_FILE", "STATUS_REDIS_TLS_KEY_FILE",
        "STATUS_REDIS_TLS_SERVER_NAME", "STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY",
        "STATUS_MAX_CONNECTIONS", "STATUS_TRUSTED_PROXIES", "STATUS_MAX_CONNECTIONS_PER_ADDRESS",
        "STATUS_ADMIN_ADDR",
        "STATUS_ENV_FILE",
    ]

    @Test("ends the start for exactly the settings whose default is wider than what was meant")
    func refusals() {
        let fatal = SettingsTable.rows.filter { $0.refusal == .fatal }.map(\.variable)
        #expect(Set(fatal) == Self.narrowing)
        // A row whose texts can be refused is among the vectors, so that both outcomes are seen.
        let free: Set<String> = [
            "STATUS_ENV_FILE",
            "STATUS_REDIS_PASSWORD", "STATUS_REDIS_SENTINEL_USERNAME", "STATUS_REDIS_URL",
            "STATUS_REDIS_SENTINEL_PASSWORD",
        ]
        let tried = Set(Self.refused.map(\.0)).union(free)
        #expect(SettingsTable.rows.map(\.variable).filter { !tried.contains($0) } == [])
    }

    @Test("warns of patterns of origins that match no page, and of modes without effect")
    func unlikelyListening() {
        let origins = load(["STATUS_ALLOWED_ORIGINS": "a.example https://b.example/app \"[::1]\""])
        #expect(origins.settings.allowedOrigins == ["a.example", "https://b.example/app", "[::1]"])
        #expect(
            origins.warnings.map(\.description) == [
                "STATUS_ALLOWED_ORIGINS has a pattern that matches no page: \"https://b.example/app\""
                    + " has a path, which no origin has"
            ])
        #expect(!origins.isFaulty)
        let mode = load(["STATUS_LISTEN_MODE": "0660"])
        #expect(mode.warnings.map(\.name) == ["STATUS_LISTEN_MODE"])
        let unix = ["STATUS_LISTEN_ADDR": "unix:/run/s"]
        #expect(load(unix.merging(["STATUS_LISTEN_MODE": "0660"]) { $1 }).warnings.isEmpty)
        let closed = load(unix.merging(["STATUS_LISTEN_MODE": "0555"]) { $1 })
        #expect(closed.warnings.map(\.name) == ["STATUS_LISTEN_MODE"] && !closed.isFaulty)
    }

    @Test("takes a bad flag for a usage error", arguments: refused)
    func usageError(variable: String, text: String) throws {
        let row = try #require(SettingsTable.rows.first { $0.variable == variable })
        let configuration = load(flags: [row.flag: text])
        #expect(configuration.usageError?.name == "--\(row.flag)")
        #expect(configuration.usageError?.description.hasPrefix("--\(row.flag) \"") == true)
    }

    @Test("lets an empty flag empty a list, and refuses it elsewhere")
    func emptyFlag() {
        let list = load(["STATUS_ALLOWED_ORIGINS": "a"], flags: ["allowed-origins": ""])
        #expect(list.settings.allowedOrigins.isEmpty && list.problems.isEmpty)
        #expect(load(flags: ["ping-interval": ""]).usageError != nil)
        #expect(load(flags: ["no-such": "1"]).usageError?.name == "--no-such")
    }

    @Test("names the malformed pattern, and starts with none of the list")
    func malformedPattern() {
        let configuration = load(["STATUS_ALLOWED_ORIGINS": "a.example, [b"])
        #expect(configuration.fatal?.description.contains("\"[b\"") == true)
        #expect(load(flags: ["allowed-origins": "[a"]).usageError != nil)
    }

    @Test("warns of unknown names and guesses what was meant")
    func unknownNames() {
        let configuration = load([
            "STATUS_PING_INTERVALL": "1s", "STATUS_QUUX": "\u{1B}", "STATUS2_X": "1", "STATUS": "1",
        ])
        #expect(
            configuration.warnings.map(\.description) == [
                "STATUS_PING_INTERVALL is not a setting of this daemon; was STATUS_PING_INTERVAL"
                    + " meant?",
                "STATUS_QUUX is not a setting of this daemon",
            ])
        #expect(!configuration.isFaulty)
    }

    @Test("says what has taken the place of a former setting", arguments: ["true", "false"])
    func formerNames(value: String) throws {
        let configuration = load(["STATUS_HANGUP_ON_SHUTDOWN": value])
        #expect(configuration.settings == Settings())
        let warning = try #require(configuration.warnings.first)
        #expect(configuration.warnings.count == 1 && configuration.problems.isEmpty)
        #expect(warning.name == "STATUS_HANGUP_ON_SHUTDOWN")
        #expect(warning.reason.contains("STATUS_SEND_HANGUP"))
        for (name, advice) in SettingsTable.former {
            #expect(SettingsTable.rows.allSatisfy { $0.variable != name })
            #expect(SettingsTable.rows.contains { advice.contains($0.variable) })
        }
    }

    @Test("warns of unlikely values, none of which is a fault")
    func unlikely() {
        let short = load(["STATUS_PONG_TIMEOUT": "59.999s"])
        #expect(short.warnings.map(\.name) == ["STATUS_PONG_TIMEOUT"])
        #expect(!short.isFaulty)
        #expect(load(["STATUS_PONG_TIMEOUT": "60s"]).warnings.isEmpty)
        let reversed = load(["STATUS_REDIS_RETRY_BASE": "31s"])
        #expect(reversed.warnings.map(\.name) == ["STATUS_REDIS_RETRY_BASE"])
        #expect(!reversed.isFaulty)
        let slow = load(["STATUS_PING_INTERVAL": "75s"])
        #expect(slow.warnings.map(\.name) == ["STATUS_PONG_TIMEOUT", "STATUS_PING_INTERVAL"])
        #expect(load(["STATUS_PING_INTERVAL": "59s"]).warnings.isEmpty)
        #expect(
            load(["STATUS_MAX_MESSAGE_SIZE": "63"]).warnings.map(\.name)
                == ["STATUS_MAX_MESSAGE_SIZE"])
        #expect(
            load(["STATUS_MEMORY_BUDGET": "1KB"]).warnings.map(\.name) == ["STATUS_MEMORY_BUDGET"])
        let cap = ["STATUS_MAX_CONNECTIONS_PER_ADDRESS": "2"]
        #expect(load(cap).warnings.map(\.name) == ["STATUS_MAX_CONNECTIONS_PER_ADDRESS"])
        let proxies = ["STATUS_TRUSTED_PROXIES": "127.0.0.1"]
        #expect(load(cap.merging(proxies) { $1 }).warnings.isEmpty)
        let nameless = load(["STATUS_REDIS_SENTINEL_USERNAME": "watcher"])
        #expect(nameless.warnings.map(\.name) == ["STATUS_REDIS_SENTINEL_USERNAME"])
    }

    @Test(
        "warns of proxies that are everybody",
        arguments: [
            ("0.0.0.0/0", "0.0.0.0/0"), ("127.0.0.1,::/0", "::/0"), ("0.0.0.0/1", "0.0.0.0/1"),
            ("128.0.0.0/7", "128.0.0.0/7"), ("::ffff:0:0/96", "0.0.0.0/0"),
            ("2000::/3", "2000::/3"),
            ("fc00::/6", "fc00::/6"),
        ])
    func boundlessProxies(list: String, network: String) throws {
        let warnings = load(["STATUS_TRUSTED_PROXIES": list]).warnings
        #expect(warnings.map(\.name) == ["STATUS_TRUSTED_PROXIES"])
        #expect(try #require(warnings.first).reason.hasPrefix("has \(network): "))
    }

    @Test(
        "takes the networks of private addresses for a proxy's",
        arguments: ["10.0.0.0/8", "172.16.0.0/12", "fc00::/7", "fd00::/8", "2001:db8::/32", "unix"])
    func boundedProxies(list: String) {
        #expect(load(["STATUS_TRUSTED_PROXIES": list]).warnings.isEmpty)
    }

    @Test("wants a certificate and its key together")
    func certificateAndKey() {
        let names = ["STATUS_REDIS_TLS_CERT_FILE", "STATUS_REDIS_TLS_KEY_FILE"]
        for (name, other) in zip(names, names.reversed()) {
            let fatal = load([name: "file.pem", "STATUS_REDIS_URL": "rediss://h"]).fatal
            #expect(fatal?.name == name)
            #expect(fatal?.reason == "needs \(other) beside it")
        }
        let both = [
            names[0]: "a", names[1]: "b", "STATUS_REDIS_URL": "rediss://h",
        ]
        #expect(!load(both).isFaulty)
    }

    @Test("warns of TLS settings that have no effect, and of TLS that protects from nobody")
    func settingsOfTLS() {
        let name = "STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY"
        let plain = load([name: "1", "STATUS_REDIS_TLS_SERVER_NAME": "h"])
        #expect(plain.warnings.map(\.name) == ["STATUS_REDIS_TLS_SERVER_NAME", name])
        #expect(!plain.isFaulty)
        let insecure = load([name: "1", "STATUS_REDIS_URL": "rediss://h"])
        #expect(insecure.warnings.map(\.name) == [name])
        #expect(!insecure.isFaulty)
        #expect(load([name: "0", "STATUS_REDIS_URL": "rediss://h"]).warnings.isEmpty)
        // What is not a boolean must not switch anything off.
        #expect(!load([name: "maybe"]).settings.redisTLS.skipsVerification)
    }

    @Test("has one row for each setting, none with a name of another")
    func table() {
        let rows = SettingsTable.rows
        #expect(rows.count >= 21)
        #expect(Set(rows.map(\.variable)).count == rows.count)
        #expect(Set(rows.map(\.flag)).count == rows.count)
        #expect(rows.allSatisfy { $0.variable.hasPrefix("STATUS_") && !$0.meaning.isEmpty })
        #expect(SettingsTable.row(flag: "listen-addr")?.variable == "STATUS_LISTEN_ADDR")
    }
}
