@testable import Relay

/// The network, the clock and the random source of a simulated machine.
///
/// Time stands still until a test moves it. A socket's two directions are byte arrays; what the
/// daemon writes is there for the test to read at once.
final class World {
    /// What becomes of a dial.
    enum DialPolicy {
        /// Connects to a simulated Redis, or to the daemon's own listener of that port.
        case accept
        case refuse
        /// Nothing ever comes back.
        case blackHole
        /// The name cannot be looked up.
        case unknownName
    }

    /// One connection as the daemon's kernel would hold it.
    final class Connection {
        let descriptor: Descriptor
        /// Bytes on their way to the daemon.
        var toDaemon: [UInt8] = []
        /// Bytes that the daemon has written and the peer has not taken.
        var fromDaemon: [UInt8] = []
        /// How many bytes of `fromDaemon` the kernel holds before the socket is full.
        var capacity = 1 << 22
        /// The peer has ended its sending direction.
        var peerHasEnded = false
        /// The peer is gone: reads and writes fail.
        var isReset = false
        /// What reads fail with then.
        var readError = SystemError.connectionReset
        /// Where the daemon has connected to, if it was the daemon that connected.
        fileprivate(set) var port: UInt16 = 0
        /// Whether the daemon has closed the descriptor with a reset.
        fileprivate(set) var wasReset = false
        /// Only writes fail so far: the reset has not been seen by a read.
        var failsOnlyWrites = false
        /// The daemon has ended its sending direction.
        var daemonHasEnded = false
        /// The daemon has closed the descriptor.
        var isClosed = false
        /// Whether the dial that made the connection is decided, and how.
        var isDecided = true
        var dialError: SystemError?
        fileprivate var token: Token?
        fileprivate var interest: Interest = []
        /// The other end, where both ends are the daemon's.
        fileprivate weak var twin: Connection?
        /// The address of the other end; a path stands for a Unix socket.
        fileprivate var peerHost = ""
        fileprivate var peer: SocketAddress {
            let port = UInt16(truncatingIfNeeded: descriptor)
            guard
                let address = SocketAddress(numeric: peerHost, port: port)
                    ?? SocketAddress(path: peerHost)
            else { preconditionFailure("a peer has no address") }
            return address
        }
        /// How often the daemon has written.
        var writes = 0

        fileprivate init(_ descriptor: Descriptor) { self.descriptor = descriptor }

        fileprivate var readiness: (readable: Bool, writable: Bool) {
            if isReset && !failsOnlyWrites { return (true, true) }
            guard isDecided else { return (false, false) }
            return (
                interest.contains(.read) && (!toDaemon.isEmpty || peerHasEnded),
                interest.contains(.write) && (dialError != nil || fromDaemon.count < capacity)
            )
        }
    }

    var clock = Instant(nanoseconds: 1_000_000_000_000)
    /// When the next wait ends, unless something is ready; nil where time does not pass.
    var wakeUp: Instant?
    /// What happens after the next wait has looked, before it returns: a stop of the process.
    var stopAfterLook = Nanoseconds.zero
    /// Waits that a signal ends before they have looked.
    var interruptions = 0
    /// Most events that a wait tells.
    var eventLimit = Int.max
    /// How far the wall clock is ahead of the boot clock.
    var wallClockOffset = Nanoseconds.zero
    /// Bytes that the allocator says nobody uses.
    var unusedMemory = 0
    /// How often free memory was given back.
    var memoryReleases = 0
    var random = SplitMix64(seed: 7)
    var dialPolicy = DialPolicy.accept
    /// What dials fail with before they have begun.
    var dialFailure: SystemError?
    /// What becomes of dials to single ports.
    var portPolicies: [UInt16: DialPolicy] = [:]
    /// The addresses of a name, in their order; a name that is not here has one.
    var addresses: [String: [SocketAddress]] = [:]
    /// The names that were looked up so far.
    private(set) var lookUps: [String] = []
    /// What the kernel was told about the last connection to Redis.
    private(set) var keepAlive: KeepAlive?
    /// The number of dials begun so far, and when.
    var dials: [Instant] = []
    /// The connections that the daemon has made to Redis, in order.
    private(set) var redisConnections: [Connection] = []
    var signals: [Int32] = []
    /// Accepts fail for want of descriptors while this is set.
    var hasNoDescriptors = false
    private(set) var acceptAttempts = 0

    private var connections: [Descriptor: Connection] = [:]
    private var nextDescriptor: Descriptor = 10
    private var listeners: [Descriptor: Token] = [:]
    private var pausedListeners: Set<Descriptor> = []
    private var backlog: [Descriptor: [Connection]] = [:]
    private var portListeners: [UInt16: Descriptor] = [:]
    private var answers: [SysEvent] = []
    /// Where a list of events that was cut short ended.
    private var told = 0

