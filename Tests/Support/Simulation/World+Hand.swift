@testable import Relay

// A world that a test drives: time passes when the test says so, a call takes none, nothing goes
// wrong unless it is asked for, and what one end of a connection writes is at the other at once.
extension World {
    /// What becomes of a dial.
    enum DialPolicy {
        /// Connects to the daemon's own listener of that port, or to the test.
        case accept
        case refuse
        /// Nothing ever comes back.
        case blackHole
        /// The name cannot be looked up.
        case unknownName
    }

    /// What the test says, and what it is told; ``World`` has these as members of its own.
    struct Hand {
        /// When the next wait ends, unless something is ready; nil where time does not pass.
        var wakeUp: Instant?
        /// Waits that a signal ends before they have looked.
        var interruptions = 0
        /// Most events that a wait tells.
        var eventLimit = Int.max
        var dialPolicy = DialPolicy.accept
        /// What becomes of dials to single ports.
        var portPolicies: [UInt16: DialPolicy] = [:]
        /// What dials fail with before they have begun.
        var dialFailure: SystemError?
        /// The addresses of a name, in their order; a name that is not here has one.
        var addresses: [String: [SocketAddress]] = [:]
        /// Bytes that the allocator says nobody uses.
        var unusedMemory = 0

        /// The names that were looked up so far.
        fileprivate(set) var lookUps: [String] = []
        /// When each dial so far began.
        fileprivate(set) var dials: [Instant] = []
        /// What the kernel was told about the last connection to Redis.
        fileprivate(set) var keepAlive: KeepAlive?
        /// The connections that the daemon has made to others, in order.
        fileprivate(set) var redisConnections: [Connection] = []
        /// Connections that the daemon has not closed.
        fileprivate var open: [Connection] = []
        /// How often the daemon has tried to take a connection.
        var acceptAttempts = 0
    }

    subscript<Value>(dynamicMember member: WritableKeyPath<Hand, Value>) -> Value {
        get { hand[keyPath: member] }
        set { hand[keyPath: member] = newValue }
    }

    subscript<Value>(dynamicMember member: KeyPath<Hand, Value>) -> Value {
        hand[keyPath: member]
    }

    /// A world in the hands of a test, with faults of the kernel where they are asked for.
    convenience init(faults: FaultSet = []) {
        var plan = Plan(seed: 7)
        plan.faults = faults
        plan.isScripted = true
        plan.pages = 0
        plan.channels = 0
        self.init(plan)
        isByHand = true
        wallOffset = 0
        wallOffsets = [0]
        daemonRandom = SplitMix64(seed: 7)
    }

    var now: Instant { Instant(nanoseconds: clock) }

    /// The process is stopped, or the machine sleeps: what comes meanwhile waits in the sockets.
    func standStill(for span: Nanoseconds) { clock += span.count }

    /// Sets the wall clock so far ahead of the time since the machine was started, or behind it.
    func setWallClock(ahead span: Nanoseconds) {
        wallOffset = span.count
        wallOffsets.append(wallOffset)
    }

    /// Accepts fail for want of descriptors, and dials.
    var hasNoDescriptors: Bool {
        get { active.contains(.descriptorsExhausted) }
        set { active = active.symmetricDifference(newValue == hasNoDescriptors ? [] : Self.want) }
    }

    private static let want = FaultSet([.descriptorsExhausted])

    /// Whether a wait would return at once.
    var hasEvents: Bool { hasEvents(of: 0) }

    /// Whether a wait of the loop would return at once.
    func hasEvents(of loop: Int) -> Bool {
        lookAtHands()
        acting = loop
        return isReady
    }

    // MARK: - Connections

    /// Connects to the listener of a port; nil where nobody listens. A host that is a path stands for
    /// a Unix socket.
    func connect(port: UInt16, from host: String = "10.0.0.1") -> Connection? {
        guard let listener = listeners.first(where: { $0.port == port }) else { return nil }
        let port = UInt16(truncatingIfNeeded: connections.count)
        guard let address = SocketAddress(numeric: host, port: port) ?? SocketAddress(path: host)
        else { preconditionFailure("a peer has no address") }
        let connection = makeHandled(at: address)
        listener.backlog.append(connection)
        return connection
    }

    /// Bytes of the daemon's that a kernel holds until the test takes them.
    private static let capacity = 1 << 22

    private func makeHandled(at address: SocketAddress) -> Connection {
        let connection = makeConnection(peer: .hand(address), path: redisPath)
        connection.sendCapacity = Self.capacity
        hand.open.append(connection)
        return connection
    }

    /// Lets the dials to a port that lead nowhere so far succeed.
    func decide(port: UInt16) {
        for connection in hand.open where !connection.isDecided && connection.port == port {
            connection.isDecided = true
            hand.redisConnections.append(connection)
        }
    }

    func dialByHand(_ address: SocketAddress, keepAlive: KeepAlive?, token: Token)
        throws(SystemError) -> Descriptor
    {
        if let failure = hand.dialFailure { throw failure }
        hand.dials.append(now)
        hand.keepAlive = keepAlive
        let connection = makeHandled(at: address)
        connection.token = token
        connection.loop = acting
        connection.interest = .write
        connection.port = address.port
        openDescriptors += 1
        switch hand.portPolicies[address.port] ?? hand.dialPolicy {
        case .refuse, .unknownName: connection.dialError = .connectionRefused
        case .blackHole: connection.isDecided = false
        case .accept:
            if let twin = connect(port: address.port) {
                connection.twin = twin
                twin.twin = connection
            } else {
                hand.redisConnections.append(connection)
            }
        }
        return connection.descriptor
    }

    func resolveByHand(host: String, port: UInt16, token: Token) {
        hand.lookUps.append(host)
        guard hand.dialPolicy != .unknownName else {
            answers.append((acting, .resolved(token, .failed("Name or service not known"))))
            return
        }
        let usual = SocketAddress(numeric: "127.0.0.1", port: port).map { [$0] } ?? []
        answers.append((acting, .resolved(token, .addresses(hand.addresses[host] ?? usual))))
    }

    /// The daemon has closed its end: where the other end is its own too, that learns of it.
    func closeByHand(_ connection: Connection) {
        if let twin = connection.twin {
            carry(connection, to: twin)
            twin.peerHasEnded = true
        }
        hand.open.removeAll { $0 === connection }
        connections[Int(connection.descriptor)] = nil
    }

    // MARK: - Waiting

    func waitByHand(into events: inout [SysEvent]) -> WaitOutcome {
        turnCount += 1
        if let wakeUp = hand.wakeUp.take() { clock = max(clock, wakeUp.nanoseconds) }
        if hand.interruptions > 0 {
            hand.interruptions -= 1
            return .interrupted
        }
        lookAtHands()
        return collect(into: &events, limit: hand.eventLimit)
    }

    /// The test has changed connections without a word; those whose ends are both the daemon's carry
    /// on.
    private func lookAtHands() {
        for connection in hand.open {
            if let twin = connection.twin { carry(connection, to: twin) }
        }
        for connection in hand.open { touch(connection) }
    }

    private func carry(_ connection: Connection, to twin: Connection) {
        twin.toDaemon += connection.fromDaemon
        connection.fromDaemon = []
        if connection.daemonHasEnded { twin.peerHasEnded = true }
    }
}
