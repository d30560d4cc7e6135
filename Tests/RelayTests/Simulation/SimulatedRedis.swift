import RESP

@testable import Relay
@testable import Simulation

/// A Redis at the other end of every connection that the daemon dials; it answers as it is told.
final class SimulatedRedis {
    /// What a connection has asked for.
    struct Session {
        let connection: Connection
        var parser = CommandParser()
        var version = RESPVersion.resp2
        /// The channels that it is subscribed to, in the order of its asking.
        var channels: [String] = []
        /// The last of them.
        var channel: String? { channels.last }
        /// Whether it subscribes for the daemon's own sake, and not for a page's.
        var isProbe = false
        var name = ""
        var commands: [[String]] = []
        /// Bytes that wait for ``SimulatedRedis/isSilent`` to end.
        var held: [UInt8] = []
        /// The server's end of TLS, where it is spoken.
        var tls: TestTLSPeer?

        /// Takes what the daemon has written, as it was meant.
        fileprivate func take() -> [UInt8] {
            defer { connection.fromDaemon = [] }
            guard let tls else { return connection.fromDaemon }
            tls.take(connection.fromDaemon)
            connection.toDaemon += tls.takeOutput()
            return tls.takeReceived()
        }

        /// Sends bytes to the daemon.
        func send(_ bytes: [UInt8]) {
            guard let tls else { return connection.toDaemon += bytes }
            tls.send(bytes)
            connection.toDaemon += tls.takeOutput()
        }
    }

    private let world: World
    private(set) var sessions: [Session] = []
    /// Takes commands and answers nothing, as a process that is stopped.
    var isSilent = false
    /// Knows no HELLO, as servers before version 6.
    var isOld = false
    /// Answers every command of this name with this error; the subscription of a probe goes by the
    /// name of `PROBE`.
    var errors: [String: String] = [:]
    /// So many log-ins to come are refused.
    var refusedLogIns = 0
    /// Closes the connection behind every error.
    var closesAfterErrors = false
    /// Closes the connection at a command of this name.
    var closesAt: String?
    /// Never answers a command of this name.
    var holds: String?
    /// Ports at which not a Redis but a Sentinel answers.
    var sentinels: Set<UInt16> = []
    /// The masters that the Sentinels know, by service.
    var masters: [String: (host: String, port: UInt16)] = [:]
    /// Ports at which a replica answers.
    var replicas: Set<UInt16> = []
    /// Nodes that do not reach the others: they tell where the slots were.
    var failingNodes: Set<UInt16> = []
    var formerSlots: [(range: ClosedRange<Int>, port: UInt16)] = []
    /// What is answered to `CLUSTER INFO`, if it is an error.
    var stateError: String?
    /// Ports at which nothing is answered.
    var silentPorts: Set<UInt16> = []
    /// What the Sentinel at a port answers whatever it is asked; nothing means that it closes.
    var answers: [UInt16: String] = [:]
    /// Servers whose `HELLO` does not tell their role.
    var hidesRole = false
    /// The masters of a cluster, by the slots that each is said to have; empty outside a cluster.
    var slots: [(range: ClosedRange<Int>, port: UInt16)] = []
    /// Slots that are another's than ``slots`` says, which its nodes have not learned yet.
    var movedSlots: [Int: UInt16] = [:]
    /// What a command about a slot is answered with in place of anything else.
    var slotErrors: [Int: String] = [:]
    /// The version that nodes of a cluster tell in their answer to `HELLO`.
    var version = "7.2.4"
    /// Speaks TLS as this server, on connections to come.
    var tls: TestTLSServer?

    init(_ world: World) { self.world = world }

    /// The sessions whose connection is open and subscribed.
    var subscribers: [Session] {
        sessions.filter { $0.channel != nil && !$0.isProbe && !$0.connection.isClosed }
    }

