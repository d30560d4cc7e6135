/// Lets through so many lines in each interval and counts the others.
///
/// An interval begins with the first line that comes after the end of the one before, so that a
/// burst is seen from its beginning.
public struct LogRateLimit: Sendable {
    /// What is to become of a line.
    public enum Admission: Sendable, Equatable {
        /// It is logged; so many lines before it were not, and have not been told of yet.
        case logged(suppressedBefore: UInt64)
        /// It is not logged.
        case suppressed
    }

    private let lines: Int
    private let interval: Nanoseconds
    private var intervalEnd: Instant?
    private var used = 0
    private var suppressed: UInt64 = 0

    /// Lets through `lines` lines in each `interval`.
    public init(lines: Int, per interval: Nanoseconds) {
        self.lines = lines
        self.interval = interval
    }

    /// Decides about one line.
    public mutating func admit(at now: Instant) -> Admission {
        if intervalEnd.map({ now >= $0 }) ?? true {
            intervalEnd = now + interval
            used = 0
        }
        guard used < lines else {
            suppressed += 1
            return .suppressed
        }
        used += 1
        defer { suppressed = 0 }
        return .logged(suppressedBefore: suppressed)
    }
}
