/// Every setting there is.
///
/// Loading, the flags, the usage text, `--check-config` and the warning of unknown names all read
/// this table, and a test holds the README's against it.
public enum SettingsTable {
    /// The settings by what they are about.
    public static let groups: [SettingGroup] = [
        SettingGroup(title: "Connections", rows: connections),
        SettingGroup(title: "Redis", rows: redis),
        SettingGroup(title: "TLS to Redis", rows: redisTLS),
        SettingGroup(title: "Limits", rows: limits),
        SettingGroup(title: "Operation", rows: operation),
    ]

    /// The settings in the order in which they are documented.
    public static let rows: [SettingRow] = groups.flatMap(\.rows)

    private static let connections: [SettingRow] = [
        SettingRow(
            "STATUS_LISTEN_ADDR", \.listenAddress, .listenAddress,
            "where browsers connect: host:port, :port, [v6]:port or unix:/path", refusal: .fatal),
        SettingRow(
            "STATUS_LISTEN_MODE", \.listenMode, .socketMode,
            "octal permissions of a unix: socket, such as 0660; none means what the umask leaves",
            refusal: .fatal),
        SettingRow(
            "STATUS_PING_INTERVAL", \.pingInterval, .duration(atLeast: 50), "heartbeat cadence"),
        SettingRow(
            "STATUS_PONG_TIMEOUT", \.pongTimeout, .duration(atLeast: 100),
            "idle cut-off of a browser; under 60s gives a warning"),
        SettingRow(
            "STATUS_WRITE_TIMEOUT", \.writeTimeout, .duration(atLeast: 100),
            "the oldest that an unsent byte to a browser may become"),
        SettingRow(
            "STATUS_ALLOWED_ORIGINS", \.allowedOrigins, .originPatterns,
            "comma-separated patterns of the origins that are let in; none lets in all",
            refusal: .fatal),
    ]

    private static let redis: [SettingRow] = [
        redisURL,
        SettingRow(
            "STATUS_REDIS_URL_FILE", \.redisFiles.url, .path,
            "file that holds the URL, read again before every connection", refusal: .fatal),
        SettingRow(
            "STATUS_REDIS_PASSWORD", \.redisPassword, .secret,
            "put into the URL when that has no password", refusal: .fatal),
        SettingRow(
            "STATUS_REDIS_PASSWORD_FILE", \.redisFiles.password, .path,
            "file that holds that password, read again before every connection", refusal: .fatal),
        SettingRow(
            "STATUS_REDIS_SENTINEL_USERNAME", \.redisSentinelUsername, .optionalText,
            "the user that the Sentinels themselves ask for", refusal: .fatal),
        SettingRow(
            "STATUS_REDIS_SENTINEL_PASSWORD", \.redisSentinelPassword, .secret,
            "the password that the Sentinels themselves ask for", refusal: .fatal),
        SettingRow(
            "STATUS_REDIS_SENTINEL_PASSWORD_FILE", \.redisFiles.sentinelPassword, .path,
            "file that holds the Sentinels' password, read again before every connection",
            refusal: .fatal),
        SettingRow(
            "STATUS_REDIS_REQUEST_TIMEOUT", \.redisRequestTimeout, .durationOrDisabled(atLeast: 10),
            "every command to Redis is answered within it; 0 disables"),
        SettingRow(
            "STATUS_REDIS_PING_INTERVAL", \.redisPingInterval, .duration(atLeast: 10),
            "a link to Redis that is quiet for so long is sent a PING"),
        SettingRow(
            "STATUS_REDIS_MAX_RETRIES", \.redisMaxRetries, .cap,
            "attempts on Redis before giving up; 0 = no cap"),
        SettingRow(
            "STATUS_REDIS_RETRY_BASE", \.redisRetryBase, .duration(atLeast: 1),
            "shortest wait before another attempt on Redis"),
        SettingRow(
            "STATUS_REDIS_RETRY_MAX", \.redisRetryMax, .duration(atLeast: 1),
            "longest wait before another attempt on Redis"),
        SettingRow(
            "STATUS_REDIS_DIAL_CONCURRENCY", \.redisDialConcurrency, .integer(in: 1...1_000_000),
            "dials to Redis in flight at once, in the whole process"),
        SettingRow(
            "STATUS_REDIS_DIAL_RATE", \.redisDialRate, .integer(in: 1...1_000_000),
            "dials to Redis begun per second, in the whole process"),
        SettingRow(
            "STATUS_REDIS_SUBSCRIPTIONS", \.redisSubscriptions, .subscriptions,
            "dedicated: a link to Redis for each WebSocket; shared: one for all of an event loop"),
    ]

