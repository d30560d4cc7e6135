import RESP

@testable import Relay

/// A Redis server: the broker's own code, and what can be wrong with it.
final class RedisServer {
    /// How it is.
    enum Condition: Int {
        case well
        /// Nobody listens, and every connection is closed.
        case down
        /// It takes bytes and does nothing.
        case stalled
        /// It is reading its data set.
        case loading
    }

    /// A client's connection.
    final class Session {
        let connection: Connection
        var state: BrokerSession
        var input: [UInt8] = []
        /// The channels whose subscription it has refused to end.
        var keeps: Set<Int> = []

        init(_ connection: Connection, _ state: BrokerSession) {
            self.connection = connection
            self.state = state
        }
    }

    /// Bytes that its kernel holds for it while it does not read.
    private static let window = 1 << 16
    /// Unsent bytes at which it closes a subscriber's connection: as a rule, and where they are few.
    private static let outputLimits = (asARule: 32 << 20, few: 8192)

    unowned var world: World!
    private var broker = Broker(password: nil, version: "simulated")
    /// By the daemon's descriptor.
    private var sessions: [Int32: Session] = [:]
    /// The descriptors of the sessions, in the order of their beginning.
    private var order: [Int32] = []
    private(set) var condition = Condition.well
    /// Which of the servers is the master.
    var failover = Failover()
    /// Which of the nodes have which slots, where it is a cluster.
    var cluster = Cluster()
    /// What tells the present condition from former ones.
    private var conditionNumber = 0
    /// How long the daemon will stand still with it.
    private var sharedStandstill = Nanoseconds.zero
    /// It knows RESP2 alone.
    var isOld = false
    /// Whether it has dropped a client that did not take its messages.
    private(set) var hasOverrun = false
    private var arguments: [Range<Int>] = []

    /// Whether it takes what is published for a channel.
    func takesPublications(of channel: Channel) -> Bool {
        condition == .well && (!world.plan.isCluster || cluster.takesPublications(of: channel))
    }

    /// How many clients, that are still there, are subscribed to a channel: in a cluster at the master
    /// of its slot.
    func subscriberCount(of channel: Channel) -> Int {
        broker.receivers(of: channel.name).count { id in
            guard let connection = sessions[Int32(id.index)]?.connection else { return false }
            return !connection.isClosed && !connection.isFailed
                && (!world.plan.isCluster
                    || cluster.relays(connection.port, channel)
                        && cluster.layout.isMaster(connection.port))
        }
    }

    // MARK: - Connections

    func accepts(_ connection: Connection) -> Bool {
        guard condition != .down || Self.isSentinel(connection), isThere(connection.port) else {
            return false
        }
        sessions[connection.descriptor] = Session(connection, broker.makeSession())
        order.append(connection.descriptor)
        return true
    }

    /// A Sentinel goes on, whatever becomes of the server.
    private static func isSentinel(_ connection: Connection) -> Bool {
        Failover.sentinels.contains(connection.port)
    }

    func room(on connection: Connection) -> Int {
        guard condition == .stalled, !Self.isSentinel(connection),
            let session = sessions[connection.descriptor]
        else {
            return .max
        }
        return max(0, Self.window - session.input.count)
    }

    func receive(_ bytes: [UInt8], on connection: Connection) {
        guard let session = sessions[connection.descriptor] else { return }
        session.input += bytes
        if condition == .well { standStillWithDaemon() }
        guard !isSilent(connection.port) else { return session.input = [] }
        if condition != .stalled || Self.isSentinel(connection) { serve(session) }
    }

    /// One machine has both: Redis is slow, then both stand still, and the answer comes when only a
    /// wait that began anew is not over.
    private func standStillWithDaemon() {
        let plan = world.plan
        let others = FaultSet([.slowTurn, .lateWait, .suspend, .loss, .narrowPath])
        guard plan.faults.contains(.standstill), plan.faults.isDisjoint(with: others),
            world.stage == .disturbed, world.dueStandstill.span == 0, world.faultDice.chance(0.05)
        else { return }
        let patience = plan.settings.redisRequestTimeout.count
        // So long that the daemon has missed a timer and knows of it.
        sharedStandstill = world.faultDice.span(.milliseconds(1200), .seconds(10))
        let before = Nanoseconds(patience / 2)
        become(.stalled, for: before + sharedStandstill + Nanoseconds(patience / 10 * 7))
        world.plan(.redis, in: before, 1, conditionNumber)
    }

    /// The daemon's standstill begins.
    func beginStandstill(_ number: Int) {
        guard number == conditionNumber, world.stage == .disturbed else { return }
        world.dueStandstill = (sharedStandstill.count, 1)
    }

    /// The daemon has ended its stream.
    func ended(_ connection: Connection) {
        guard sessions[connection.descriptor] != nil else { return }
        forget(connection.descriptor)
        world.closePeer(connection)
    }

