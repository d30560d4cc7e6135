/// What becomes of the settings when the configuration is read again while the daemon runs.
struct SettingsChange: Equatable, Sendable {
    /// What is in force from now on: the new settings, but for those that take a restart.
    var settings: Settings
    /// The variables whose new values are taken up.
    private(set) var applied: [String] = []
    /// The variables whose new values take a restart.
    private(set) var postponed: [String] = []

    /// Settings that are looked at when the daemon starts and never again: where it listens, how its
    /// loops, its dial gate and its links are laid out, which certificates it reads.
    static let startOnly: Set<String> = [
        "STATUS_LISTEN_ADDR", "STATUS_LISTEN_MODE", "STATUS_ADMIN_ADDR", "STATUS_ENV_FILE",
        "STATUS_LOOPS", "STATUS_REDIS_SUBSCRIPTIONS", "STATUS_REDIS_DIAL_CONCURRENCY",
        "STATUS_REDIS_DIAL_RATE", "STATUS_CANARY_INTERVAL", "STATUS_RESUME_WINDOW",
        RedisTLSSettings.caVariable,
        RedisTLSSettings.certificateVariable, RedisTLSSettings.keyVariable,
        RedisTLSSettings.serverNameVariable, RedisTLSSettings.skipsVerificationVariable,
    ]

    /// Compares the settings in force with those that were read.
    ///
    /// - Parameter ownsRedis: whether Redis is the broker in this process, which stays where it is.
    init(from former: Settings, to read: Settings, ownsRedis: Bool = false) {
        settings = former
        for row in SettingsTable.rows where !row.isSame(former, read) {
            let isOfRedis = row.variable == SettingsTable.redisURL.variable
            if isOfRedis, ownsRedis { continue }
            // Without TLS at the start there is nothing that could speak it.
            let takesTLS = isOfRedis && former.redis.usesTLS != read.redis.usesTLS
            // Which links there are is another matter in a cluster.
            let takesCluster = isOfRedis && former.redis.isCluster != read.redis.isCluster
            if takesTLS || takesCluster || Self.startOnly.contains(row.variable) {
                postponed.append(row.variable)
            } else {
                row.copy(read, &settings)
                applied.append(row.variable)
            }
        }
    }

    /// The values of these variables as they are printed, passwords masked.
    static func values(of variables: [String], in settings: Settings) -> String {
        variables.compactMap { variable in
            SettingsTable.rows.first { $0.variable == variable }.map {
                "\(variable)=\($0.print(settings).printable)"
            }
        }.joined(separator: " ")
    }
}
