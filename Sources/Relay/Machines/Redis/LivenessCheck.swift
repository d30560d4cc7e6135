import RESP

/// Whether the server at the other end of a live link still answers: when it is asked, and how.
///
/// Each link has a grid of instants of its own, half a ping interval apart, whose phase is a matter of
/// chance. A link that has been quiet for half an interval is asked at the next instant of its grid:
/// never later than an interval after the last byte, and once an interval while nothing else comes.
/// Links that became live at the same instant, or were answered at the same instant after a stall, are
/// therefore asked one after the other, and not all at once for ever.
///
/// Where gaps are told of, a busy link is asked once an interval as well: an answer shows that all
/// which the server had sent before it was asked has been read, and nothing else does (I11).
struct LivenessCheck {
    private let half: Int64
    private let phase: Int64
    /// When the last byte came.
    private(set) var lastByteAt = Instant.never
    private let isRegular: Bool
    private var lastQuestionAt = Instant.never
    private var nonce: UInt32
    /// Whether a question is open.
    private(set) var isAsking = false

    /// Makes the check of a link; the seed is the source of all chance. A regular check asks busy
    /// links too.
    init(interval: Nanoseconds, seed: UInt64, isRegular: Bool) {
        self.isRegular = isRegular
        half = max(1, interval.count / 2)
        phase = Int64(seed % UInt64(half))
        nonce = UInt32(truncatingIfNeeded: seed)
    }

    /// Makes the check of a link under these settings.
    init(_ settings: Settings, seed: UInt64) {
        self.init(
            interval: settings.redisPingInterval, seed: seed, isRegular: settings.gapNotices)
    }

    /// When the server is to be asked, unless something comes before.
    var nextQuestion: Instant {
        let earliest = (isRegular ? lastQuestionAt : lastByteAt) + Nanoseconds(half)
        guard earliest != .never else { return .never }
        // The first instant of the grid behind that; what is on it now was a grid's instant ago.
        var distance = (earliest.nanoseconds - phase) % half
        if distance < 0 { distance += half }
        return earliest + Nanoseconds(half - distance)
    }

    /// A connection has been made: nothing is asked.
    mutating func begin(now: Instant) {
        lastByteAt = now
        lastQuestionAt = now
        isAsking = false
    }

    /// Bytes have come.
    mutating func heard(now: Instant) {
        lastByteAt = now
    }

    /// Writes a `PING` with another text than the last one.
    mutating func ping(now: Instant, output: inout RESPEncoder) {
        lastQuestionAt = now
        nonce &+= 1
        output.command(["PING", String(nonce, radix: 16)])
        isAsking = true
    }

    /// Writes a subscription of what is subscribed to: who answers it takes subscriptions.
    mutating func subscribe(_ channel: [UInt8], now: Instant, output: inout RESPEncoder) {
        lastQuestionAt = now
        output.command(bytes: [Array("SUBSCRIBE".utf8), channel])
        isAsking = true
    }

    /// An answer has come, or is not waited for any more; whatever it says, somebody said it.
    mutating func end() {
        isAsking = false
    }
}
