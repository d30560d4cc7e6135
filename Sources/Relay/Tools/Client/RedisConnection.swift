import RESP

/// A connection of a command to the configured Redis, logged in; one command at a time.
///
/// It speaks RESP2, which every server and proxy does. Sentinels are asked for the master first, and the
/// nodes of a cluster for the master of a channel's slot.
final class RedisConnection {
    private let stream: CommandStream
    private var parser = RESPParser()
    private var input: [UInt8] = []
    private var offset = 0
    /// The longest wait for an answer.
    private let patience: Nanoseconds
    /// The server that answers: the master, where Sentinels or a cluster's nodes were asked.
    let server: ListenAddress

    /// Connects and logs in.
    ///
    /// - Parameters:
    ///   - patience: the longest wait for the connection, and for each answer.
    ///   - channel: what is to be published or subscribed to: it has its place in a cluster.
    convenience init(
        _ settings: Settings, patience: Nanoseconds, channel: [UInt8]? = nil
    ) throws(LinkFailure) {
        try self.init(
            settings, patience: patience, at: try Self.server(settings, patience, channel))
    }

    /// Connects to this server and logs in, as the settings say for the one that they name.
    init(
        _ settings: Settings, patience: Nanoseconds, at server: ListenAddress
    ) throws(LinkFailure) {
        self.patience = patience
        self.server = server
        let target = settings.redis
        let tls: TLSContext?
        do throws(TLSFileError) {
            tls =
                target.usesTLS
                ? try TLSContext(settings.redisTLS, readSize: CommandStream.readSize) : nil
        } catch {
            throw .tls("\(error)")
        }
        stream = try CommandStream(to: server, tls: tls, by: BootClock.now() + patience)
        try logIn(target.credentials)
    }

    /// A connection to a Sentinel.
    private init(
        sentinel: SentinelService.Endpoint, _ settings: Settings, _ patience: Nanoseconds
    ) throws(LinkFailure) {
        self.patience = patience
        server = .tcp(host: sentinel.host, port: sentinel.port)
        stream = try CommandStream(to: server, by: BootClock.now() + patience)
        try logIn(settings.redisSentinelPassword.map { (settings.redisSentinelUsername, $0) })
    }

    private func logIn(_ credentials: (username: String?, password: Secret)?) throws(LinkFailure) {
        guard let (username, password) = credentials else { return }
        let reply = try command(["AUTH"] + (username.map { [$0] } ?? []) + [password.revealed])
        guard reply.isError else { return }
        let failure = LinkFailure(reply: reply.string ?? "", to: "AUTH")
        // Where Redis asks for no password it takes any from a user that is named, as in the daemon's
        // HELLO.
        if case .authRefused = failure, username == nil,
            !(try command(["AUTH", "default", password.revealed])).isError
        {
            return
        }
        throw failure
    }

    // MARK: - Where

    private static func server(
        _ settings: Settings, _ patience: Nanoseconds, _ channel: [UInt8]?
    ) throws(LinkFailure) -> ListenAddress {
        switch settings.redis.address {
        case .tcp(let host, let port): return .tcp(host: host, port: port)
        case .unix(let path): return .unix(path: path)
        case .sentinel(let service):
            var failure = LinkFailure.unknownService(service.name)
            for sentinel in service.sentinels {
                do throws(LinkFailure) {
                    return try master(of: service, at: sentinel, settings, patience)
                } catch {
                    failure = error
                }
            }
            throw .sentinel(failure)
        case .cluster(let seeds):
            let (topology, seed) = try topology(at: seeds, settings, patience)
            guard let channel else { return ListenAddress(seed) }
            guard let master = topology.master(of: HashSlot(of: channel)) else {
                throw .slotUnserved("no master is known")
            }
            return ListenAddress(master)
        }
    }

    /// Asks one node after the other where the slots are; which of them has answered.
    static func topology(
        at seeds: ClusterSeeds, _ settings: Settings, _ patience: Nanoseconds
    ) throws(LinkFailure) -> (ClusterTopology, RedisEndpoint) {
        var failure = LinkFailure.closedByRedis
        for node in seeds.nodes {
            do throws(LinkFailure) {
                return (try topology(at: node, settings, patience), node)
            } catch {
                if !failure.isFatalAtStart { failure = error }
            }
        }
        throw failure.isFatalAtStart ? failure : .nodes(failure)
    }

    private static func topology(
        at node: RedisEndpoint, _ settings: Settings, _ patience: Nanoseconds
    ) throws(LinkFailure) -> ClusterTopology {
        let connection = try RedisConnection(
            settings, patience: patience, at: ListenAddress(node))
        let reply = try connection.command(["CLUSTER", "SLOTS"])
        if reply.isError { throw LinkFailure(reply: reply.string ?? "", to: "CLUSTER SLOTS") }
        guard let topology = ClusterTopology(slots: reply, askedAt: node.host) else {
            throw .protocolError("the answer to CLUSTER SLOTS is not what it should be")
        }
        return topology
    }

    private static func master(
        of service: SentinelService, at sentinel: SentinelService.Endpoint,
        _ settings: Settings, _ patience: Nanoseconds
    ) throws(LinkFailure) -> ListenAddress {
        let connection = try RedisConnection(sentinel: sentinel, settings, patience)
        let reply = try connection.command(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service.name])
        if reply.isError { throw LinkFailure(reply: reply.string ?? "", to: "SENTINEL") }
        let parts = reply.children.compactMap(\.string)
        guard parts.count == 2, let port = UInt16(parts[1]) else {
            throw .unknownService(service.name)
        }
        return .tcp(host: parts[0], port: port)
    }

    // MARK: - Commands

    /// Sends a command and waits for its answer, which may be an error.
    func command(_ words: [String]) throws(LinkFailure) -> RESPValue {
        try command(bytes: words.map { Array($0.utf8) })
    }

    /// Sends a command of bytes and waits for its answer, which may be an error.
    func command(bytes words: [[UInt8]]) throws(LinkFailure) -> RESPValue {
        var encoder = RESPEncoder()
        encoder.command(bytes: words)
        try stream.send(encoder.bytes, by: BootClock.now() + patience)
        do throws(LinkFailure) {
            return try next()
        } catch {
            let name = String(decoding: words.first ?? [], as: UTF8.self)
            throw error == .dialTimeout ? .timeout(command: name) : error
        }
    }

    /// Waits for the next value that the server sends.
    func next() throws(LinkFailure) -> RESPValue {
        let deadline = BootClock.now() + patience
        while true {
            let step: RESPStep
            do throws(RESPError) {
                step = try parser.next(input.span, from: offset)
            } catch {
                throw LinkFailure(error, firstBytes: Array(input.prefix(64)).span)
            }
            offset = step.end
            if let value = step.value {
                input.removeFirst(offset)
                offset = 0
                return value
            }
            let bytes = try stream.receive(by: deadline)
            if bytes.isEmpty { throw .closedByRedis }
            input += bytes
        }
    }

    /// What was agreed upon, such as `TLSv1.3`; nil without TLS.
    var tlsVersion: String? { stream.tlsVersion }

    /// How long the server's certificates are valid for; nil without TLS.
    var certificateLifetime: Nanoseconds? { stream.certificateLifetime }
}

extension ListenAddress {
    /// Where a node listens.
    init(_ node: RedisEndpoint) { self = .tcp(host: node.host, port: node.port) }
}
