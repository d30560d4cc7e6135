import Testing

@testable import Relay

@Suite struct LoadPaceTests {
    private static func pace(_ shape: LoadPace.Shape, rate: Double = 4) -> LoadPace {
        LoadPace(rate: rate, duration: .seconds(10), shape: shape)
    }

    private static func count(_ pace: LoadPace, until seconds: Int64) -> Int {
        (0..<1000).count { number in
            pace.due(UInt64(number)).map { $0 < .seconds(seconds) } ?? false
        }
    }

    @Test func aSteadyOneIsEven() {
        let pace = Self.pace(.steady)
        #expect((0..<3).map { pace.due($0) } == [.zero, .milliseconds(250), .milliseconds(500)])
        #expect(Self.count(pace, until: 10) == 40)
        #expect(pace.due(40) == nil)
    }

    @Test func aBurstIsAtTheStartOfEachSecond() {
        let pace = Self.pace(.burst)
        #expect((3..<6).map { pace.due($0) } == [.zero, .seconds(1), .seconds(1)])
        #expect(Self.count(pace, until: 10) == 40)
    }

    @Test func aRampReachesTheRateAtTheEnd() {
        let pace = Self.pace(.ramp, rate: 20)
        // Half of the rate on the mean, a quarter of the messages in the first half.
        #expect(Self.count(pace, until: 10) == 100)
        #expect(Self.count(pace, until: 5) == 25)
        let lastSecond = Self.count(pace, until: 10) - Self.count(pace, until: 9)
        #expect((18...20).contains(lastSecond))
    }

    @Test func noRateIsNoMessage() {
        #expect(Self.pace(.steady, rate: 0).due(0) == nil)
    }
}
