import Logging

/// What the daemon is told beside its settings.
struct RelayOptions: Sendable {
    /// Where the embedded broker listens; nil for none.
    var embeddedBroker: EmbeddedBrokerAddress?
    /// WebSockets that may be open at once.
    var connectionLimit = 10_000
    /// WebSockets that the limit of descriptors allows, whatever the settings say.
    var mostConnections = 10_000
    /// Connections that browsers and others may have open at once, WebSockets among them; one more
    /// is closed unanswered.
    var clientLimit = 20_000
    /// What this build is called.
    var release = Release()
    /// Log lines that were dropped so far.
    var droppedLogLines: @Sendable () -> UInt64 = { 0 }
    /// What the service manager wants to be told.
    var service = ServiceOptions()
    /// What the process takes of its machine.
    var processUsage: @Sendable () -> ProcessUsage = { ProcessUsage() }
    /// What is traced, and whether from the start on.
    var trace = TraceOptions()
    /// Opens what the lines of the trace go to, when the trace is first switched on.
    var openTrace: @Sendable () throws(SystemError) -> any LogSink = { () throws(SystemError) in
        throw .noSuchFile
    }
    /// Lines of the trace that were dropped so far.
    var droppedTraceLines: @Sendable () -> UInt64 = { 0 }
    /// The time in nanoseconds since the Unix epoch, for what is written beside the loop.
    var unixTime: @Sendable () -> Int64 = { 0 }
    /// Reads the files that passwords and URL come from once more; nil where there are none.
    ///
    /// It is called when a link is about to dial, at most once in ``Relay/refreshInterval``.
    var refreshRedis: (@Sendable () -> RedisRefresh)?
    /// What the canary has found; nil where there is none.
    var canary: Canary?
    /// Reads the whole configuration once more; nil where there is none to be read.
    var reload: (@Sendable () -> Configuration)?
    /// What `STATUS_LOOPS` says, of which the settings have what it came to.
    var loopSetting = 0
    /// Called when a shutdown begins.
    var onShutdown: @Sendable () -> Void = {}
    /// Called with a signal that came before the first one was handled: the process is to end.
    var onSecondSignal: @Sendable (Int32) -> Void = { _ in }
}

/// What the service manager wants to be told.
struct ServiceOptions: Sendable {
    /// Tells it; false where it did not take the notice. Nil where nobody wants to be told.
    var tell: (@Sendable (ServiceNotice) -> Bool)?
    /// The span within which it wants a sign of life, which it gets while every event loop turns; nil
    /// where it wants none.
    var watchdogInterval: Nanoseconds?
}

/// The loggers of the relay's parts; the label is the line's `component`.
struct RelayLog: Sendable {
    private(set) var server: Logger
    private(set) var redis: Logger
    private(set) var broker: Logger

    /// Makes the loggers on one way of handling lines.
    init(_ factory: (String) -> any LogHandler) {
        server = Logger(label: "server", factory: factory)
        redis = Logger(label: "redis", factory: factory)
        broker = Logger(label: "broker", factory: factory)
    }

    /// Changes the lowest level that is logged.
    mutating func setLevel(_ level: LogLevel) {
        server.logLevel = level.threshold
        redis.logLevel = level.threshold
        broker.logLevel = level.threshold
    }
}
