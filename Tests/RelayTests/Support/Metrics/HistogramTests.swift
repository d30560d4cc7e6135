@testable import Relay
import Testing

/// Spans of time, counted by their length.
@Suite struct HistogramTests {
    @Test func fiftyMillisecondsIsAnEdge() {
        #expect(Histogram.edges.contains("0.05"))
        #expect(Histogram.edges.first == "0.000048828125")
        #expect(Histogram.edges.last == "12.8")
        #expect(Histogram.edges.count == Histogram.bucketCount - 1)
    }

    @Test func eachEdgeIsTwiceTheOneBelow() {
        let edges = Histogram.edges.compactMap { Double($0) }
        #expect(edges.count == Histogram.edges.count)
        #expect(zip(edges, edges.dropFirst()).allSatisfy { $1 == 2 * $0 })
    }

    /// A span on an edge belongs to the bucket that the edge closes (`le` is "less or equal").
    @Test(arguments: 0..<Histogram.bucketCount - 1)
    func aSpanOnAnEdgeBelongsBelowIt(index: Int) throws {
        let seconds = try #require(Double(Histogram.edges[index]))
        // Some edges are no whole nanoseconds.
        let edge = UInt64(seconds * 1e9)
        #expect(Histogram.bucket(of: edge) == index)
        #expect(Histogram.bucket(of: edge + 1) == index + 1)
    }

    @Test func whatIsNegativeIsNothingAndWhatIsLongHasNoEdge() {
        #expect(Histogram.bucket(of: 0) == 0)
        #expect(Histogram.bucket(of: .max) == Histogram.bucketCount - 1)
        var histogram = Histogram()
        histogram.add(Nanoseconds(-5))
        histogram.add(.max)
        #expect(histogram.count(inBucket: 0) == 1)
        #expect(histogram.count(inBucket: Histogram.bucketCount - 1) == 1)
    }

    /// Found by leading zeros, and by comparing with each edge in turn.
    @Test func theBucketIsTheOneThatASearchFinds() {
        var span: UInt64 = 1
        while span < 60_000_000_000 {
            let bySearch = Histogram.edges.firstIndex { Double(span) <= (Double($0) ?? 0) * 1e9 }
            #expect(Histogram.bucket(of: span) == bySearch ?? Histogram.bucketCount - 1)
            span += span / 7 + 1
        }
    }

    @Test func severalSpansOfOneLengthAreAddedAtOnce() {
        var histogram = Histogram()
        histogram.add(.milliseconds(50), count: 3)
        histogram.add(Nanoseconds(50_000_001))
        #expect(histogram.count == 4)
        #expect(histogram.sum == 200_000_001)
        #expect(histogram.count(inBucket: 10) == 3)
        #expect(histogram.count(inBucket: 11) == 1)
    }

    @Test func histogramsOfSeveralLoopsAreAddedUp() {
        var one = Histogram()
        one.add(.milliseconds(1), count: 2)
        var other = Histogram()
        other.add(.seconds(20))
        var both = one
        both.add(other)
        #expect(both.count == 3)
        #expect(both.sum == one.sum + other.sum)
        #expect(both != one)
        other.add(one)
        #expect(both == other)
    }

    @Test func theTextCountsFromTheLowestBucketUp() {
        var histogram = Histogram()
        histogram.add(.milliseconds(50), count: 2)
        histogram.add(.milliseconds(51))
        histogram.add(.seconds(99))
        var text = PrometheusText(.prometheus)
        text.add("x_seconds", "Something.", histogram)
        let lines = text.text.split(separator: "\n")
        #expect(lines.prefix(2) == ["# HELP x_seconds Something.", "# TYPE x_seconds histogram"])
        #expect(lines.contains(#"x_seconds_bucket{le="0.025"} 0"#))
        #expect(lines.contains(#"x_seconds_bucket{le="0.05"} 2"#))
        #expect(lines.contains(#"x_seconds_bucket{le="0.1"} 3"#))
        #expect(lines.contains(#"x_seconds_bucket{le="12.8"} 3"#))
        #expect(
            lines.suffix(3) == [
                #"x_seconds_bucket{le="+Inf"} 4"#, "x_seconds_sum 99.151000000",
                "x_seconds_count 4",
            ])
    }
}