    /// Answers what has come since the last call.
    func serve() {
        for connection in world.redisConnections.dropFirst(sessions.count) {
            sessions.append(Session(connection: connection, tls: tls?.makePeer()))
        }
        guard !isSilent else { return }
        for index in sessions.indices
        where !sessions[index].connection.isClosed
            && !sessions[index].connection.peerHasEnded
            && !silentPorts.contains(sessions[index].connection.port)
        {
            serve(index)
        }
    }

    private func serve(_ index: Int) {
        let connection = sessions[index].connection
        guard !connection.fromDaemon.isEmpty else { return }
        let bytes = sessions[index].held + sessions[index].take()
        var offset = 0
        var arguments: [Range<Int>] = []
        while let step = try? sessions[index].parser.next(
            bytes.span, from: offset, arguments: &arguments), step.event == .command
        {
            offset = step.end
            answer(arguments.map { String(decoding: bytes[$0], as: UTF8.self) }, index)
        }
        sessions[index].held = Array(bytes[offset...])
    }

    private func answer(_ command: [String], _ index: Int) {
        sessions[index].commands.append(command)
        var reply = RESPEncoder(version: sessions[index].version)
        var name = command[0].uppercased()
        if name == "SUBSCRIBE", command[1] == "status2:probe" { name = "PROBE" }
        if name == closesAt {
            sessions[index].connection.peerHasEnded = true
            return
        }
        if name == holds { return }
        let port = sessions[index].connection.port
        let role = replicas.contains(port) ? "replica" : "master"
        if let answer = answers[port] {
            sessions[index].connection.toDaemon += answer.utf8
            sessions[index].connection.peerHasEnded = answer.isEmpty
            return
        }
        let isRefused = name == "HELLO" && refusedLogIns > 0
        if isRefused { refusedLogIns -= 1 }
        if let error = isRefused ? "WRONGPASS invalid username-password pair" : errors[name] {
            reply.simpleError(error)
            sessions[index].connection.peerHasEnded = closesAfterErrors
        } else {
            switch name {
            case "HELLO" where isOld: reply.simpleError("ERR unknown command `HELLO`")
            case "HELLO":
                sessions[index].version = .resp3
                reply.version = .resp3
                sessions[index].name = command.last ?? ""
                reply.mapHeader((hidesRole ? 1 : 2) + (slots.isEmpty ? 0 : 3))
                reply.bulkString("proto")
                reply.integer(3)
                if !slots.isEmpty {
                    for word in ["server", "redis", "version", version, "mode", "cluster"] {
                        reply.bulkString(word)
                    }
                }
                if hidesRole { break }
                reply.bulkString("role")
                reply.bulkString(role)
            case "SENTINEL" where sentinels.contains(port):
                guard let master = masters[command[2]] else {
                    reply.nullArray()
                    break
                }
                reply.arrayHeader(2)
                reply.bulkString(master.host)
                reply.bulkString(String(master.port))
            case "ROLE":
                reply.arrayHeader(3)
                reply.bulkString(role == "master" ? role : "slave")
                reply.integer(0)
                reply.arrayHeader(0)
            case "CLIENT":
                sessions[index].name = command.last ?? ""
                reply.simpleString("OK")
            case "SUBSCRIBE", "PROBE":
                sessions[index].channels.removeAll { $0 == command[1] }
                sessions[index].channels.append(command[1])
                sessions[index].isProbe = name == "PROBE"
                reply.pushHeader(3)
                reply.bulkString("subscribe")
                reply.bulkString(command[1])
                reply.integer(1)
            case "CLUSTER" where command[1] == "INFO":
                if let stateError { return sessions[index].send(Array("-\(stateError)\r\n".utf8)) }
                let state = failingNodes.contains(port) ? "fail" : "ok"
                reply.verbatimString("cluster_state:\(state)\r\n", format: "txt")
            case "CLUSTER": tellSlots(failingNodes.contains(port) ? formerSlots : slots, &reply)
            case "SSUBSCRIBE", "SUNSUBSCRIBE": shard(command, index, port, &reply)
            case "UNSUBSCRIBE":
                sessions[index].channels.removeAll { $0 == command[1] }
                reply.pushHeader(3)
                reply.bulkString("unsubscribe")
                reply.bulkString(command[1])
                reply.integer(0)
            case "PING": ping(command, sessions[index], &reply)
            default: reply.simpleString("OK")
            }
        }
        sessions[index].send(reply.bytes)
    }

