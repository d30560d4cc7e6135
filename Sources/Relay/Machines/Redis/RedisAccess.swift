/// Where Redis is and how it is logged in to: what may change while the daemon runs.
struct RedisAccess: Equatable, Sendable {
    /// The server, the credentials and the database.
    var redis: RedisTarget
    /// The user that the Sentinels know.
    var sentinelUsername: String?
    /// The Sentinels' own password.
    var sentinelPassword: Secret?

    /// Takes what the settings say.
    init(_ settings: Settings) {
        redis = settings.redis
        sentinelUsername = settings.redisSentinelUsername
        sentinelPassword = settings.redisSentinelPassword
    }

    /// What must be seen nowhere.
    var secrets: [Secret] { [redis.password, sentinelPassword].compactMap { $0 } }

    /// The settings with this in the place of what they say.
    func applied(to settings: Settings) -> Settings {
        var settings = settings
        settings.redis = redis
        settings.redisSentinelUsername = sentinelUsername
        settings.redisSentinelPassword = sentinelPassword
        return settings
    }
}

/// What came of reading the files that passwords and URL come from once more.
enum RedisRefresh: Equatable, Sendable {
    /// They say what they said before.
    case unchanged
    /// They say this; connections that are made from now on use it.
    case changed(RedisAccess)
    /// They cannot be read or make no sense; why, without a secret. The former ones stay in force.
    case refused(String)
}
