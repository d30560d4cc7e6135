/// What is counted and timed during a run.
struct LoadTally {
    /// Different reasons of failed openings and of ends that are told apart.
    static let reasonLimit = 16

    /// Messages handed to Redis, and those that it has answered.
    var published: UInt64 = 0
    var answered: UInt64 = 0
    /// Messages for which Redis had fewer subscribers than there were live pages.
    var unsubscribed: UInt64 = 0
    /// Messages that Redis never answered: it was gone.
    var unanswered: UInt64 = 0
    /// Messages that were due while there was no connection to Redis.
    var unpublished: UInt64 = 0
    /// When the first and the last of these three kinds were noticed.
    private(set) var outage: (from: BootTime, to: BootTime)?
    /// What Redis has answered instead of a number, the last time.
    var redisComplaint: String?

    /// Messages that pages have received for the first time.
    var delivered: UInt64 = 0
    /// How many of them were to come: one for each live page at each message.
    var due: UInt64 = 0
    var repeated: UInt64 = 0
    var reordered: UInt64 = 0
    /// Messages that are none of this run's.
    var foreign: UInt64 = 0

    /// From the time at which a message was to be sent to its receipt.
    var latency = LatencyHistogram()
    /// From the time at which a message was to be sent to the one at which it was queued.
    var publishLateness = LatencyHistogram()
    /// From the time at which a page was to dial to its first ping.
    var connecting = LatencyHistogram()
    /// From the loss of a stream to its return.
    var returns = LatencyHistogram()
    var heartbeatLateness = LatencyHistogram()
    /// The same less what the tool's own loop was late in the turn that read the heartbeat: it may have
    /// been there all that time.
    var heartbeatExcess = LatencyHistogram()
    /// By how much the tool's own loop woke up late.
    var loopLag = LatencyHistogram()

    var pings: UInt64 = 0
    var opened: UInt64 = 0
    /// Connections that ended after they were open.
    var ends: UInt64 = 0
    /// Connections that could not be opened.
    var failedOpenings: UInt64 = 0
    /// Slow readers that the relay has disconnected.
    var slowEnds: UInt64 = 0
    var hangups: UInt64 = 0
    var gaps: UInt64 = 0
    var outages: UInt64 = 0
    private(set) var reasons: [String: UInt64] = [:]

    /// Counts a reason for which a connection ended or was not opened.
    mutating func note(_ reason: String) {
        let isKnown = reasons[reason] != nil || reasons.count < Self.reasonLimit
        reasons[isKnown ? reason : "others", default: 0] += 1
    }

    /// From the first to the last message that not every live page had a subscription for.
    var outageSpan: Nanoseconds { outage.map { $0.to - $0.from } ?? .zero }

    /// Counts a heartbeat's lateness; `lag` is by how much the loop woke up late to read it.
    mutating func noteHeartbeat(_ lateness: Nanoseconds, lag: Nanoseconds) {
        heartbeatLateness.record(lateness)
        heartbeatExcess.record(max(.zero, lateness - lag))
    }

    /// Notes that a message had too few subscribers, or could not be published.
    mutating func noteOutage(at now: BootTime) {
        outage = (outage?.from ?? now, now)
    }

    /// Whether there were to be messages and there were none: such a run has tried nothing.
    func isIdle(_ options: LoadOptions) -> Bool {
        options.rate > 0 && (options.sockets > 0 ? delivered : published) == 0
    }
}

/// A run that is over.
struct LoadResult {
    let options: LoadOptions
    var tally: LoadTally
    /// How long was really measured.
    var measured = Nanoseconds.zero
    /// Messages that a page with a live stream has not got though Redis had a subscriber for it.
    var lost: UInt64 = 0
    /// Messages that a page has not got because it had no subscription: Redis had too few subscribers,
    /// was gone, or the page's connection ended meanwhile.
    var missed: UInt64 = 0
    /// Pages that should have a stream at the end and have none.
    var absentPages = 0
    /// Processor time of the tool while it measured.
    var processorTime = Nanoseconds.zero

    /// The loss that counts: where outages are brought about on purpose, what was missed in them is
    /// not held against the relay.
    var countedLoss: UInt64 { options.excusesOutages ? lost : lost + missed }

    var failures: [String] { options.thresholds.failures(of: self) }
}
