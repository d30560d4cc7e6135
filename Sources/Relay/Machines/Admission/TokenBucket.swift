/// Bounds how often something may happen: so many times a second, and so many at once after a quiet
/// time.
///
/// It keeps one instant instead of a number of tokens (the generic cell rate algorithm): the one
/// from which the rate alone would allow the next time.
struct TokenBucket: Equatable, Sendable {
    /// The time that one token takes to come; zero for no limit.
    private let interval: Nanoseconds
    /// How far ahead of the rate a burst may run.
    private let tolerance: Nanoseconds
    private var nextFree = Instant(nanoseconds: .min)
    /// The time whose tokens may be taken beside those of the burst, once.
    private var allowance = Nanoseconds.zero

    /// Makes a full bucket.
    ///
    /// - Parameters:
    ///   - ratePerSecond: tokens that come in a second; 0 for no limit.
    ///   - burst: the time in which as many tokens come as the bucket holds; it holds at least one.
    init(ratePerSecond: Int, burst: Nanoseconds) {
        interval = ratePerSecond <= 0 ? .zero : Nanoseconds(1_000_000_000 / Int64(ratePerSecond))
        tolerance = max(.zero, burst - interval)
    }

    /// Takes a token; returns false when there is none.
    mutating func take(now: Instant) -> Bool {
        guard interval > .zero else { return true }
        guard earliest <= now else {
            guard allowance >= interval else { return false }
            allowance = allowance - interval
            return true
        }
        nextFree = max(nextFree, now) + interval
        return true
    }

    /// Lets as many tokens be taken beside those of the burst as come in `span`, once: what they are
    /// taken for was held up, and has not come too fast.
    mutating func allow(_ span: Nanoseconds) {
        allowance = max(allowance, span)
    }

    /// The instant from which there is a token.
    var earliest: Instant {
        Instant(nanoseconds: (Nanoseconds(nextFree.nanoseconds) - tolerance).count)
    }
}
