/// A span of time, counted in nanoseconds; it may be negative.
///
/// The range is ±292 years. Arithmetic saturates, so that a far deadline made of configured values
/// never traps.
public struct Nanoseconds: Hashable, Comparable, Sendable {
    /// The number of nanoseconds.
    public var count: Int64

    /// Makes a span of `count` nanoseconds.
    public init(_ count: Int64) {
        self.count = count
    }

    /// No time at all.
    public static let zero = Nanoseconds(0)

    /// The longest span there is: it stands for "never".
    public static let max = Nanoseconds(.max)

    /// Makes a span of whole seconds.
    public static func seconds(_ seconds: Int64) -> Nanoseconds {
        Nanoseconds(1_000_000_000) * seconds
    }

    /// Makes a span of whole milliseconds.
    public static func milliseconds(_ milliseconds: Int64) -> Nanoseconds {
        Nanoseconds(1_000_000) * milliseconds
    }

    /// The span in whole milliseconds, rounded towards zero.
    public var milliseconds: Int64 { count / 1_000_000 }

    /// Compares two spans by length.
    public static func < (left: Nanoseconds, right: Nanoseconds) -> Bool {
        left.count < right.count
    }

    /// Adds two spans; saturates.
    public static func + (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        let (sum, overflow) = left.count.addingReportingOverflow(right.count)
        return Nanoseconds(overflow ? (right.count < 0 ? .min : .max) : sum)
    }

    /// Subtracts a span from another; saturates.
    public static func - (left: Nanoseconds, right: Nanoseconds) -> Nanoseconds {
        let (difference, overflow) = left.count.subtractingReportingOverflow(right.count)
        return Nanoseconds(overflow ? (right.count < 0 ? .max : .min) : difference)
    }

    /// Multiplies a span by a whole number; saturates.
    public static func * (span: Nanoseconds, factor: Int64) -> Nanoseconds {
        let (product, overflow) = span.count.multipliedReportingOverflow(by: factor)
        return Nanoseconds(overflow ? ((span.count < 0) == (factor < 0) ? .max : .min) : product)
    }
}

/// A point on the monotonic clock, in nanoseconds since a start that means nothing.
///
/// It comes from the `Sys` layer alone; machines are handed it as an argument.
public struct Instant: Hashable, Comparable, Sendable {
    /// Nanoseconds since the clock's own start.
    public var nanoseconds: Int64

    /// Makes an instant of the clock's reading in nanoseconds.
    public init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The instant that never comes: a deadline that is not set.
    public static let never = Instant(nanoseconds: .max)

    /// Compares two instants; the earlier is the smaller.
    public static func < (left: Instant, right: Instant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    /// The instant that lies `span` later; saturates at ``never``.
    public static func + (instant: Instant, span: Nanoseconds) -> Instant {
        Instant(nanoseconds: (Nanoseconds(instant.nanoseconds) + span).count)
    }

    /// The span from `right` to `left`; negative when `right` is the later one.
    public static func - (left: Instant, right: Instant) -> Nanoseconds {
        Nanoseconds(left.nanoseconds) - Nanoseconds(right.nanoseconds)
    }
}
