import RESP

/// A connection of a command to the configured Redis, logged in; one command at a time.
///
/// It speaks RESP2, which every server and proxy does. Sentinels are asked for the master first.
final class RedisConnection {
    private let stream: CommandStream
    private var parser = RESPParser()
    private var input: [UInt8] = []
    private var offset = 0
    /// The longest wait for an answer.
    private let patience: Nanoseconds
    /// The server that answers: the master, where Sentinels were asked.
    let server: ListenAddress

    /// Connects and logs in.
    ///
    /// - Parameter patience: the longest wait for the connection, and for each answer.
    init(_ settings: Settings, patience: Nanoseconds) throws(LinkFailure) {
        self.patience = patience
        let target = settings.redis
        let tls: TLSContext?
        do throws(TLSFileError) {
            tls =
                target.usesTLS
                ? try TLSContext(settings.redisTLS, readSize: CommandStream.readSize) : nil
        } catch {
            throw .tls("\(error)")
        }
        server = try Self.server(settings, patience)
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
        if reply.isError { throw LinkFailure(reply: reply.string ?? "", to: "AUTH") }
    }

    // MARK: - Where

    private static func server(
        _ settings: Settings, _ patience: Nanoseconds
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
        }
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