    /// The network has reset the connection: both ends lose it.
    func networkReset(_ connection: Connection) {
        guard let session = sessions[connection.descriptor] else { return }
        drop(session, reset: true)
    }

    func wasReset(_ connection: Connection) { forget(connection.descriptor) }

    /// The network has taken bytes.
    func drained(_ connection: Connection) {}

    /// The daemon gets no more messages on a connection.
    func noteBreak(of connection: Connection) {
        if let session = sessions[connection.descriptor] { noteBreak(of: session) }
    }

    func noteBreak(of session: Session) {
        for name in session.state.channels { world.channel(named: name)?.brokenAt = world.clock }
    }

    /// The clients that are still there, in the order of their beginning.
    var livingSessions: [Session] {
        order.compactMap { sessions[$0] }.filter {
            !$0.connection.isClosed && !$0.connection.isFailed
        }
    }

    private func forget(_ descriptor: Int32) {
        guard let session = sessions.removeValue(forKey: descriptor) else { return }
        world.note(.sessionEnd, Int(descriptor))
        noteBreak(of: session)
        broker.remove(Self.id(descriptor), session: session.state)
        if order.count > 2 * sessions.count + 64 {
            order.removeAll { sessions[$0] == nil }
        }
    }

    /// Ends a connection from this side.
    func drop(_ session: Session, reset: Bool) {
        forget(session.connection.descriptor)
        if reset {
            world.resetPeer(session.connection)
        } else {
            world.closePeer(session.connection)
        }
    }

    private static func id(_ descriptor: Int32) -> SlotID {
        SlotID(index: UInt32(descriptor), generation: 1)
    }

    // MARK: - Commands

    private func serve(_ session: Session) {
        var offset = 0
        let input = session.input
        while sessions[session.connection.descriptor] != nil {
            let step: CommandStep
            do throws(RESPError) {
                step = try session.state.parser.next(
                    input.span, from: offset, arguments: &arguments)
            } catch {
                return world.fail("the daemon sent Redis what is no command: \(error)")
            }
            offset = step.end
            guard step.event == .command else { break }
            execute(input, session)
        }
        session.input.removeFirst(offset)
    }

    private func execute(_ input: [UInt8], _ session: Session) {
        let words = arguments.map { Array(input[$0]) }
        let name = String(decoding: words[0], as: UTF8.self).uppercased()
        world.note(.command, Int(session.connection.descriptor), words.count)
        var reply = RESPEncoder(version: session.state.version)
        if let wrong = mischief(name, words) {
            if name.hasSuffix("UNSUBSCRIBE"), words.count > 1, case .error = wrong,
                let channel = world.channel(named: words[1])
            {
                session.keeps.insert(channel.index)
            }
            switch wrong {
            case .error(let text): reply.simpleError(text)
            case .bytes(let bytes): return world.send(bytes, on: session.connection)
            case .silence: return
            }
            return world.send(reply.bytes, on: session.connection)
        }
        // The greeting ends with one of them, and the dial with the greeting.
        defer {
            if ["SUBSCRIBE", "SSUBSCRIBE", "PING", "CLUSTER"].contains(name) {
                world.dialEnds(session.connection)
            }
        }
        if answersOtherwise(name, words, session, &reply) {
            return world.send(reply.bytes, on: session.connection)
        }
        let action = broker.execute(
            arguments, of: input.span, by: Self.id(session.connection.descriptor),
            session: &session.state, reply: &reply)
        if name == "SUBSCRIBE" {
            for word in words.dropFirst() { noteSubscription(to: word, session) }
        }
        world.send(reply.bytes, on: session.connection)
        if action == .close { drop(session, reset: false) }
    }

    /// The broker takes a command that is written otherwise in a cluster; how many channels the client
    /// has then.
    func command(_ name: String, _ channel: [UInt8], _ session: Session) -> Int {
        let bytes = Array(name.utf8) + channel
        let words = [0..<name.utf8.count, name.utf8.count..<bytes.count]
        var reply = RESPEncoder(version: session.state.version)
        _ = broker.execute(
            words, of: bytes.span, by: Self.id(session.connection.descriptor),
            session: &session.state, reply: &reply)
        return session.state.channels.count
    }

    func noteSubscription(to name: [UInt8], _ session: Session) {
        let channel = world.channel(named: name)
        channel?.subscribedAt = world.clock
        if let channel { session.keeps.remove(channel.index) }
        world.note(.subscribed, Int(session.connection.descriptor), channel?.index ?? -1)
        if channel == nil, name != LinkPurpose.probe.channel {
            world.fail("the daemon subscribed to a channel of nobody")
        }
    }

    private enum Wrong {
        case error(String)
        case bytes([UInt8])
        case silence
    }

