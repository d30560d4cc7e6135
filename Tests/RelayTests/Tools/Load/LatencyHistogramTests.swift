import Testing

@testable import Relay

@Suite struct LatencyHistogramTests {
    /// The definition: the value at rank ⌈share × count⌉ of the sorted values.
    private static func exact(_ values: [Int64], _ share: Double) -> Int64 {
        let rank = max(1, Int((share * Double(values.count)).rounded(.up)))
        return values.sorted()[rank - 1]
    }

    @Test(arguments: [0.5, 0.9, 0.95, 0.99, 0.999, 1])
    func tellsPercentilesToADegreeAndNeverTooLittle(share: Double) {
        var random = SplitMix64(seed: 11)
        var histogram = LatencyHistogram()
        var values: [Int64] = []
        for _ in 0..<5000 {
            // All magnitudes from a nanosecond to hours.
            let value = Int64(random.next() >> (20 + random.next() % 44))
            values.append(value)
            histogram.record(Nanoseconds(value))
        }
        let told = histogram.percentile(share).count
        let truth = Self.exact(values, share)
        #expect(told >= truth)
        #expect(Double(told) <= Double(truth) * (1 + 1.0 / 128) + 1)
    }

    @Test func holdsWhateverSpanThereIs() {
        var histogram = LatencyHistogram()
        histogram.record(.max)
        histogram.record(Nanoseconds(-5))
        histogram.record(.zero)
        #expect(histogram.count == 3)
        #expect(histogram.max == .max)
        #expect(histogram.percentile(1) == .max)
        #expect(histogram.percentile(0.5) == .zero)
    }

    @Test func anEmptyOneTellsZero() {
        #expect(LatencyHistogram().percentile(0.99) == .zero)
        #expect(LatencyHistogram().mean == .zero)
    }

    @Test func neverTellsMoreThanTheLongest() {
        var histogram = LatencyHistogram()
        histogram.record(.milliseconds(1000))
        #expect(histogram.percentile(0.5) == .milliseconds(1000))
        #expect(histogram.mean == .milliseconds(1000))
    }
}
