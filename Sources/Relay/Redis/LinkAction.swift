/// What a link to Redis is for.
enum LinkPurpose: Equatable, Sendable {
    /// Receives the messages of one channel.
    case subscription(channel: [UInt8])
    /// Tells whether Redis answers, at start and for `/ready`; it subscribes to nothing.
    case probe
}

/// What the shell has to do for a link.
enum LinkAction: Equatable, Sendable {
    /// Nothing more: all bytes are consumed.
    case none
    /// Close the connection, if there is one, and look the host name up.
    case resolve(host: String, port: UInt16)
    /// Close the connection, if there is one, and begin one to this address.
    case dial(SocketAddress)
    /// Begin the TLS handshake with the server of this host, then call
    /// ``RedisLink/secured(now:output:)``.
    case secure(host: String)
    /// The subscription is acknowledged (a probe: Redis has answered): the link is live.
    case live
    /// Pass on a message; the range is that of its payload in the buffer.
    case message(payload: Range<Int>)
    /// A payload of this many bytes was over the limit and has been skipped.
    case oversized(length: Int)
    /// The subscription has ended as it was asked to: close the connection.
    case unsubscribed
    /// Close the connection, then ask ``RedisLink/retry(cap:now:)``.
    case failed(LinkFailure)
}

/// What happens after a failure.
enum RetryDecision: Equatable, Sendable {
    /// The link tries again after this wait; so many attempts in a row have failed, from 1.
    case retry(Backoff.Wait, failed: Int)
    /// As many attempts as allowed have failed.
    case giveUp(attempts: Int)
}