    /// Descriptors that the daemon holds open, listeners left out.
    var openDescriptors: Int { connections.values.count { !$0.isClosed } }

    /// Connects to the listener of a port; nil where nobody listens.
    func connect(port: UInt16, from host: String = "10.0.0.1") -> Connection? {
        guard let listener = portListeners[port] else { return nil }
        let connection = makeConnection()
        connection.peerHost = host
        backlog[listener, default: []].append(connection)
        return connection
    }

    private func makeConnection() -> Connection {
        let connection = Connection(nextDescriptor)
        connections[nextDescriptor] = connection
        nextDescriptor += 1
        return connection
    }

    /// Lets the dials to a port that lead nowhere so far succeed.
    func decide(port: UInt16) {
        let found = connections.values.filter { !$0.isDecided && $0.port == port }
        for connection in found.sorted(by: { $0.descriptor < $1.descriptor }) {
            connection.isDecided = true
            redisConnections.append(connection)
        }
    }

    /// Moves bytes between the ends of connections whose both ends are the daemon's.
    private func shuttle() {
        for connection in connections.values {
            guard let twin = connection.twin else { continue }
            twin.toDaemon += connection.fromDaemon
            connection.fromDaemon = []
            if connection.isClosed || connection.daemonHasEnded { twin.peerHasEnded = true }
        }
    }

    /// Lets the time of a wait pass.
    fileprivate func sleep() {
        if let wakeUp { clock = max(clock, wakeUp) }
        wakeUp = nil
    }

    /// Tells what is ready, as far as the list goes; what was told last comes last.
    fileprivate func tellEvents(to events: inout [SysEvent]) -> WaitOutcome {
        defer {
            clock = clock + stopAfterLook
            stopAfterLook = .zero
        }
        if interruptions > 0 {
            interruptions -= 1
            return .interrupted
        }
        let ready = takeEvents()
        guard ready.count >= eventLimit else {
            events += ready
            return .complete
        }
        let first = told % ready.count
        events += (ready[first...] + ready[..<first]).prefix(eventLimit)
        told = first + eventLimit
        return .cut(told: eventLimit)
    }

    /// What is ready now, in the order of the descriptors.
    fileprivate func takeEvents() -> [SysEvent] {
        shuttle()
        var events = answers
        answers = []
        events += signals.map { .signal($0) }
        signals = []
        for (listener, token) in listeners.sorted(by: { $0.key < $1.key })
        where !(backlog[listener] ?? []).isEmpty && !pausedListeners.contains(listener) {
            events.append(.socket(token, readable: true, writable: false))
        }
        for connection in connections.values.sorted(by: { $0.descriptor < $1.descriptor }) {
            guard !connection.isClosed, let token = connection.token else { continue }
            let ready = connection.readiness
            if ready.readable || ready.writable {
                events.append(
                    .socket(token, readable: ready.readable, writable: ready.writable))
            }
        }
        return events
    }

    /// Whether a wait would return at once.
    var hasEvents: Bool {
        shuttle()
        return !answers.isEmpty || !signals.isEmpty
            || backlog.contains { !$0.value.isEmpty && !pausedListeners.contains($0.key) }
            || connections.values.contains { connection in
                !connection.isClosed && connection.token != nil
                    && (connection.readiness.readable || connection.readiness.writable)
            }
    }
}

/// The ``Sys`` of a simulated machine: every call goes to its ``World``.
struct SimulatedSys: Sys {
    let world: World

    func now() -> BootTime { BootTime(nanoseconds: world.clock.nanoseconds) }
    func unixTime() -> Int64 { world.clock.nanoseconds + world.wallClockOffset.count }
    mutating func random() -> UInt64 { world.random.next() }

    mutating func listen(_ address: ListenAddress, token: Token) throws(SystemError)
        -> (Descriptor, SocketAddress)
    {
        guard case .tcp(_, let port) = address,
            let bound = SocketAddress(numeric: "127.0.0.1", port: port)
        else { throw .noSuchFile }
        return (world.listen(port: port, token: token), bound)
    }

    mutating func stopListening(_ listener: Descriptor) { world.close(listener) }

    mutating func accept(_ listener: Descriptor) -> AcceptOutcome { world.accept(listener) }

    mutating func resolve(host: String, port: UInt16, token: Token) {
        world.resolve(host: host, port: port, token: token)
    }

    mutating func dial(_ address: SocketAddress, keepAlive: KeepAlive?, token: Token)
        throws(SystemError) -> Descriptor
    {
        if let failure = world.dialFailure { throw failure }
        return world.dial(address, keepAlive: keepAlive, token: token)
    }

