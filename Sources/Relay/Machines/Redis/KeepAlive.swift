/// When the kernel gives up a connection to Redis from whose other end nothing comes.
///
/// It is the second line. A link asks with `PING` whether Redis answers, and on a link that lives the
/// `PING` is always sooner: the kernel's probes are not sent again when they are lost, as they are by
/// the hundred where thousands of links are quiet at once, and must not end what is well. The kernel
/// asks whether there is another end at all where commands have no time limit.
struct KeepAlive: Equatable, Sendable {
    /// What stands for the time limit of commands where they have none.
    static let unlimitedCommandLimit = Nanoseconds.seconds(5)
    /// Probes that may be lost in a row without harm.
    static let lossLimit: Int64 = 3
    /// The longest that the kernel takes for `TCP_KEEPIDLE` and `TCP_KEEPINTVL` (tcp(7)).
    static let longest = Nanoseconds.seconds(32_767)

    /// How long a connection is quiet before the kernel sends its first probe (`TCP_KEEPIDLE`): whole
    /// seconds, more than the ping interval and the request timeout together.
    let idle: Nanoseconds
    /// The time between two probes (`TCP_KEEPINTVL`): whole seconds.
    let interval: Nanoseconds

    /// The age at which an unacknowledged byte or probe ends the connection (`TCP_USER_TIMEOUT`): the
    /// probe after the last one that may be lost has had its time.
    var limit: Nanoseconds { idle + interval * (Self.lossLimit + 1) }

    /// Makes the values for links with these times; a `requestTimeout` of zero stands for none.
    init(pingInterval: Nanoseconds, requestTimeout: Nanoseconds) {
        let timeout = requestTimeout == .zero ? Self.unlimitedCommandLimit : requestTimeout
        idle = Self.wholeSeconds(pingInterval + timeout + .seconds(1))
        interval = Self.wholeSeconds(timeout)
    }

    /// Makes the values for links to Redis.
    init(_ settings: Settings) {
        self.init(
            pingInterval: settings.redisPingInterval,
            requestTimeout: settings.redisRequestTimeout)
    }

    /// A span rounded up to seconds, as far as the kernel takes it.
    private static func wholeSeconds(_ span: Nanoseconds) -> Nanoseconds {
        let second = Nanoseconds.seconds(1).count
        let count = max(0, min(span, longest).count - 1) / second + 1
        return .seconds(count)
    }
}
