import DequeModule

/// What a channel has said lately, for pages that come back.
///
/// It is there only where a page of the channel can resume; others cost one look whether it is.
final class ResumeStream {
    /// Losses that are told apart; of more, the oldest two become one.
    static let lossLimit = 8

    /// Messages that no page may have had.
    struct Loss: Equatable {
        /// The number of the last message before it.
        let after: UInt64
        let since: BootTime
        let until: BootTime
    }

    let epoch: StreamEpoch
    /// The number of the last message.
    private(set) var last: UInt64 = 0
    /// The payloads of the last messages, the newest at the end.
    private var payloads = Deque<[UInt8]>()
    /// The bytes of those.
    private(set) var byteCount = 0
    private(set) var losses: [Loss] = []

    /// How many messages are held: those behind number `last - messageCount`.
    var messageCount: Int { payloads.count }

    init(_ epoch: StreamEpoch) {
        self.epoch = epoch
    }

    /// Takes a message up; of the oldest as many are forgotten as `limit` bytes ask for.
    ///
    /// Returns by how many bytes more, or fewer, are held.
    func append(_ payload: Span<UInt8>, limit: Int) -> Int {
        let before = byteCount
        last += 1
        payloads.append([UInt8](payload))
        byteCount += payload.count
        while byteCount > limit, let oldest = payloads.popFirst() { byteCount -= oldest.count }
        return byteCount - before
    }

    /// Forgets all messages; returns how many bytes they were.
    func forget() -> Int {
        defer { byteCount = 0 }
        payloads.removeAll()
        return byteCount
    }

    /// Messages are missing, or may be, behind the last one.
    func lost(since: BootTime, until: BootTime) {
        losses.append(Loss(after: last, since: since, until: until))
        guard losses.count > Self.lossLimit else { return }
        let oldest = losses.removeFirst()
        losses[0] = Loss(
            after: losses[0].after, since: min(oldest.since, losses[0].since),
            until: max(oldest.until, losses[0].until))
    }

    /// Whether all messages behind that number are there.
    func holds(after number: UInt64) -> Bool {
        number <= last && last - number <= UInt64(payloads.count)
    }

    /// The payloads behind that number; ``holds(after:)`` must say so.
    func payloads(after number: UInt64) -> Deque<[UInt8]>.SubSequence {
        payloads.suffix(Int(last - number))
    }
}

extension [UInt8] {
    /// A copy of the bytes.
    fileprivate init(_ bytes: Span<UInt8>) {
        self.init()
        reserveCapacity(bytes.count)
        for index in bytes.indices { append(bytes[index]) }
    }
}

/// What a page that can resume has been told.
final class PageResume {
    /// What a page got when it became live.
    enum Outcome: String, Sendable {
        /// Its stream begins: it has come for the first time.
        case begun
        /// What it had missed, if anything.
        case complete
        /// The notice of a gap.
        case gap
    }

    let request: ResumeRequest
    /// What it got; nil until it has been told where the stream is.
    var outcome: Outcome?

    /// Whether it has been told where the stream is.
    var hasBegun: Bool { outcome != nil }

    init(_ request: ResumeRequest) {
        self.request = request
    }
}
