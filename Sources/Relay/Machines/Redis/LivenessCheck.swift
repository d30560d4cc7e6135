import RESP

/// Whether the server at the other end of a live link still answers: when it is asked, and how.
///
/// Each link has a grid of instants of its own, half its patience apart, whose phase is a matter of
/// chance. A link that has been quiet for half its patience is asked at the next instant of its grid:
/// never later than that patience after the last byte, and once in it while nothing else comes.
/// Links that became live at the same instant, or were answered at the same instant after a stall, are
/// therefore asked one after the other, and not all at once for ever.
///
/// The patience is a ping interval. Of many links that one probe vouches for, all are asked fifty times
/// a second in all, so that each has more patience, up to a minute. The probe itself is asked twice an
/// interval, and when it does not answer soon its server is suspected: every link is then asked within a
/// quarter of an interval. A server that is gone is therefore found by all links within an interval and
/// the time for an answer, however many they are: half of it until the probe is asked, a quarter until
/// its silence is suspect, a quarter until the last link is asked.
///
/// Where gaps are told of, each link is asked once an interval, a busy one as well: an answer shows that
/// all which the server had sent before it was asked has been read, and nothing else does (I11).
struct LivenessCheck {
    /// Questions a second on the quiet links of a server that its probe vouches for, if they need not be
    /// more for ``longestPatience``.
    static let questionsPerSecond = 50
    /// The longest time for which a link is quiet without being asked, if the interval is not longer.
    static let longestPatience = Nanoseconds.seconds(60)
    /// Questions a second, at most, when a server is suspected.
    static let suspicionRate = 10_000

    /// How much a link's own questions have to tell.
    enum Duty: Equatable, Sendable {
        /// Whether this link lives.
        case link
        /// What has been read, so that gaps can be told of (I11).
        case gaps
        /// Whether the server lives, for all its links.
        case probe
    }

    private let duty: Duty
    private let interval: Nanoseconds
    private let seed: UInt64
    private var half: Int64
    private var phase: Int64
    /// When the last byte came.
    private(set) var lastByteAt = Instant.never
    private var lastQuestionAt = Instant.never
    /// When a link whose server is suspected is asked, unless something comes before.
    private var suspicionDue = Instant.never
    /// When the silence of a probe makes its server suspect.
    private(set) var doubtAt = Instant.never
    /// The time for which a probe may be silent without that.
    private let trust: Nanoseconds
    private var nonce: UInt32
    /// Whether a question is open.
    private(set) var isAsking = false

    /// Makes the check of a link; the seed is the source of all chance. A `timeout` of zero stands for
    /// answers that have no time limit.
    init(interval: Nanoseconds, timeout: Nanoseconds = .zero, seed: UInt64, duty: Duty) {
        self.duty = duty
        self.interval = interval
        self.seed = seed
        let quarter = max(1, interval.count / 4)
        trust = Nanoseconds(timeout == .zero ? quarter : min(quarter, max(1, timeout.count / 2)))
        half = max(1, duty == .probe ? quarter : interval.count / 2)
        phase = Int64(seed % UInt64(half))
        nonce = UInt32(truncatingIfNeeded: seed)
    }

    /// Makes the check of a link under these settings.
    init(_ settings: Settings, isProbe: Bool, seed: UInt64) {
        self.init(
            interval: settings.redisPingInterval, timeout: settings.redisRequestTimeout, seed: seed,
            duty: isProbe ? .probe : settings.gapNotices ? .gaps : .link)
    }

    // MARK: - When

    /// The patience with each of so many links that a probe vouches for: a power of two of intervals,
    /// so that a link which comes or goes moves no grid.
    static func patience(links: Int, interval: Nanoseconds) -> Nanoseconds {
        let wanted = Nanoseconds.seconds(Int64(links / questionsPerSecond))
        var patience = max(Nanoseconds(1), interval)
        while patience < wanted, patience < longestPatience { patience = patience * 2 }
        return max(interval, min(patience, longestPatience))
    }

    /// Sets the patience, in place of the interval that it is at first.
    mutating func setPatience(_ patience: Nanoseconds) {
        guard duty == .link, patience.count / 2 != half else { return }
        half = max(1, patience.count / 2)
        phase = Int64(seed % UInt64(half))
    }

    /// Over how long so many links of a suspected server are asked.
    static func roundLength(links: Int, interval: Nanoseconds) -> Nanoseconds {
        max(
            Nanoseconds(max(1, interval.count / 4)),
            Nanoseconds(1_000_000_000 / Int64(suspicionRate)) * Int64(links))
    }

    /// The server is suspected: the link is asked within `span`, unless something comes before.
    mutating func suspect(within span: Nanoseconds, now: Instant) {
        guard duty == .link, !isAsking else { return }
        suspicionDue = now + Nanoseconds(Int64(seed % UInt64(max(1, span.count))))
    }

    /// When the server is to be asked, unless something comes before.
    var nextQuestion: Instant {
        let earliest = (duty == .gaps ? lastQuestionAt : lastByteAt) + Nanoseconds(half)
        guard earliest != .never else { return suspicionDue }
        // The first instant of the grid behind that; what is on it now was a grid's instant ago.
        var distance = (earliest.nanoseconds - phase) % half
        if distance < 0 { distance += half }
        return min(suspicionDue, earliest + Nanoseconds(half - distance))
    }

    // MARK: - What has come

    /// A connection has been made: nothing is asked.
    mutating func begin(now: Instant) {
        lastByteAt = now
        lastQuestionAt = now
        suspicionDue = .never
        isAsking = false
    }

    /// Bytes have come.
    mutating func heard(now: Instant) {
        lastByteAt = now
        suspicionDue = .never
    }

    /// An answer has come, or is not waited for any more; whatever it says, somebody said it.
    mutating func end() {
        isAsking = false
        doubtAt = .never
    }

    // MARK: - Questions

    /// Writes a `PING` with another text than the last one.
    mutating func ping(now: Instant, output: inout RESPEncoder) {
        nonce &+= 1
        output.command(["PING", String(nonce, radix: 16)])
        asked(now: now)
    }

    /// Writes a subscription of what is subscribed to: who answers it takes subscriptions.
    mutating func subscribe(_ channel: [UInt8], now: Instant, output: inout RESPEncoder) {
        output.command(bytes: [Array("SUBSCRIBE".utf8), channel])
        asked(now: now)
    }

    /// Asks a node of a cluster where the slots are: who answers lives.
    mutating func ask(
        _ inquiry: ClusterInquiry, now: Instant, output: inout RESPEncoder
    ) {
        inquiry.ask(now: now, output: &output)
        asked(now: now)
    }

    private mutating func asked(now: Instant) {
        lastQuestionAt = now
        suspicionDue = .never
        isAsking = true
        doubt(from: now)
    }

    // MARK: - Doubt

    /// The probe is to answer from now on; what a link has to answer casts no doubt on its server.
    mutating func doubt(from now: Instant) {
        guard duty == .probe else { return }
        doubtAt = now + trust
    }

    /// The doubt has been told: it is told once for each question.
    mutating func endDoubt() {
        doubtAt = .never
    }
}
