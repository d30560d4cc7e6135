/// A channel that pages hear, and how far Redis is with it.
struct ChannelSubscription {
    /// How far Redis is.
    enum State: Equatable {
        /// It is to be asked for.
        case wanted
        /// `SUBSCRIBE` is out.
        case requested
        /// Redis has acknowledged it: its messages come.
        case acknowledged
        /// `UNSUBSCRIBE` is out.
        case ending
    }

    /// The name of the channel.
    let channel: [UInt8]
    /// The hash of the name, where subscriptions are found by it.
    let hash: UInt64
    /// The link that carries it.
    var link: SlotID?
    /// The pages that hear it.
    var pages = PageSet()
    var state = State.wanted
    /// Whether it waits to be looked at.
    var isQueued = false
    /// Whether Redis has refused to end it: it is kept, and its messages go to nobody.
    var cannotEnd = false
    /// Since when its pages may have missed messages; ``BootTime/never`` while they miss none.
    var outageSince = BootTime.never

    init(_ channel: [UInt8], hash: UInt64) {
        self.channel = channel
        self.hash = hash
    }
}
