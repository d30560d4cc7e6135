/// Counts spans of time by their length, in buckets whose edges double up to 12.8 s.
///
/// The edges are 50 ms times and through powers of two, so that 50 ms is one of them. A bucket is found
/// by a division by a constant and the leading zeros of its result: nothing is searched, and nothing
/// allocated. Counts and sum wrap around, which Prometheus takes for a restart.
struct Histogram: Equatable, Sendable {
    /// The buckets, the one without an upper edge included.
    static let bucketCount = 20
    /// The upper edges in seconds as Prometheus's label `le` has them, without the last, `+Inf`.
    static let edges: [String] = (0..<bucketCount - 1).map { edge($0) }
    /// The first edge, 48.828125 µs, in eighths of a nanosecond: 50 ms halved ten times.
    private static let eighthsOfFirstEdge: UInt64 = 390_625

    private var counts = InlineArray<20, UInt64>(repeating: 0)
    /// All spans together, in nanoseconds.
    private(set) var sum: UInt64 = 0

    /// How many spans have been added.
    var count: UInt64 {
        var total: UInt64 = 0
        for index in counts.indices { total &+= counts[index] }
        return total
    }

    /// Adds `count` spans of one length; a negative one counts as nothing.
    mutating func add(_ span: Nanoseconds, count: UInt64 = 1) {
        let nanoseconds = UInt64(max(0, span.count))
        counts[Self.bucket(of: nanoseconds)] &+= count
        sum &+= nanoseconds &* count
    }

    /// Adds what another histogram has counted.
    mutating func add(_ other: Histogram) {
        for index in counts.indices { counts[index] &+= other.counts[index] }
        sum &+= other.sum
    }

    /// The spans in one bucket alone, without those below it.
    func count(inBucket index: Int) -> UInt64 { counts[index] }

    /// The edge, in seconds, that `percent` of the spans do not exceed; `+Inf` over the last edge, nil
    /// where nothing has been added.
    func edge(atQuantile percent: UInt64) -> String? {
        guard count > 0 else { return nil }
        var total: UInt64 = 0
        for (index, edge) in Self.edges.enumerated() {
            total &+= counts[index]
            if total * 100 >= count * percent { return edge }
        }
        return "+Inf"
    }

    /// The bucket whose upper edge is the first that the span does not exceed.
    static func bucket(of nanoseconds: UInt64) -> Int {
        // Long before the last edge is exceeded by so much, the multiplication would overflow.
        let eighths = min(nanoseconds, 1 << 40) &* 8
        let edges = (max(eighths, 1) - 1) / eighthsOfFirstEdge
        return min(UInt64.bitWidth - edges.leadingZeroBitCount, bucketCount - 1)
    }

    /// An edge in seconds, without zeros at its end.
    private static func edge(_ index: Int) -> String {
        let picosecondsPerSecond: UInt64 = 1_000_000_000_000
        let picoseconds = eighthsOfFirstEdge * 125 << UInt64(index)
        var fraction = String(picoseconds % picosecondsPerSecond)
        fraction = String(repeating: "0", count: 12 - fraction.utf8.count) + fraction
        while fraction.utf8.last == UInt8(ascii: "0") { fraction.removeLast() }
        return "\(picoseconds / picosecondsPerSecond)." + (fraction.isEmpty ? "0" : fraction)
    }

    static func == (left: Histogram, right: Histogram) -> Bool {
        left.sum == right.sum
            && left.counts.indices.allSatisfy { left.counts[$0] == right.counts[$0] }
    }
}