    private static let limits: [SettingRow] = [
        SettingRow(
            "STATUS_MAX_MESSAGE_SIZE", \.maxMessageSize, .size,
            "largest message from a browser: bytes, or KB, MB, KiB, MiB"),
        SettingRow(
            "STATUS_MAX_PAYLOAD_SIZE", \.maxPayloadSize, .size,
            "largest payload from Redis that is relayed"),
        SettingRow(
            "STATUS_MEMORY_BUDGET", \.memoryBudget, .size,
            "memory for what is not sent or not complete yet; past it the largest queue is dropped"
        ),
        SettingRow(
            "STATUS_MAX_CONNECTIONS", \.maxConnections, .integer(in: 0...10_000_000),
            "WebSockets open at once; 0 = what the descriptor limit allows", refusal: .fatal),
        SettingRow(
            "STATUS_TRUSTED_PROXIES", \.trustedProxies, .trustedProxies,
            "comma-separated addresses, networks or unix whose X-Forwarded-For is believed",
            refusal: .fatal),
        SettingRow(
            "STATUS_MAX_CONNECTIONS_PER_ADDRESS", \.maxConnectionsPerAddress,
            .integer(in: 0...10_000_000),
            "WebSockets open at once from one client's address; 0 = no cap; needs trusted proxies",
            refusal: .fatal),
        SettingRow(
            "STATUS_ACCEPT_RATE", \.acceptRate, .integer(in: 0...1_000_000),
            "connections taken per second; 0 = no limit"),
        SettingRow(
            "STATUS_MAX_MESSAGE_RATE", \.maxMessageRate, .integer(in: 0...1_000_000),
            "messages, pings and pongs from one browser per second; 0 = no limit"),
    ]

    private static let operation: [SettingRow] = [
        SettingRow(
            "STATUS_LOOPS", \.loops, .integer(in: 0...Settings.loopLimit),
            "event loops, each in a thread of its own; 0 = as many as there are processors"),
        SettingRow(
            EnvironmentFile.variable, \.environmentFile, .path,
            "file of NAME=value lines that win over the environment, read again at SIGHUP",
            refusal: .fatal),
        SettingRow(
            "STATUS_LOG_LEVEL", \.logLevel, .level, "debug, info, warn or warning, error"),
        SettingRow(
            "STATUS_CANARY_INTERVAL", \.canaryInterval, .durationOrDisabled(atLeast: 100),
            "time between two messages that the daemon sends through Redis to itself; 0 sends none"),
        SettingRow("STATUS_METRICS_ENABLED", \.metricsEnabled, .boolean, "serve /metrics"),
        SettingRow(
            "STATUS_ADMIN_ADDR", \.adminAddress, .adminAddress,
            "where /metrics and /debug are served instead: a loopback host:port, or unix:/path",
            refusal: .fatal),
        SettingRow("STATUS_CONSOLE_ENABLED", \.consoleEnabled, .boolean, "serve /console"),
        SettingRow(
            "STATUS_GAP_NOTICES", \.gapNotices, .boolean,
            "tell browsers of lost messages by a gap message"),
        SettingRow(
            "STATUS_RESUME_WINDOW", \.resumeWindow, .durationOrZero,
            "how long messages are kept for a page that has lost its connection; 0 = not"),
        SettingRow(
            "STATUS_RESUME_CHANNEL_BYTES", \.resumeChannelBytes, .size,
            "how many bytes of a channel's last messages are kept for such pages"),
        SettingRow(
            "STATUS_SEND_HANGUP", \.sendsHangup, .boolean,
            "send a hangup before the close of a shutdown and of a Redis given up"),
        SettingRow(
            "STATUS_SHUTDOWN_TIMEOUT", \.shutdownTimeout, .durationOrZero,
            "how long a shutdown waits for clients to take their last bytes"),
        SettingRow(
            "STATUS_DRAIN_DELAY", \.drainDelay, .durationOrZero,
            "how long a shutdown goes on serving, not ready, before it takes no more connections"),
        SettingRow(
            "STATUS_DRAIN_WINDOW", \.drainWindow, .durationOrZero,
            "the time after the delay over which a shutdown spreads the closes"),
    ]

    /// The row of the Redis server, whose value has other sources besides its own variable.
    static let redisURL = SettingRow(
        "STATUS_REDIS_URL", \.redis, .redisURL,
        "redis://, rediss:// (TLS), unix://, redis+sentinel:// or redis+cluster:// with user,"
            + " password and database",
        refusal: .fatal)

    /// Variables that have no flag: they make up the Redis URL where `STATUS_REDIS_URL` is unset.
    public static let companions: [(variable: String, meaning: String)] = [
        ("REDIS_URL", "used where STATUS_REDIS_URL is unset"),
        ("REDIS_URL_FILE", "file that holds it"),
        ("REDIS_HOST", "used with REDIS_PORT where both URLs are unset; database 2"),
        ("REDIS_PORT", "used with REDIS_HOST where both URLs are unset; or tcp://host:port"),
        ("REDIS_PASSWORD", "put into the URL when that and STATUS_REDIS_PASSWORD have none"),
        ("REDIS_PASSWORD_FILE", "file that holds it"),
    ]

    /// Variables that were settings once, each with a clause that says what to do now.
    static let former: [String: String] = [
        "STATUS_HANGUP_ON_SHUTDOWN":
            "has no effect any more: STATUS_SEND_HANGUP has taken its place, for a shutdown and for"
            + " a Redis given up; it is false where nothing is said, so that pages come back"
    ]

    /// The row of a flag that is written without its dashes; nil where there is none.
    public static func row(flag: String) -> SettingRow? {
        rows.first { $0.flag == flag }
    }

    /// The row whose value is the path of a file that holds this setting; nil where none is.
    static func fileRow(of variable: String) -> SettingRow? {
        rows.first { $0.variable == variable + TextSources.fileSuffix }
    }
}
