import RESP

/// What the shell has to do after a command to the broker.
enum BrokerAction: Equatable, Sendable {
    case none
    /// Pass a message on to the subscribers of its channel, then answer with their number.
    case publish(channel: Range<Int>, payload: Range<Int>)
    /// Send what is queued and close.
    case close
}

/// A small Redis-protocol server for Pub/Sub, inside the daemon's own process.
///
/// It is there so that a newcomer, a demonstration or a test needs no Redis; it keeps no data.
/// Pure: a command in, an answer and an action out.
struct Broker {
    /// Databases that can be selected; Pub/Sub knows no difference between them.
    static let databaseCount = 16
    /// Unsent bytes at which a subscriber is disconnected, as Redis does (32 MiB).
    static let outputLimit = 32 << 20

    private let password: Secret?
    private let version: String
    private var subscribers: [[UInt8]: [SlotID]] = [:]
    private var sessionsMade = 0

    init(password: Secret?, version: String) {
        self.password = password
        self.version = version
    }

    /// The state of a client that has just connected.
    mutating func makeSession() -> BrokerSession {
        sessionsMade += 1
        return BrokerSession(number: sessionsMade, isAuthenticated: password == nil)
    }

    /// The sessions subscribed to a channel.
    func receivers(of channel: some Collection<UInt8>) -> [SlotID] {
        subscribers[Array(channel)] ?? []
    }

    /// Forgets a session that has ended.
    mutating func remove(_ id: SlotID, session: BrokerSession) {
        for channel in session.channels { remove(id, from: channel) }
    }

    private mutating func remove(_ id: SlotID, from channel: [UInt8]) {
        subscribers[channel]?.removeAll { $0 == id }
        if subscribers[channel]?.isEmpty == true { subscribers[channel] = nil }
    }

    /// Executes one command; `arguments` are ranges of `bytes`.
    mutating func execute(
        _ arguments: [Range<Int>], of bytes: Span<UInt8>, by id: SlotID,
        session: inout BrokerSession, reply: inout RESPEncoder
    ) -> BrokerAction {
        reply.version = session.version
        let words = BrokerArguments(arguments, of: bytes)
        let name = words.upper(0)
        if !session.isAuthenticated, !["AUTH", "HELLO", "QUIT"].contains(name) {
            reply.simpleError("NOAUTH Authentication required.")
            return .none
        }
        if session.isRestricted, !["SUBSCRIBE", "UNSUBSCRIBE", "PING", "QUIT"].contains(name) {
            reply.simpleError(
                "ERR Can't execute '\(words.lower(0))': only SUBSCRIBE / UNSUBSCRIBE / PING / QUIT"
                    + " are allowed in this context")
            return .none
        }
        switch name {
        case "SUBSCRIBE" where words.count > 1:
            for index in 1..<words.count {
                subscribe(words.bytes(index), id, &session, &reply)
            }
        case "UNSUBSCRIBE": unsubscribe(words, id, &session, &reply)
        case "PUBLISH" where words.count == 3:
            return .publish(channel: arguments[1], payload: arguments[2])
        case "QUIT":
            reply.simpleString("OK")
            return .close
        default: answer(name, words, &session, &reply)
        }
        return .none
    }

    // MARK: - Subscriptions

    private mutating func subscribe(
        _ channel: [UInt8], _ id: SlotID, _ session: inout BrokerSession,
        _ reply: inout RESPEncoder
    ) {
        if subscribers[channel]?.contains(id) != true {
            guard session.channels.count < BrokerSession.channelLimit else {
                reply.simpleError("ERR too many channels")
                return
            }
            session.channels.append(channel)
            subscribers[channel, default: []].append(id)
        }
        reply.pushHeader(3)
        reply.bulkString("subscribe")
        reply.bulkString(channel)
        reply.integer(session.channels.count)
    }

