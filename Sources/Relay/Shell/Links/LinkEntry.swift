import DequeModule

/// A link to Redis with its socket.
struct LinkEntry: ~Copyable {
    var machine: RedisLink
    /// The number by which people know the link; no other link ever has it.
    let number: UInt64
    var socket: Socket
    /// Whose messages come over it.
    var carries: Carried
    /// The subscriptions of which Redis is to be told something, in order; of a shared link.
    var requests = Deque<SlotID>()
    /// The server that the log has named since the link last failed.
    var server: SocketAddress?
    /// Whether the link holds a place of the dial gate.
    var isDialing = false
    /// Its connections that are begun and not decided.
    var attempts: [SlotID] = []
    /// When the last command went out whose answer shows what has been read.
    var askedAt = BootTime.never
    /// How long Redis took for the last such answer; nil before the first.
    var roundTrip: Nanoseconds?
    /// When anything last came from Redis.
    var heardAt = Instant.never
    /// When the last such command went out that was answered: all that Redis had sent before has been
    /// read, since it comes in one stream (I11).
    var confirmedAt = BootTime.never
    /// The ``LinkFailure/cause`` of its last failure; empty before the first.
    var lastCause = ""
    /// The TLS connection over the socket, where there is one.
    var tls: TLSSession?

    /// The master of a cluster that it goes to, where that is known: the link that asks for the topology
    /// goes to any node.
    var node: RedisEndpoint? {
        machine.target.isCluster && machine.purpose != .topology ? machine.node : nil
    }
}

/// The subscriptions that a link carries.
enum Carried: Equatable {
    /// None that a page has, as a probe.
    case nothing
    /// One, of one page.
    case one(SlotID)
    /// Those whose ``ChannelSubscription/link`` it is.
    case many
}

/// A connection to Redis that is begun and not decided.
struct DialAttempt {
    let link: SlotID
    let address: SocketAddress
    var descriptor: Descriptor = -1
}

/// What happens on links and is of concern to others.
enum LinkEvent {
    /// Redis answers for the first time, after so many dials.
    case redisAnswers(dials: Int)
    /// The link is live: with the subscription of its own, or ready to be told of many.
    case live(SlotID)
    /// Redis has acknowledged a subscription of a shared link.
    case acknowledged(SlotID, on: SlotID)
    /// Redis has ended a subscription of a shared link, as it was asked to.
    case ended(SlotID, on: SlotID)
    /// A node of the cluster has told where the slots are.
    case mapped(ClusterView.News)
    /// Redis refuses to begin, or to end, a subscription of a shared link.
    case refused(SlotID, LinkFailure, on: SlotID)
    /// What the link carries is in force no more. Messages may be missing since then, when the last
    /// question went out that was answered: what was published later may have been under way, in a
    /// socket or in Redis's memory (I11).
    case lost(SlotID, since: BootTime)
    /// As many attempts as may have failed: the link is to be closed, and who needs it sent away.
    case givenUp(SlotID)
    /// The subscription has ended as it was asked to: the link is to be closed.
    case unsubscribed(SlotID)
    /// The daemon cannot start; the one clear line.
    case fatal(String)
}
