/// A descriptor of a socket, as the kernel numbers it.
typealias Descriptor = Int32

/// What a socket is watched for.
struct Interest: OptionSet, Sendable {
    let rawValue: UInt8
    static let read = Interest(rawValue: 1)
    static let write = Interest(rawValue: 2)
}

/// What happened, as ``Sys/wait(until:into:)`` tells it.
enum SysEvent: Equatable, Sendable {
    /// The socket has bytes, its end or an error to be read, or room to write.
    case socket(Token, readable: Bool, writable: Bool)
    /// A look-up ended: addresses in the order to try them, or the resolver's reason.
    case resolved(Token, Resolution)
    /// The process was sent this signal.
    case signal(Int32)
}

/// How a look-up ended.
enum Resolution: Equatable, Sendable {
    case addresses([SocketAddress])
    case failed(String)
}

/// What came of an attempt to take a connection from a listener.
enum AcceptOutcome: Equatable {
    case accepted(Descriptor, peer: SocketAddress)
    case wouldBlock
    case failed(SystemError)
}

/// What came of an attempt to read.
enum ReceiveOutcome: Equatable {
    case bytes(Int)
    case endOfStream
    case wouldBlock
    case failed(SystemError)
}

/// What came of an attempt to write; fewer bytes than asked for means that the socket is full.
enum SendOutcome: Equatable {
    case sent(Int)
    case failed(SystemError)
}

/// What a wait has looked at.
enum WaitOutcome: Equatable, Sendable {
    /// All that was ready has been told.
    case complete
    /// More was ready than is told at once: so many descriptors were told, and the next waits tell
    /// the rest before they repeat.
    case cut(told: Int)
    /// A signal ended the wait before anything was looked at.
    case interrupted
}

/// Everything that the machines need of the world: clock, randomness, network, signals.
///
/// ``LinuxSys`` is the real one; the tests bring a simulated one, in which time passes only when
/// they say so. No call blocks except ``wait(until:into:)``, and every call retries `EINTR` itself.
protocol Sys: ~Copyable {
    /// The clock that never stands, not in a suspend either, and is never set.
    func now() -> BootTime
    /// The wall clock: nanoseconds since the Unix epoch.
    func unixTime() -> Int64
    /// Bits from the system's random source.
    mutating func random() -> UInt64

    /// Opens a listening socket, watched under `token`.
    ///
    /// Returns its descriptor and the address, with the port that was really bound.
    mutating func listen(_ address: ListenAddress, token: Token) throws(SystemError)
        -> (Descriptor, SocketAddress)
    /// Closes a listening socket; the file of a Unix socket goes with it, if it is still this one's.
    mutating func stopListening(_ listener: Descriptor)
    /// Takes one connection, nonblocking.
    mutating func accept(_ listener: Descriptor) -> AcceptOutcome

    /// Looks a host name up; the answer comes as ``SysEvent/resolved(_:_:)`` under `token`.
    mutating func resolve(host: String, port: UInt16, token: Token)
    /// Begins a connection, watched for writing under `token`; writable means that it is decided.
    ///
    /// `keepAlive` says when the kernel is to give the connection up; it means nothing to a path.
    mutating func dial(_ address: SocketAddress, keepAlive: KeepAlive?, token: Token)
        throws(SystemError) -> Descriptor
    /// Why a dial failed, or nil when it succeeded.
    mutating func dialError(_ descriptor: Descriptor) -> SystemError?

    /// Begins to watch an accepted socket.
    mutating func watch(_ descriptor: Descriptor, token: Token, for interest: Interest)
    /// Ends the watch of a socket, which stays open.
    mutating func unwatch(_ descriptor: Descriptor)
    /// Changes what a watched socket is watched for.
    mutating func rewatch(_ descriptor: Descriptor, token: Token, for interest: Interest)

    /// Reads into `buffer`, over its whole length.
    mutating func receive(_ descriptor: Descriptor, into buffer: inout [UInt8]) -> ReceiveOutcome
    /// Writes the queue's bytes in one call, without removing them from the queue.
    mutating func send(_ descriptor: Descriptor, _ queue: OutputQueue) -> SendOutcome
    /// Ends the sending direction: the peer reads the end of the stream.
    mutating func shutdownSending(_ descriptor: Descriptor)
    /// Closes the descriptor and ends its watch; `reset` sends RST instead of FIN.
    mutating func close(_ descriptor: Descriptor, reset: Bool)

    /// Waits for events until `deadline` (for ever when nil) and appends them to `events`.
    ///
    /// A wait that ends by its deadline has looked at everything once more after it.
    mutating func wait(until deadline: BootTime?, into events: inout [SysEvent]) -> WaitOutcome

    /// Bytes that the process has of the system and does not use.
    mutating func unusedMemory() -> Int
    /// Gives memory that is not in use back to the system; it may take some milliseconds.
    mutating func releaseMemory()
}
