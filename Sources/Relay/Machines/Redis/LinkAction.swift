/// What a link to Redis is for.
enum LinkPurpose: Equatable, Sendable {
    /// Receives the messages of one channel.
    case subscription(channel: [UInt8])
    /// Receives the messages of many channels, which come and go while it is live.
    case shared
    /// Tells whether Redis takes subscriptions, at start and for `/ready`.
    case probe
    /// Asks a cluster where its slots are, at start and again and again.
    case topology

    /// The channel that a probe and a shared link subscribe to first, if they may; nobody needs to
    /// publish there.
    static let probeChannel = Array("status2:probe".utf8)

    /// The channel that is subscribed to in the greeting.
    var channel: [UInt8] {
        switch self {
        case .subscription(let channel): channel
        case .probe, .shared, .topology: Self.probeChannel
        }
    }
}

/// What the shell has to do for a link.
enum LinkAction: Equatable, Sendable {
    /// Nothing more: all bytes are consumed.
    case none
    /// Close the connection, if there is one, and look the host name up.
    case resolve(host: String, port: UInt16)
    /// Close the connection, if there is one, and begin one to this address, beside those that are
    /// begun already and not decided. The first that is made is the link's, and the others are closed.
    case dial(SocketAddress)
    /// Close the connection and let the link through the dial gate once more.
    case again
    /// Begin the TLS handshake with the server of this host, then call
    /// ``RedisLink/secured(now:output:)``.
    case secure(host: String)
    /// The subscription is acknowledged (a probe: Redis takes subscriptions): the link is live.
    case live
    /// Pass on a message; the ranges are those of its channel and its payload in the buffer.
    case message(channel: Range<Int>, payload: Range<Int>)
    /// A payload of this many bytes was over the limit and has been skipped.
    case oversized(channel: Range<Int>, length: Int)
    /// A shared link has this subscription.
    case acknowledged(SlotID)
    /// A shared link has this subscription no more, as it was asked to.
    case ended(SlotID)
    /// A shared link has the subscription of this channel no more, and nobody has asked for that.
    case withdrawn(channel: Range<Int>)
    /// The user may not begin, or may not end, this subscription, or its slot is not the node's; the
    /// link goes on.
    case refused(SlotID, LinkFailure)
    /// A node has told again where the slots are: see ``ClusterInquiry/takeTopology()``.
    case mapped
    /// The server leaves its probe without an answer: ask every link to it.
    case suspicious
    /// Something came that does no harm, and that people may want to know of.
    case remarked(LinkRemark)
    /// The subscription has ended as it was asked to: close the connection.
    case unsubscribed
    /// Close the connection, then ask ``RedisLink/retry(cap:now:)``.
    case failed(LinkFailure)
}

/// What Redis sends that is wrong and ends no link.
enum LinkRemark: Equatable, Sendable {
    /// `PING` was answered with this error; to be refused is to be answered.
    case pingRefused(String)
    /// An error that answers nothing that is open.
    case unexpectedError(String)
    /// A message of a channel that the link has not subscribed to; nobody gets it.
    case foreignMessage

    /// A short name for metrics.
    var kind: String {
        switch self {
        case .pingRefused: "ping_error"
        case .unexpectedError: "error"
        case .foreignMessage: "foreign_message"
        }
    }
}

/// What happens after a failure.
enum RetryDecision: Equatable, Sendable {
    /// The link tries again after this wait; so many attempts in a row have failed, from 1.
    case retry(Backoff.Wait, failed: Int)
    /// As many attempts as allowed have failed.
    case giveUp(attempts: Int)
}
