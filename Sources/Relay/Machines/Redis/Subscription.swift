import RESP

/// What a link has subscribed to, and which messages are therefore its own.
struct Subscription {
    /// The channel's name.
    let channel: [UInt8]
    /// Whether the link is a probe: nobody is there to get its messages.
    let isProbe: Bool
    /// Whether Redis has acknowledged it; a probe is content to be told that it may not have it.
    var isAcknowledged = false

    /// Whether a quiet link asks by subscribing again, and not by `PING`: so does a probe, because it
    /// must know whether Redis still takes subscriptions.
    var isAskedFor: Bool { isProbe && isAcknowledged }

    init(_ purpose: LinkPurpose) {
        channel = purpose.channel
        isProbe = purpose == .probe
    }

    /// Whether it is the name of the channel that was subscribed to.
    func isOwn(_ name: Span<UInt8>) -> Bool {
        guard name.count == channel.count else { return false }
        let channel = channel.span
        for index in name.indices where name[index] != channel[index] { return false }
        return true
    }

    /// Whether the value is a message of a kind of subscription that no link makes.
    static func isForeignMessage(_ value: RESPValue) -> Bool {
        guard value.kind == .push || value.kind == .array else { return false }
        var parts = value.children
        let kind = parts.next()?.string
        return kind == "pmessage" || kind == "smessage"
    }
}

extension PubSubParser {
    /// Makes a parser of what Redis sends on a new connection.
    init(settings: Settings) {
        self.init(limits: RESPLimits(payloadSize: settings.maxPayloadSize))
    }
}
