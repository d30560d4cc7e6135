/// A browser's connection with its socket.
struct ClientEntry: ~Copyable {
    var machine: ClientConnection
    var socket: Socket
    /// Where it comes from: the address of the connection, or the one that a trusted proxy names.
    var peer: String
    /// The address of the trusted proxy that it came by.
    var proxy: String?
    /// The number that stands for `peer`; nil at a Unix socket.
    var address: NetworkAddress?
    let openedAt: Instant
    /// What it has subscribed to, from the upgrade on.
    var subscription: SlotID?
    /// Its place among the pages of its subscription.
    var place: UInt32 = 0
    /// What it has been told, if it can resume.
    var resume: PageResume?
    /// Why it ends, once that is decided.
    var end: ClientEnd?
    /// What became of its messages.
    var ledger = Ledger()
    /// The number of the link that has carried its subscription last.
    var lastLink: UInt64?
    /// The most bytes that have waited for it at once.
    var largestQueue = 0
    /// Whether it is one of the WebSockets that the metrics call active.
    var isActive = false

    /// Whether it is no WebSocket: it says nothing yet, or has had its answer.
    var isPlain: Bool { machine.channel == nil }
}

/// A page that needs its subscription no more.
struct Departure {
    let page: SlotID
    let subscription: SlotID
    /// Its place among the pages of the subscription.
    let place: Int
    /// What it has been told, where it can resume.
    let resume: PageResume?
    /// Whether it may come back for what it misses.
    let mayComeBack: Bool
}
