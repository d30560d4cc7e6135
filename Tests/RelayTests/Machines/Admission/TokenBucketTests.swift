import Testing

@testable import Relay

/// What bounds how often and how many: the bucket, the count of addresses, the line.
@Suite struct TokenBucketTests {
    private static let start = Instant(nanoseconds: 5_000_000_000)

    private func taken(_ bucket: inout TokenBucket, at instant: Instant, of wanted: Int) -> Int {
        (0..<wanted).count { _ in bucket.take(now: instant) }
    }

    @Test(arguments: [(1000, 1000, 1000), (100, 2000, 200), (3, 1000, 3), (1, 1000, 1), (1, 1, 1)])
    func aFullBucketHoldsTheBurst(rate: Int, burst: Int64, held: Int) {
        var bucket = TokenBucket(ratePerSecond: rate, burst: .milliseconds(burst))
        #expect(taken(&bucket, at: Self.start, of: 5000) == held)
    }

    @Test func tokensComeAtTheRate() {
        var bucket = TokenBucket(ratePerSecond: 100, burst: .seconds(1))
        #expect(taken(&bucket, at: Self.start, of: 200) == 100)
        #expect(bucket.earliest == Self.start + .milliseconds(10))
        #expect(taken(&bucket, at: Self.start + .milliseconds(9), of: 1) == 0)
        #expect(taken(&bucket, at: Self.start + .milliseconds(10), of: 1) == 1)
        #expect(taken(&bucket, at: Self.start + .milliseconds(310), of: 200) == 30)
        // However long it is quiet, it holds no more than the burst.
        #expect(taken(&bucket, at: Self.start + .seconds(3600), of: 200) == 100)
    }

    @Test func theRateIsKeptOverALongTime() {
        var bucket = TokenBucket(ratePerSecond: 7, burst: .seconds(1))
        let count = (0..<10_000).count { bucket.take(now: Self.start + .milliseconds($0 * 10)) }
        #expect((700...708).contains(count))
    }

    @Test func aRateOfZeroIsNoLimit() {
        var bucket = TokenBucket(ratePerSecond: 0, burst: .seconds(1))
        #expect(taken(&bucket, at: Self.start, of: 100_000) == 100_000)
    }

    @Test func addressesAreCountedEachByItself() throws {
        let first = try #require(NetworkAddress("192.0.2.1"))
        let second = try #require(NetworkAddress("192.0.2.2"))
        var count = AddressCount()
        let entered = (0..<3).map { _ in count.enter(first, limit: 2) }
        #expect(entered == [true, true, false])
        let other = count.enter(second, limit: 2)
        #expect(other)
        #expect(count.addresses == 2)
        count.leave(first)
        let again = (0..<2).map { _ in count.enter(first, limit: 2) }
        #expect(again == [true, false])
        for address in [first, first, second, second] { count.leave(address) }
        #expect(count.addresses == 0)
    }

    @Test func theOldestOfTheLineGivesWayAndTheLineStaysShort() {
        var line = ArrivalLine()
        let ids = (0..<100_000).map { SlotID(index: $0, generation: 0) }
        // Every hundredth stays; the others leave before the next comes.
        var longest = 0
        for id in ids {
            line.append(id) { $0 == id || $0.index % 100 == 0 }
            longest = max(longest, line.count)
        }
        #expect(longest <= 2 * 1000 + ArrivalLine.staleLimit + 1)
        let oldest = line.oldest { $0.index % 100 == 0 && $0.index > 0 }
        #expect(oldest == ids[100])
        let same = line.oldest { $0.index % 100 == 0 }
        #expect(same == ids[100])
        let none = line.oldest { _ in false }
        #expect(none == nil)
        #expect(line.count == 0)
    }
}
