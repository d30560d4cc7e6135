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
    /// The hash of the name, where the table knows it.
    var hash: UInt64 = 0
    /// The link that carries it.
    var link: SlotID?
    /// The pages that hear it.
    var pages = PageSet()
    var state = State.wanted
    /// Whether it waits to be looked at.
    var isQueued = false
    /// Whether Redis has refused to end it: it is kept, and its messages go to nobody.
    var cannotEnd = false
    /// Whether it is to be ended where it is because it is to be had elsewhere.
    var isMoving = false
    /// What it has said lately, where a page of it can resume.
    var stream: ResumeStream?
    /// Until when its stream is kept though no page that can resume hears it, for one that may come back.
    var keptUntil: Instant?
    /// Whether the table knows it.
    var isListed = false
    /// Since when its pages may have missed messages; ``BootTime/never`` while they miss none.
    var outageSince = BootTime.never

    /// Whether its messages are wanted.
    var isWanted: Bool { !pages.isEmpty || keptUntil != nil }

    init(_ channel: [UInt8]) {
        self.channel = channel
    }
}
