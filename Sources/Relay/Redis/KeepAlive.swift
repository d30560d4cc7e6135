/// When the kernel gives up a connection to Redis from whose other end nothing comes.
///
/// It is the second line: a link asks with `PING` whether Redis answers, and the kernel asks whether
/// there is another end at all, also where commands have no time limit.
struct KeepAlive: Equatable, Sendable {
    /// The limit of unacknowledged bytes where commands to Redis have none.
    static let unlimitedCommandLimit = Nanoseconds.seconds(30)
    /// Nothing below a second is of use: a lost segment may be sent again in that time.
    private static let shortest = Nanoseconds.seconds(1)

    /// How long a connection is quiet before the kernel sends its first probe (`TCP_KEEPIDLE`).
    let idle: Nanoseconds
    /// The time between two probes (`TCP_KEEPINTVL`).
    let interval: Nanoseconds
    /// The age at which an unacknowledged byte or probe ends the connection (`TCP_USER_TIMEOUT`).
    let limit: Nanoseconds

    /// Makes the values that find a dead connection within the two spans together, as the link
    /// itself does; a `requestTimeout` of zero stands for none.
    init(pingInterval: Nanoseconds, requestTimeout: Nanoseconds) {
        let timeout = requestTimeout == .zero ? Self.unlimitedCommandLimit : requestTimeout
        idle = max(Self.shortest, pingInterval)
        interval = max(Self.shortest, timeout)
        limit = max(Self.shortest, pingInterval + timeout)
    }

    /// Makes the values for links to Redis.
    init(_ settings: Settings) {
        self.init(
            pingInterval: settings.redisPingInterval,
            requestTimeout: settings.redisRequestTimeout)
    }
}