    private mutating func unsubscribe(
        _ words: BrokerArguments, _ id: SlotID, _ session: inout BrokerSession,
        _ reply: inout RESPEncoder
    ) {
        let channels =
            words.count > 1 ? (1..<words.count).map { words.bytes($0) } : session.channels
        for channel in channels {
            session.channels.removeAll { $0 == channel }
            remove(id, from: channel)
            reply.pushHeader(3)
            reply.bulkString("unsubscribe")
            reply.bulkString(channel)
            reply.integer(session.channels.count)
        }
        if channels.isEmpty {
            reply.pushHeader(3)
            reply.bulkString("unsubscribe")
            reply.null()
            reply.integer(0)
        }
    }

    // MARK: - Plain commands

    private func answer(
        _ name: String, _ words: BrokerArguments, _ session: inout BrokerSession,
        _ reply: inout RESPEncoder
    ) {
        switch name {
        case "PING" where words.count <= 2: ping(words, session, &reply)
        case "ECHO" where words.count == 2: reply.bulkString(words.bytes(1))
        case "HELLO": hello(words, &session, &reply)
        case "AUTH" where words.count == 2 || words.count == 3: auth(words, &session, &reply)
        case "SELECT" where words.count == 2: select(words, &session, &reply)
        case "CLIENT" where words.count >= 2: client(words, &session, &reply)
        case "PUBSUB" where words.count >= 2: pubsub(words, &reply)
        case "INFO": reply.bulkString(information())
        // What redis-cli and redis-benchmark ask on their way in.
        case "COMMAND": reply.arrayHeader(0)
        case "CONFIG" where words.count == 3 && words.upper(1) == "GET": config(words, &reply)
        case "AUTH", "CLIENT", "ECHO", "PING", "PUBLISH", "PUBSUB", "SELECT", "SUBSCRIBE":
            reply.simpleError("ERR wrong number of arguments for '\(words.lower(0))' command")
        default:
            reply.simpleError("ERR unknown command '\(words.lower(0))'")
        }
    }

    private func ping(
        _ words: BrokerArguments, _ session: BrokerSession, _ reply: inout RESPEncoder
    ) {
        if session.isRestricted {
            reply.arrayHeader(2)
            reply.bulkString("pong")
            reply.bulkString(words.count == 2 ? words.bytes(1) : [])
        } else if words.count == 2 {
            reply.bulkString(words.bytes(1))
        } else {
            reply.simpleString("PONG")
        }
    }

    /// The two settings that redis-benchmark prints; there is nothing to configure.
    private func config(_ words: BrokerArguments, _ reply: inout RESPEncoder) {
        let values = ["save": "", "appendonly": "no"]
        guard let value = values[words.lower(2)] else { return reply.mapHeader(0) }
        reply.mapHeader(1)
        reply.bulkString(words.lower(2))
        reply.bulkString(value)
    }

    private func hello(
        _ words: BrokerArguments, _ session: inout BrokerSession, _ reply: inout RESPEncoder
    ) {
        var version = session.version
        if words.count > 1 {
            switch words.text(1) {
            case "2": version = .resp2
            case "3": version = .resp3
            default: return reply.simpleError("NOPROTO unsupported protocol version")
            }
        }
        var index = 2
        var name: String?
        while index < words.count {
            if words.upper(index) == "AUTH", index + 2 < words.count {
                guard authenticate(user: words.text(index + 1), words.text(index + 2), &session)
                else { return reply.simpleError(Self.wrongPassword) }
                index += 3
            } else if words.upper(index) == "SETNAME", index + 1 < words.count {
                name = words.text(index + 1)
                index += 2
            } else {
                return reply.simpleError("ERR Syntax error in HELLO")
            }
        }
        guard session.isAuthenticated else {
            return reply.simpleError(
                "NOAUTH HELLO must be called with the client already authenticated, otherwise"
                    + " the HELLO <proto> AUTH <user> <pass> option can be used to authenticate"
                    + " the client and select the RESP protocol version at the same time")
        }
        if let name { session.name = name }
        session.version = version
        reply.version = version
        reply.mapHeader(6)
        reply.bulkString("server")
        reply.bulkString("redis")
        reply.bulkString("version")
        reply.bulkString(Self.redisVersion)
        reply.bulkString("proto")
        reply.integer(version == .resp3 ? 3 : 2)
        reply.bulkString("id")
        reply.integer(session.number)
        reply.bulkString("mode")
        reply.bulkString("standalone")
        reply.bulkString("role")
        reply.bulkString("master")
    }

