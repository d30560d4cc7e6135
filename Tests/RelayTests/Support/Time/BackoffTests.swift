@testable import Relay
import Testing

/// The waits between attempts: within their bounds, and no two alike.
@Suite struct BackoffTests {
    private static let base = Nanoseconds.seconds(1)
    private static let maximum = Nanoseconds.seconds(4)

    private static func next(_ backoff: inout Backoff) -> Backoff.Wait {
        backoff.next(base: base, maximum: maximum)
    }

    @Test func everyWaitIsDrawnBetweenItsBounds() {
        for seed in 0..<200 as Range<UInt64> {
            var backoff = Backoff(seed: seed)
            var previous = Self.base
            for _ in 0..<50 {
                let wait = Self.next(&backoff)
                #expect(wait.shortest == Self.base)
                #expect(wait.longest == min(Self.maximum, previous * 3))
                #expect(wait.delay >= wait.shortest && wait.delay <= wait.longest)
                previous = wait.delay
            }
        }
    }

    @Test func connectionsThatHaveFailedForLongDoNotWaitInStep() {
        var backoffs = (0..<1_000).map { Backoff(seed: $0) }
        for _ in 0..<30 {
            var delays: Set<Nanoseconds> = []
            for index in backoffs.indices { delays.insert(Self.next(&backoffs[index]).delay) }
            #expect(delays.count > 990)
        }
    }

    @Test func afterASuccessItStartsOver() {
        var backoff = Backoff(seed: 3)
        for _ in 0..<10 { _ = Self.next(&backoff) }
        backoff.reset()
        #expect(Self.next(&backoff).longest == Self.base * 3)
    }

    @Test func aMaximumBelowTheBaseIsTheBase() {
        var backoff = Backoff(seed: 3)
        let wait = backoff.next(base: .seconds(5), maximum: .seconds(1))
        #expect(wait.delay == .seconds(5))
    }
}