    mutating func dialError(_ descriptor: Descriptor) -> SystemError? {
        world.connection(descriptor).dialError
    }

    mutating func watch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        world.watch(descriptor, token: token, for: interest)
    }

    mutating func rewatch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        world.watch(descriptor, token: token, for: interest)
    }

    mutating func receive(_ descriptor: Descriptor, into buffer: inout [UInt8]) -> ReceiveOutcome {
        let connection = world.connection(descriptor)
        if connection.isReset, !connection.failsOnlyWrites { return .failed(connection.readError) }
        guard !connection.toDaemon.isEmpty else {
            return connection.peerHasEnded ? .endOfStream : .wouldBlock
        }
        let count = min(buffer.count, connection.toDaemon.count)
        buffer.replaceSubrange(0..<count, with: connection.toDaemon[..<count])
        connection.toDaemon.removeFirst(count)
        return .bytes(count)
    }

    mutating func send(_ descriptor: Descriptor, _ queue: OutputQueue) -> SendOutcome {
        let connection = world.connection(descriptor)
        if connection.isReset { return .failed(.brokenPipe) }
        connection.writes += 1
        let room = max(0, connection.capacity - connection.fromDaemon.count)
        let bytes = queue.copyBytes().prefix(room)
        connection.fromDaemon += bytes
        return .sent(bytes.count)
    }

    mutating func shutdownSending(_ descriptor: Descriptor) {
        world.connection(descriptor).daemonHasEnded = true
    }

    mutating func close(_ descriptor: Descriptor, reset: Bool) {
        world.close(descriptor, reset: reset)
    }

    mutating func wait(until deadline: BootTime?, into events: inout [SysEvent]) -> WaitOutcome {
        world.sleep()
        return world.tellEvents(to: &events)
    }

    mutating func unusedMemory() -> Int { world.unusedMemory }
    mutating func releaseMemory() { world.memoryReleases += 1 }
}

extension World {
    fileprivate func listen(port: UInt16, token: Token) -> Descriptor {
        let descriptor = nextDescriptor
        nextDescriptor += 1
        listeners[descriptor] = token
        portListeners[port] = descriptor
        return descriptor
    }

    fileprivate func accept(_ listener: Descriptor) -> AcceptOutcome {
        acceptAttempts += 1
        if hasNoDescriptors { return .failed(.noDescriptors) }
        guard let connection = backlog[listener]?.first else { return .wouldBlock }
        backlog[listener]?.removeFirst()
        return .accepted(connection.descriptor, peer: connection.peer)
    }

    fileprivate func resolve(host: String, port: UInt16, token: Token) {
        lookUps.append(host)
        switch dialPolicy {
        case .unknownName:
            answers.append(.resolved(token, .failed("Name or service not known")))
        case .accept, .refuse, .blackHole:
            let address = SocketAddress(numeric: "127.0.0.1", port: port)
            let found = addresses[host] ?? address.map { [$0] } ?? []
            answers.append(.resolved(token, .addresses(found)))
        }
    }

    fileprivate func dial(
        _ address: SocketAddress, keepAlive: KeepAlive?, token: Token
    ) -> Descriptor {
        dials.append(clock)
        self.keepAlive = keepAlive
        let connection = makeConnection()
        connection.token = token
        connection.interest = .write
        connection.port = address.port
        switch portPolicies[address.port] ?? dialPolicy {
        case .refuse, .unknownName: connection.dialError = .connectionRefused
        case .blackHole: connection.isDecided = false
        case .accept:
            if let twin = connect(port: address.port) {
                connection.twin = twin
                twin.twin = connection
            } else {
                redisConnections.append(connection)
            }
        }
        return connection.descriptor
    }

    fileprivate func watch(_ descriptor: Descriptor, token: Token, for interest: Interest) {
        if listeners[descriptor] != nil {
            if interest.isEmpty {
                pausedListeners.insert(descriptor)
            } else {
                pausedListeners.remove(descriptor)
            }
            return
        }
        connection(descriptor).token = token
        connection(descriptor).interest = interest
    }

    fileprivate func connection(_ descriptor: Descriptor) -> Connection {
        guard let connection = connections[descriptor], !connection.isClosed else {
            preconditionFailure("the daemon used descriptor \(descriptor) after closing it")
        }
        return connection
    }

    fileprivate func close(_ descriptor: Descriptor, reset: Bool = false) {
        if listeners[descriptor] != nil {
            listeners[descriptor] = nil
            portListeners = portListeners.filter { $0.value != descriptor }
            return
        }
        let closed = connection(descriptor)
        closed.isClosed = true
        closed.wasReset = reset
        closed.token = nil
        if closed.twin == nil { connections[descriptor] = nil }
    }
}