    /// The Redis whose answers these are like.
    private static let redisVersion = "7.0.0"
    private static let wrongPassword =
        "WRONGPASS invalid username-password pair or user is disabled."

    private func authenticate(
        user: String, _ given: String, _ session: inout BrokerSession
    ) -> Bool {
        guard user == "default", password == nil || password?.revealed == given else {
            return false
        }
        session.isAuthenticated = true
        return true
    }

    private func auth(
        _ words: BrokerArguments, _ session: inout BrokerSession, _ reply: inout RESPEncoder
    ) {
        if words.count == 2, password == nil {
            reply.simpleError(
                "ERR AUTH <password> called without any password configured for the default"
                    + " user. Are you sure your configuration is correct?")
            return
        }
        let user = words.count == 3 ? words.text(1) : "default"
        if authenticate(user: user, words.text(words.count - 1), &session) {
            reply.simpleString("OK")
        } else {
            reply.simpleError(Self.wrongPassword)
        }
    }

    private func select(
        _ words: BrokerArguments, _ session: inout BrokerSession, _ reply: inout RESPEncoder
    ) {
        guard let database = Int(words.text(1)) else {
            return reply.simpleError("ERR value is not an integer or out of range")
        }
        guard (0..<Self.databaseCount).contains(database) else {
            return reply.simpleError("ERR DB index is out of range")
        }
        session.database = database
        reply.simpleString("OK")
    }

    private func client(
        _ words: BrokerArguments, _ session: inout BrokerSession, _ reply: inout RESPEncoder
    ) {
        switch words.upper(1) {
        case "SETNAME" where words.count == 3:
            session.name = words.text(2)
            reply.simpleString("OK")
        case "GETNAME":
            if session.name.isEmpty { reply.null() } else { reply.bulkString(session.name) }
        case "ID": reply.integer(session.number)
        case "SETINFO" where words.count == 4: reply.simpleString("OK")
        default: reply.simpleError("ERR unknown subcommand '\(words.text(1))'")
        }
    }

    private func pubsub(_ words: BrokerArguments, _ reply: inout RESPEncoder) {
        switch words.upper(1) {
        case "CHANNELS" where words.count <= 3:
            let pattern = Glob(words.count == 3 ? words.text(2) : "*")
            let channels = subscribers.keys
                .filter { pattern?.matches(String(decoding: $0, as: UTF8.self)) ?? false }
                .sorted { $0.lexicographicallyPrecedes($1) }
            reply.arrayHeader(channels.count)
            for channel in channels { reply.bulkString(channel) }
        case "NUMSUB":
            reply.arrayHeader(2 * (words.count - 2))
            for index in 2..<max(2, words.count) {
                reply.bulkString(words.bytes(index))
                reply.integer(receivers(of: words.bytes(index)).count)
            }
        case "NUMPAT": reply.integer(0)
        default: reply.simpleError("ERR unknown subcommand '\(words.text(1))'")
        }
    }

    private func information() -> String {
        """
        # Server\r
        redis_version:\(Self.redisVersion)\r
        redis_mode:standalone\r
        server_name:status2\r
        status2_version:\(version)\r
        \r
        # Stats\r
        total_connections_received:\(sessionsMade)\r
        pubsub_channels:\(subscribers.count)\r
        pubsub_patterns:0\r

        """
    }
}
