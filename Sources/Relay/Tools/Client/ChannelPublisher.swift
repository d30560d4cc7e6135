import RESP

/// Publishes to one channel: with `PUBLISH`, or in a cluster with `SPUBLISH` at the master of its slot,
/// which is followed when it moves.
final class ChannelPublisher {
    /// Nodes that one message is carried on to, one after the other, before it is given up.
    private static let redirectionLimit = 5

    private let settings: Settings
    private let patience: Nanoseconds
    private let channel: [UInt8]
    private var connection: RedisConnection

    /// Connects and logs in; `patience` is the longest wait for each step.
    init(_ settings: Settings, patience: Nanoseconds, channel: [UInt8]) throws(LinkFailure) {
        self.settings = settings
        self.patience = patience
        self.channel = channel
        connection = try RedisConnection(settings, patience: patience, channel: channel)
    }

    /// The command that publishes.
    var verb: String { settings.redis.isCluster ? "SPUBLISH" : "PUBLISH" }

    /// Publishes a message; how many subscribers the server has handed it to.
    func publish(_ message: [UInt8]) throws(LinkFailure) -> Int {
        var redirections = 0
        while true {
            let reply = try connection.command(bytes: [Array(verb.utf8), channel, message])
            if let receivers = reply.integer { return receivers }
            let failure = LinkFailure(reply: reply.string ?? "", to: verb)
            guard case .moved(let redirection) = failure, redirections < Self.redirectionLimit,
                case .tcp(let host, let port) = connection.server,
                let next = redirection.target(from: RedisEndpoint(host: host, port: port))
            else { throw failure }
            redirections += 1
            connection = try RedisConnection(
                settings, patience: patience, at: ListenAddress(next))
        }
    }
}
