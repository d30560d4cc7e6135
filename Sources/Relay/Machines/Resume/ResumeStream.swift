import DequeModule

/// What a channel has said lately, for pages that come back.
///
/// It is there only where a page of the channel can resume, or may come back; others cost one look
/// whether it is.
final class ResumeStream {
    /// Losses that are told apart; of more, the oldest two become one.
    static let lossLimit = 8
    /// What a message counts for beside its bytes, so that short ones and empty ones are bounded too.
    static let messageCost = 8

    /// Messages that no page may have had.
    struct Loss: Equatable {
        /// The number of the last message before it.
        let after: UInt64
        let since: BootTime
        let until: BootTime
    }

    /// A place between two messages that are held.
    struct Cursor {
        /// The number of the message before it.
        fileprivate(set) var number: UInt64
        /// The bytes of all messages of the stream before it.
        fileprivate var offset: UInt64
    }

    let epoch: StreamEpoch
    /// The number of the last message.
    private(set) var last: UInt64 = 0
    private(set) var losses: [Loss] = []
    /// The payloads of the last messages, one behind the other.
    private var payloads = ByteRing()
    /// Their lengths.
    private var lengths = Deque<UInt32>()
    /// The bytes of all messages before those that are held.
    private var forgotten: UInt64 = 0
    /// The pages that hear the channel and can resume.
    private(set) var pageCount = 0
    /// How many more may come back, as far as that is known, and until when the last of them may.
    private var awayCount = 0
    private var awayUntil: Instant?

    init(_ epoch: StreamEpoch) {
        self.epoch = epoch
    }

    // MARK: - Messages

    /// How many messages are held: those behind number `last - messageCount`.
    var messageCount: Int { lengths.count }

    /// What they count for.
    var byteCount: Int { payloads.count + Self.messageCost * lengths.count }

    /// Takes a message up; of the oldest as many are forgotten as `limit` bytes ask for.
    ///
    /// Returns by how many bytes more, or fewer, are held.
    func append(_ payload: Span<UInt8>, limit: Int) -> Int {
        let before = byteCount
        last += 1
        let cost = payload.count + Self.messageCost
        forget(downTo: limit - cost)
        if cost <= limit {
            payloads.append(payload, capacity: limit)
            lengths.append(UInt32(clamping: payload.count))
        } else {
            forgotten += UInt64(payload.count)
            payloads.shrink()
        }
        return byteCount - before
    }

    /// Forgets the older half of the messages, or more, to give their memory back; returns how many
    /// bytes they counted for.
    func forgetHalf() -> Int {
        let before = byteCount
        forget(downTo: before / 2)
        payloads.shrink()
        return before - byteCount
    }

    private func forget(downTo limit: Int) {
        while byteCount > limit, let oldest = lengths.popFirst() {
            payloads.removeFirst(Int(oldest))
            forgotten += UInt64(oldest)
        }
    }

    /// Whether all messages behind that number are there.
    func holds(after number: UInt64) -> Bool {
        number <= last && last - number <= UInt64(lengths.count)
    }

    /// The place behind that number; nil where not all messages behind it are there.
    func cursor(after number: UInt64) -> Cursor? {
        guard holds(after: number) else { return nil }
        let before = lengths.prefix(lengths.count - Int(last - number))
        return Cursor(number: number, offset: before.reduce(forgotten) { $0 + UInt64($1) })
    }

    /// Puts the payload behind the place into `payload` and moves the place behind it; false at the
    /// end, and where the message has been forgotten meanwhile.
    func next(_ cursor: inout Cursor, into payload: inout [UInt8]) -> Bool {
        guard cursor.number < last, holds(after: cursor.number) else { return false }
        let length = Int(lengths[lengths.count - Int(last - cursor.number)])
        payload.removeAll(keepingCapacity: true)
        payloads.copy(from: Int(cursor.offset - forgotten), length, to: &payload)
        cursor.number += 1
        cursor.offset += UInt64(length)
        return true
    }

    // MARK: - Losses

    /// Messages are missing, or may be, behind the last one.
    func lost(since: BootTime, until: BootTime) {
        losses.append(Loss(after: last, since: since, until: until))
        guard losses.count > Self.lossLimit else { return }
        let oldest = losses.removeFirst()
        losses[0] = Loss(
            after: losses[0].after, since: min(oldest.since, losses[0].since),
            until: max(oldest.until, losses[0].until))
    }

    // MARK: - Pages

    /// A page that can resume hears the channel; `isBack` where it has heard this stream before.
    func join(isBack: Bool) {
        pageCount += 1
        if isBack, awayCount > 0 { awayCount -= 1 }
    }

    /// Such a page has left; it may come back until `deadline`, where there is one.
    func leave(until deadline: Instant?, now: Instant) {
        pageCount -= 1
        if isAwaited(until: now) == nil { (awayCount, awayUntil) = (0, nil) }
        guard let deadline else { return }
        awayCount += 1
        awayUntil = max(awayUntil ?? deadline, deadline)
    }

    /// Until when a page may still come back; nil where none is away, or its time is over.
    func isAwaited(until now: Instant) -> Instant? {
        guard awayCount > 0, let awayUntil, awayUntil > now else { return nil }
        return awayUntil
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
    /// Bytes of replayed messages that may wait for it beside those that may for any page.
    var replayed = 0

    /// Whether it has been told where the stream is.
    var hasBegun: Bool { outcome != nil }

    init(_ request: ResumeRequest) {
        self.request = request
    }
}