    /// What is answered in place of the right answer.
    private func mischief(_ name: String, _ words: [[UInt8]]) -> Wrong? {
        if name == "SENTINEL" { return nil }
        if isOld, name == "HELLO" { return .error("ERR unknown command 'HELLO'") }
        if name.hasSuffix("SUBSCRIBE"), !name.contains("UN"),
            world.active.contains(.redisNoPermission),
            let denied = world.denied, words.contains(denied.name)
        {
            return .error("NOPERM No permissions to access a channel")
        }
        if condition == .loading { return .error("LOADING Redis is loading its data set") }
        if world.active.contains(.redisErrors), world.faultDice.chance(0.5) {
            return .error(
                world.faultDice.pick(of: [
                    "BUSY Redis is busy running a script", "MISCONF Redis is configured to save",
                    "ERR max number of clients reached", "MASTERDOWN Link with MASTER is down",
                    "TRYAGAIN later", "ERR unknown error",
                ]))
        }
        if world.active.contains(.redisGarbage), world.faultDice.chance(0.3) {
            return world.faultDice.pick(of: [
                .bytes(Array("+WHAT\r\n".utf8)), .bytes(Array("!!!!\r\n".utf8)),
                .bytes(Array(">3\r\n$7\r\nmess".utf8)), .bytes(Array(":7\r\n".utf8)),
                .bytes(Array("$-1\r\n".utf8)), .silence, .bytes(Array("*0\r\n".utf8)),
            ])
        }
        return nil
    }

    // MARK: - Messages

    func publish(_ payload: [UInt8], on channel: Channel) {
        var frames: [RESPVersion: [UInt8]] = [:]
        for receiver in broker.receivers(of: channel.name) {
            guard let session = sessions[Int32(receiver.index)] else { continue }
            // What is published comes to the master.
            if world.plan.isCluster {
                guard cluster.relays(session.connection.port, channel) else { continue }
            } else if world.plan.faults.contains(.failover) {
                guard session.connection.port == failover.master else { continue }
            }
            let version = session.state.version
            if frames[version] == nil {
                var encoder = RESPEncoder(version: version)
                encoder.pushHeader(3)
                encoder.bulkString(world.plan.isCluster ? "smessage" : "message")
                encoder.bulkString(channel.name)
                encoder.bulkString(payload)
                frames[version] = encoder.bytes
            }
            let limit =
                world.active.contains(.redisOverrun)
                ? Self.outputLimits.few : Self.outputLimits.asARule
            if session.connection.outbox.count > limit {
                // A standstill of minutes fills a shared link's buffer without any fault of Redis's.
                hasOverrun = true
                drop(session, reset: world.faultDice.chance(0.5))
                continue
            }
            world.send(frames[version] ?? [], on: session.connection)
        }
        if world.active.contains(.redisGarbage), world.faultDice.chance(0.1) {
            misdirect(frames, of: channel)
        }
    }

    /// A client gets a message of a channel that it may not have subscribed to.
    private func misdirect(_ frames: [RESPVersion: [UInt8]], of channel: Channel) {
        let living = order.filter { sessions[$0] != nil }
        guard !living.isEmpty, let session = sessions[world.faultDice.pick(of: living)],
            !session.state.channels.contains(channel.name),
            let frame = frames[session.state.version]
        else { return }
        world.send(frame, on: session.connection)
    }

    // MARK: - Conditions

    /// The server changes for a while.
    func become(_ changed: Condition, for span: Nanoseconds) {
        if changed == .down { dropAll() }
        conditionNumber += 1
        condition = changed
        world.note(.redis, changed.rawValue)
        world.plan(.redis, in: span, 0, conditionNumber)
    }

    /// What was planned of a condition comes: a server that was down reads its data set first.
    func change(_ number: Int) {
        guard number == conditionNumber else { return }
        if condition == .down, world.plan.faults.contains(.redisLoading), world.stage == .disturbed,
            world.faultDice.chance(0.7)
        {
            return become(.loading, for: world.faultDice.span(.milliseconds(200), .seconds(20)))
        }
        recover()
    }

    /// All is well again.
    func recover() {
        let wasStalled = condition == .stalled
        conditionNumber += 1
        condition = .well
        world.note(.redis, 0)
        guard wasStalled else { return }
        for descriptor in order {
            guard let session = sessions[descriptor] else { continue }
            serve(session)
            world.planOutbound(session.connection)
        }
    }

    func dropAll() {
        let reset = world.faultDice.chance(0.5)
        for descriptor in order {
            if let session = sessions[descriptor] { drop(session, reset: reset) }
        }
    }

    /// Ends a connection at random, in the midst of a message perhaps.
    func killOne(reset: Bool) {
        let living = order.filter { sessions[$0] != nil }
        guard !living.isEmpty, let session = sessions[world.faultDice.pick(of: living)] else {
            return
        }
        if world.faultDice.chance(0.3) {
            let half = session.connection.outbox.count / 2
            session.connection.outbox.removeLast(half)
        }
        drop(session, reset: reset)
    }
}
