/// What a service manager such as systemd tells the process that it starts, in its environment.
///
/// These variables are no settings of the daemon: nobody writes them by hand.
public struct ServiceEnvironment: Sendable, Equatable {
    /// Where notices go (sd_notify(3)): a path, or an abstract name behind an `@`; nil where nobody
    /// wants any.
    public var notifySocket: String?
    /// The span within which a sign of life must come, or the process is killed
    /// (sd_watchdog_enabled(3)); nil where none is wanted.
    public var watchdogInterval: Nanoseconds?
    /// The sockets that were opened for the process (sd_listen_fds(3)): so many descriptors from
    /// ``firstSocket`` on.
    public var socketCount = 0
    /// What could not be used, a line each.
    public var warnings: [String] = []

    /// The first of the descriptors that are handed over.
    static let firstSocket: Int32 = 3

    /// The descriptor of the socket to listen on; nil where none is handed over.
    var socket: Int32? { socketCount > 0 ? Self.firstSocket : nil }

    /// Why the process cannot serve: nobody would answer on the other sockets.
    var refusal: String? {
        socketCount < 2
            ? nil
            : "\(socketCount) sockets were handed over (LISTEN_FDS), and one is served: give the"
                + " socket unit one ListenStream"
    }

    /// An environment without a service manager.
    public init() {}

    /// Reads the variables; those that are meant for another process than `processID` are none.
    public init(_ environment: [String: String], processID: Int32) {
        if let socket = environment["NOTIFY_SOCKET"], !socket.isEmpty {
            if socket.hasPrefix("/") || socket.hasPrefix("@") {
                notifySocket = socket
            } else {
                warnings.append(
                    "NOTIFY_SOCKET is neither a path nor an abstract name: nobody is notified")
            }
        }
        if Self.isMeant(environment["WATCHDOG_PID"] ?? "\(processID)", for: processID),
            let microseconds = environment["WATCHDOG_USEC"].flatMap(Self.number)
        {
            watchdogInterval = Nanoseconds(microseconds * 1000)
        }
        // There is no default here: LISTEN_FDS of a parent that was itself so started is not ours.
        if Self.isMeant(environment["LISTEN_PID"] ?? "", for: processID),
            let count = environment["LISTEN_FDS"].flatMap(Self.number)
        {
            socketCount = Int(count)
        }
    }

    private static func isMeant(_ text: String, for processID: Int32) -> Bool {
        number(text) == Int64(processID)
    }

    /// A positive number that is written in digits alone.
    private static func number(_ text: String) -> Int64? {
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            // What a span of time can hold in nanoseconds.
            let number = Int64(text), (1...1_000_000_000_000).contains(number)
        else { return nil }
        return number
    }
}
