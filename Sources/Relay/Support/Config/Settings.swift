/// Everything an operator can set, with the defaults of the contract.
///
/// ``SettingsLoader`` makes one of the environment and the flags; tests make one by hand and change
/// what they are about.
public struct Settings: Sendable, Equatable {
    /// Where browsers connect.
    public var listenAddress = ListenAddress.tcp(host: "", port: 9002)
    /// Who may connect where that is a Unix socket; nil means what the umask leaves.
    public var listenMode: SocketMode?
    /// The Redis server, the credentials and the database.
    public var redis = RedisTarget()
    /// The password for a Redis URL that has none; nil means that nothing is put into it.
    public var redisPassword: Secret?
    /// The files that the URL and the passwords are read from.
    public var redisFiles = RedisFiles()
    /// The user that the Sentinels know; nil stands for their default user.
    public var redisSentinelUsername: String?
    /// The Sentinels' own password; nil means that no `AUTH` is sent to them.
    public var redisSentinelPassword: Secret?
    /// How Redis is reached where its URL asks for TLS.
    public var redisTLS = RedisTLSSettings()
    /// The time between two heartbeats to a browser; positive.
    public var pingInterval = Nanoseconds.seconds(5)
    /// How long a browser may be silent before it is disconnected; positive.
    public var pongTimeout = Nanoseconds.seconds(75)
    /// The age at which an unsent byte to a browser ends its connection; positive.
    public var writeTimeout = Nanoseconds.seconds(2)
    /// The time in which Redis must answer a command; zero means that no answer is waited for.
    public var redisRequestTimeout = Nanoseconds.seconds(1)
    /// The time without a byte from Redis after which it is sent a `PING`; positive.
    public var redisPingInterval = Nanoseconds.seconds(5)
    /// The attempts on Redis before it is given up; zero means no cap.
    public var redisMaxRetries = 5
    /// The shortest wait before another attempt on Redis; positive.
    public var redisRetryBase = Nanoseconds.seconds(1)
    /// The longest wait before another attempt on Redis; positive.
    public var redisRetryMax = Nanoseconds.seconds(30)
    /// The dials to Redis that may be in flight at once, in the whole process; positive.
    public var redisDialConcurrency = 64
    /// The dials to Redis that may begin in one second, in the whole process; positive.
    public var redisDialRate = 500
    /// How subscriptions are spread over links to Redis.
    public var redisSubscriptions = RedisSubscriptions.dedicated
    /// How long a shutdown waits for clients to take their last bytes; zero means not at all.
    public var shutdownTimeout = Nanoseconds.seconds(15)
    /// How long a shutdown goes on as before, not ready, so that a load balancer turns elsewhere.
    public var drainDelay = Nanoseconds.zero
    /// The time over which a shutdown spreads the closes of the WebSockets.
    public var drainWindow = Nanoseconds.zero
    /// The time between two messages that the daemon sends through Redis to itself; zero for none.
    public var canaryInterval = Nanoseconds.zero
    /// The file whose lines win over the environment; empty for none.
    public var environmentFile = ""
    /// The lowest level that is logged.
    public var logLevel = LogLevel.info
    /// Whether `/metrics` is served.
    public var metricsEnabled = false
    /// Where the admin listener is; nil for none.
    public var adminAddress: ListenAddress?
    /// Whether `/console` is served.
    public var consoleEnabled = false
    /// Whether browsers get a `hangup` before the close of a shutdown and of a Redis given up.
    public var sendsHangup = false
    /// Patterns of the origins that are let in; none means that every origin is.
    public var allowedOrigins: [String] = []
    /// The largest message from a browser, in bytes; positive.
    public var maxMessageSize = 64 * 1024
    /// The largest payload from Redis that is relayed, in bytes; positive.
    public var maxPayloadSize = 1024 * 1024
    /// The bytes of memory that may hold what connections have not sent or not consumed yet, in the
    /// whole process; positive.
    public var memoryBudget = 256 * 1024 * 1024
    /// How long a channel's messages are kept for a page that has lost its connection; zero: not.
    public var resumeWindow = Nanoseconds.seconds(30)
    /// The bytes of a channel's last messages that are kept for that; positive.
    public var resumeChannelBytes = 256 * 1024
    /// Whether browsers are told of lost messages.
    public var gapNotices = false
    /// The WebSockets that may be open at once; zero means what the limit on descriptors allows.
    public var maxConnections = 0
    /// The WebSockets that one client's address may have open at once; zero means no cap. It holds
    /// only where `trustedProxies` says whose word about addresses counts.
    public var maxConnectionsPerAddress = 0
    /// The connections taken in one second; zero means no limit.
    public var acceptRate = 1000
    /// The messages and control frames from one browser in one second; zero means no limit.
    public var maxMessageRate = 100
    /// The event loops, each in a thread of its own; zero means as many as there are processors.
    public var loops = 0
    /// The proxies whose `X-Forwarded-For` is believed.
    public var trustedProxies = TrustedProxies()

    /// Makes the settings of a daemon that nobody has configured.
    public init() {}

    /// Whether anything comes from a file, which not every user may read.
    var namesFiles: Bool {
        !environmentFile.isEmpty || redisFiles != RedisFiles() || !redisTLS.caFile.isEmpty
            || !redisTLS.certificateFile.isEmpty || !redisTLS.keyFile.isEmpty
    }

    /// The most event loops there may be.
    static let loopLimit = 64
}

/// The files that hold secrets of Redis; an empty path stands for none.
public struct RedisFiles: Sendable, Equatable {
    /// The file that holds the URL.
    public var url = ""
    /// The file that holds the password for a URL without one.
    public var password = ""
    /// The file that holds the Sentinels' own password.
    public var sentinelPassword = ""
}

/// The address at which the daemon listens.
public enum ListenAddress: Sendable, Hashable {
    /// A TCP port; an empty host stands for every address, port 0 for any free port.
    case tcp(host: String, port: UInt16)
    /// A Unix socket at an absolute path of at most ``SocketPath/maximumLength`` bytes.
    case unix(path: String)
}

/// How much is logged.
public enum LogLevel: String, Sendable, CaseIterable, Comparable {
    case debug, info, warn, error

    /// Compares two levels; the more severe one is the greater.
    public static func < (left: LogLevel, right: LogLevel) -> Bool {
        left.severity < right.severity
    }

    private var severity: Int {
        switch self {
        case .debug: 0
        case .info: 1
        case .warn: 2
        case .error: 3
        }
    }
}

/// A text that must not be seen: whatever prints it prints `***`.
public struct Secret: Sendable, Hashable {
    /// The text itself, for the one place that sends it.
    public let revealed: String

    /// What stands for a secret in every text.
    public static let mask = "***"

    /// Hides `text`.
    public init(_ text: String) {
        revealed = text
    }
}

extension Secret: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// Always `***`.
    public var description: String { Secret.mask }

    /// Always `***`.
    public var debugDescription: String { Secret.mask }

    /// Has no children, so that `dump` and printing a value that holds a secret show nothing.
    public var customMirror: Mirror { Mirror(self, children: EmptyCollection<Mirror.Child>()) }
}

/// The limit that the kernel sets to the path of a Unix socket.
public enum SocketPath {
    /// The longest path, in bytes: `sun_path` less its closing zero.
    public static let maximumLength = 107
}
