/// The rule for which link serves a client: the one place that knows it.
///
/// Each WebSocket has a subscription connection of its own, so that a slow or stuck one touches
/// nobody else. A mode in which the clients of a loop share one connection would answer here with
/// the link that exists already.
enum LinkPolicy {
    /// The link that is to serve a new client of `channel`; nil when one has to be made.
    static func existingLink(for channel: ChannelName) -> SlotID? { nil }
}

/// The clients that receive what comes over one link.
struct Receivers: Sequence {
    private var client: SlotID?

    /// No client, as a probe has it.
    init() {}

    init(_ client: SlotID) {
        self.client = client
    }

    var isEmpty: Bool { client == nil }

    mutating func remove(_ id: SlotID) {
        if client == id { client = nil }
    }

    func makeIterator() -> Iterator { Iterator(remaining: client) }

    struct Iterator: IteratorProtocol {
        fileprivate var remaining: SlotID?

        mutating func next() -> SlotID? { remaining.take() }
    }
}
