/// Decides which refusals leave a line in the log.
///
/// Each reason has limits of its own, so that no flood of one kind hides another kind. Within a
/// reason, what has just been told is not told again for a while: a health check of a path that is
/// not there, or the pages of one origin that is not let in. What has not been told yet is, up to a
/// number of lines in each interval. So a new `Origin` is seen at once however often another one
/// comes.
struct RefusalLog: Sendable {
    /// The lines of one reason in each ``interval``.
    static let lineLimit = 10
    static let interval = Nanoseconds.seconds(10)
    /// How long a line stands for others like it; for what is looked for and is not there, which
    /// every scanner and many a health check does, see ``quietInterval``.
    static let repetitionInterval = Nanoseconds.seconds(10)
    static let quietInterval = Nanoseconds.seconds(60)
    /// The lines of one reason that are remembered.
    static let memoryLimit = 32

    fileprivate struct Reason {
        var limit = LogRateLimit(lines: lineLimit, per: interval)
        /// What was told, the oldest first, and until when it stands for others.
        var told: [(subject: String, until: Instant)] = []
        var suppressed: UInt64 = 0
    }

    private var reasons: [String: Reason] = [:]

    /// Decides about a refusal.
    ///
    /// - Parameters:
    ///   - reason: one of few fixed names.
    ///   - subject: what makes it one of its kind, such as the origin.
    mutating func admit(
        reason: String, subject: String, at now: Instant
    ) -> LogRateLimit.Admission {
        reasons[reason, default: Reason()].admit(
            subject, at: now, repeatedAfter: Self.repetition(of: reason))
    }

    private static func repetition(of reason: String) -> Nanoseconds {
        reason == "not_found" ? quietInterval : repetitionInterval
    }
}

extension RefusalLog.Reason {
    fileprivate mutating func admit(
        _ subject: String, at now: Instant, repeatedAfter interval: Nanoseconds
    ) -> LogRateLimit.Admission {
        told.removeAll { $0.until <= now }
        guard !told.contains(where: { $0.subject == subject }), limit.admit(at: now) != .suppressed
        else {
            suppressed += 1
            return .suppressed
        }
        if told.count == RefusalLog.memoryLimit { told.removeFirst() }
        told.append((subject, now + interval))
        defer { suppressed = 0 }
        return .logged(suppressedBefore: suppressed)
    }
}
