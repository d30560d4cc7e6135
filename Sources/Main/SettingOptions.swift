import ArgumentParser
import Relay

/// A flag's name without dashes and the value that it was given, if it was.
typealias SettingFlag = (flag: String, value: String?)

extension ArgumentHelp {
    /// What the table of settings says about a flag.
    fileprivate static func setting(_ flag: String) -> ArgumentHelp {
        guard let row = SettingsTable.row(flag: flag) else {
            preconditionFailure("--\(flag) is not a setting")
        }
        return ArgumentHelp(
            "\(SettingsTable.usage(of: row)).", valueName: row.placeholder)
    }
}

/// Browsers and their heartbeats.
struct ConnectionOptions: ParsableArguments {
    @Option(name: .customLong("listen-addr"), help: .setting("listen-addr"))
    var listenAddr: String?
    @Option(name: .customLong("ping-interval"), help: .setting("ping-interval"))
    var pingInterval: String?
    @Option(name: .customLong("pong-timeout"), help: .setting("pong-timeout"))
    var pongTimeout: String?
    @Option(name: .customLong("write-timeout"), help: .setting("write-timeout"))
    var writeTimeout: String?
    @Option(name: .customLong("allowed-origins"), help: .setting("allowed-origins"))
    var allowedOrigins: String?

    var values: [SettingFlag] {
        [
            ("listen-addr", listenAddr), ("ping-interval", pingInterval),
            ("pong-timeout", pongTimeout), ("write-timeout", writeTimeout),
            ("allowed-origins", allowedOrigins),
        ]
    }
}

/// The Redis server and the patience with it.
struct RedisOptions: ParsableArguments {
    @Option(name: .customLong("redis-url"), help: .setting("redis-url"))
    var redisUrl: String?
    @Option(name: .customLong("redis-sentinel-username"), help: .setting("redis-sentinel-username"))
    var redisSentinelUsername: String?
    @Option(name: .customLong("redis-sentinel-password"), help: .setting("redis-sentinel-password"))
    var redisSentinelPassword: String?
    @Option(name: .customLong("redis-request-timeout"), help: .setting("redis-request-timeout"))
    var redisRequestTimeout: String?
    @Option(name: .customLong("redis-ping-interval"), help: .setting("redis-ping-interval"))
    var redisPingInterval: String?
    @Option(name: .customLong("redis-max-retries"), help: .setting("redis-max-retries"))
    var redisMaxRetries: String?
    @Option(name: .customLong("redis-retry-base"), help: .setting("redis-retry-base"))
    var redisRetryBase: String?
    @Option(name: .customLong("redis-retry-max"), help: .setting("redis-retry-max"))
    var redisRetryMax: String?
    @Option(name: .customLong("redis-dial-concurrency"), help: .setting("redis-dial-concurrency"))
    var redisDialConcurrency: String?
    @Option(name: .customLong("redis-dial-rate"), help: .setting("redis-dial-rate"))
    var redisDialRate: String?

    var values: [SettingFlag] {
        [
            ("redis-url", redisUrl),
            ("redis-sentinel-username", redisSentinelUsername),
            ("redis-sentinel-password", redisSentinelPassword),
            ("redis-request-timeout", redisRequestTimeout),
            ("redis-ping-interval", redisPingInterval), ("redis-max-retries", redisMaxRetries),
            ("redis-retry-base", redisRetryBase), ("redis-retry-max", redisRetryMax),
            ("redis-dial-concurrency", redisDialConcurrency), ("redis-dial-rate", redisDialRate),
        ]
    }
}

/// TLS to Redis.
struct RedisTLSOptions: ParsableArguments {
    @Option(name: .customLong("redis-tls-ca-file"), help: .setting("redis-tls-ca-file"))
    var caFile: String?
    @Option(name: .customLong("redis-tls-cert-file"), help: .setting("redis-tls-cert-file"))
    var certFile: String?
    @Option(name: .customLong("redis-tls-key-file"), help: .setting("redis-tls-key-file"))
    var keyFile: String?
    @Option(name: .customLong("redis-tls-server-name"), help: .setting("redis-tls-server-name"))
    var serverName: String?
    @Option(
        name: .customLong("redis-tls-insecure-skip-verify"),
        help: .setting("redis-tls-insecure-skip-verify"))
    var insecureSkipVerify: String?

    var values: [SettingFlag] {
        [
            ("redis-tls-ca-file", caFile), ("redis-tls-cert-file", certFile),
            ("redis-tls-key-file", keyFile), ("redis-tls-server-name", serverName),
            ("redis-tls-insecure-skip-verify", insecureSkipVerify),
        ]
    }
}

/// How much is taken.
struct LimitOptions: ParsableArguments {
    @Option(name: .customLong("max-message-size"), help: .setting("max-message-size"))
    var maxMessageSize: String?
    @Option(name: .customLong("max-payload-size"), help: .setting("max-payload-size"))
    var maxPayloadSize: String?
    @Option(name: .customLong("memory-budget"), help: .setting("memory-budget"))
    var memoryBudget: String?
    @Option(name: .customLong("max-connections"), help: .setting("max-connections"))
    var maxConnections: String?
    @Option(name: .customLong("trusted-proxies"), help: .setting("trusted-proxies"))
    var trustedProxies: String?
    @Option(
        name: .customLong("max-connections-per-address"),
        help: .setting("max-connections-per-address"))
    var maxConnectionsPerAddress: String?
    @Option(name: .customLong("accept-rate"), help: .setting("accept-rate"))
    var acceptRate: String?
    @Option(name: .customLong("max-message-rate"), help: .setting("max-message-rate"))
    var maxMessageRate: String?

    var values: [SettingFlag] {
        [
            ("max-message-size", maxMessageSize), ("max-payload-size", maxPayloadSize),
            ("memory-budget", memoryBudget), ("max-connections", maxConnections),
            ("trusted-proxies", trustedProxies),
            ("max-connections-per-address", maxConnectionsPerAddress),
            ("accept-rate", acceptRate), ("max-message-rate", maxMessageRate),
        ]
    }
}

/// What an operator sees and does.
struct OperationOptions: ParsableArguments {
    @Option(name: .customLong("log-level"), help: .setting("log-level"))
    var logLevel: String?
    @Option(name: .customLong("metrics-enabled"), help: .setting("metrics-enabled"))
    var metricsEnabled: String?
    @Option(name: .customLong("console-enabled"), help: .setting("console-enabled"))
    var consoleEnabled: String?
    @Option(name: .customLong("gap-notices"), help: .setting("gap-notices"))
    var gapNotices: String?
    @Option(name: .customLong("send-hangup"), help: .setting("send-hangup"))
    var sendHangup: String?
    @Option(name: .customLong("shutdown-timeout"), help: .setting("shutdown-timeout"))
    var shutdownTimeout: String?
    @Option(name: .customLong("drain-delay"), help: .setting("drain-delay"))
    var drainDelay: String?
    @Option(name: .customLong("drain-window"), help: .setting("drain-window"))
    var drainWindow: String?

    var values: [SettingFlag] {
        [
            ("log-level", logLevel), ("metrics-enabled", metricsEnabled),
            ("console-enabled", consoleEnabled), ("gap-notices", gapNotices),
            ("send-hangup", sendHangup),
            ("shutdown-timeout", shutdownTimeout), ("drain-delay", drainDelay),
            ("drain-window", drainWindow),
        ]
    }
}
