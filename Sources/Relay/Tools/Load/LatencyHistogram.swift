/// How often each span of time occurred: log-linear, in fixed memory.
///
/// A span is counted in a bucket whose width is at most 1/128 of it, from a nanosecond to 292 years
/// (as HdrHistogram does with two significant digits). What is read out is a bucket's upper end, so
/// that no percentile is told better than it was.
struct LatencyHistogram: Equatable {
    private static let linearBits = 7
    private static let linearCount = 1 << linearBits
    /// Buckets: the linear part, and 128 for each further power of two up to 2⁶³.
    static let bucketCount = (64 - linearBits) * linearCount

    private var buckets = [UInt64](repeating: 0, count: bucketCount)
    /// How many spans were counted.
    private(set) var count: UInt64 = 0
    /// The longest span, exactly.
    private(set) var max = Nanoseconds.zero
    private var sum = 0.0

    /// Counts a span; a negative one, of clocks that disagree, counts as none at all.
    mutating func record(_ span: Nanoseconds) {
        let value = UInt64(clamping: span.count)
        buckets[Self.index(of: value)] += 1
        count += 1
        sum += Double(value)
        if span > max { max = span }
    }

    /// The span that `share` (0 to 1) of the spans do not exceed, to 1/128; zero where none was
    /// counted.
    func percentile(_ share: Double) -> Nanoseconds {
        guard count > 0 else { return .zero }
        let rank = Swift.min(count, Swift.max(1, UInt64((share * Double(count)).rounded(.up))))
        var seen: UInt64 = 0
        for (index, occurrences) in buckets.enumerated() where occurrences > 0 {
            seen += occurrences
            if seen >= rank { return Swift.min(max, Self.upperEnd(of: index)) }
        }
        return max
    }

    /// The mean of the spans.
    var mean: Nanoseconds { count == 0 ? .zero : Nanoseconds(Int64(sum / Double(count))) }

    private static func index(of value: UInt64) -> Int {
        guard value >= UInt64(linearCount) else { return Int(value) }
        let shift = 63 - value.leadingZeroBitCount - linearBits
        return (shift + 1) * linearCount + Int(value >> UInt64(shift)) - linearCount
    }

    private static func upperEnd(of index: Int) -> Nanoseconds {
        guard index >= linearCount else { return Nanoseconds(Int64(index)) }
        let shift = UInt64(index / linearCount - 1)
        let top = UInt64(index % linearCount + linearCount + 1)
        let (end, overflow) = top.multipliedReportingOverflow(by: 1 << shift)
        return overflow ? .max : Nanoseconds(Int64(clamping: end - 1))
    }
}