    // MARK: - Clusters

    /// The master of a channel's slot.
    func owner(of channel: String) -> UInt16 {
        let slot = Int(HashSlot(of: Array(channel.utf8)).number)
        return movedSlots[slot] ?? slots.first { $0.range.contains(slot) }?.port ?? 0
    }

    private func tellSlots(
        _ slots: [(range: ClosedRange<Int>, port: UInt16)], _ reply: inout RESPEncoder
    ) {
        guard !slots.isEmpty else {
            return reply.simpleError("ERR This instance has cluster support disabled")
        }
        reply.arrayHeader(slots.count)
        for (range, port) in slots {
            reply.arrayHeader(3)
            reply.integer(range.lowerBound)
            reply.integer(range.upperBound)
            reply.arrayHeader(3)
            reply.bulkString("10.0.0.1")
            reply.integer(Int(port))
            reply.bulkString("id")
        }
    }

    private func shard(
        _ command: [String], _ index: Int, _ port: UInt16, _ reply: inout RESPEncoder
    ) {
        let channel = command[1]
        let slot = Int(HashSlot(of: Array(channel.utf8)).number)
        if let error = slotErrors[slot] { return reply.simpleError(error) }
        // A replica takes subscriptions as well.
        let owner = owner(of: channel)
        guard owner == port || replicas.contains(port) else {
            return reply.simpleError("MOVED \(slot) 10.0.0.1:\(owner)")
        }
        sessions[index].channels.removeAll { $0 == channel }
        if command[0] == "SSUBSCRIBE" { sessions[index].channels.append(channel) }
        sessions[index].isProbe = false
        reply.pushHeader(3)
        reply.bulkString(command[0].lowercased())
        reply.bulkString(channel)
        reply.integer(1)
    }

    /// Ends the subscriptions of a channel unasked, as a node that has given its slot away.
    func withdraw(_ channel: String, at port: UInt16) {
        for index in sessions.indices
        where sessions[index].channels.contains(channel)
            && sessions[index].connection.port == port && !sessions[index].connection.isClosed
        {
            sessions[index].channels.removeAll { $0 == channel }
            var push = RESPEncoder(version: sessions[index].version)
            push.pushHeader(3)
            push.bulkString("sunsubscribe")
            push.bulkString(channel)
            push.integer(0)
            sessions[index].send(push.bytes)
        }
    }

    private func ping(_ command: [String], _ session: Session, _ reply: inout RESPEncoder) {
        guard command.count == 2 else { return reply.simpleString("PONG") }
        if session.version == .resp2, session.channel != nil {
            reply.arrayHeader(2)
            reply.bulkString("pong")
        }
        reply.bulkString(command[1])
    }

    /// Sends a message to every subscriber of the channel; returns how many there are.
    @discardableResult
    func publish(_ channel: String, _ payload: [UInt8]) -> Int {
        let receivers = subscribers.filter { $0.channels.contains(channel) }
        for session in receivers {
            var message = RESPEncoder(version: session.version)
            message.pushHeader(3)
            message.bulkString(slots.isEmpty ? "message" : "smessage")
            message.bulkString(channel)
            message.bulkString(payload)
            session.send(message.bytes)
        }
        return receivers.count
    }

    @discardableResult
    func publish(_ channel: String, _ payload: String) -> Int {
        publish(channel, Array(payload.utf8))
    }

    /// Ends every connection, or those to one port, as a server that is killed.
    func kill(port: UInt16? = nil) {
        for session in sessions
        where !session.connection.isClosed
            && session.connection.port == port ?? session.connection.port
        {
            session.connection.isReset = true
        }
    }
}
