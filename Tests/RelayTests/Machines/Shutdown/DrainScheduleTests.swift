import Testing

@testable import Relay

/// How a shutdown's window is dealt out.
@Suite struct DrainScheduleTests {
    private static let start = Instant(nanoseconds: 7_000_000_000)

    private func departures(
        _ count: Int, window: Nanoseconds, seed: UInt64 = 1
    ) -> [DrainSchedule.Departure] {
        let clients = (0..<count).map { SlotID(index: UInt32($0), generation: 0) }
        var schedule = DrainSchedule(
            clients: clients, window: window, seed: seed, now: Self.start)
        var departures: [DrainSchedule.Departure] = []
        while let deadline = schedule.nextDeadline {
            // Nobody leaves before the deadline that was told.
            let early = schedule.next(now: Instant(nanoseconds: deadline.nanoseconds - 1))
            #expect(early == nil)
            while let departure = schedule.next(now: deadline) { departures.append(departure) }
        }
        return departures
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func everyPieceOfTheWindowSeesOneLeave(seed: UInt64) {
        let found = departures(100, window: .seconds(10), seed: seed)
        for (index, departure) in found.enumerated() {
            let piece = (departure.instant - Self.start).count / 100_000_000
            #expect(piece == Int64(index))
        }
        #expect(Set(found.map(\.client)).count == 100)
        // In an order of chance, not in that of their coming.
        #expect(found.map(\.client.index) != found.map(\.client.index).sorted())
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func theWaitsBeforeComingBackLieInTheWindowAndAreSpread(seed: UInt64) {
        let waits = departures(1000, window: .seconds(10), seed: seed).map(\.retry.count)
        #expect(waits.allSatisfy { (0...10_000_000_000).contains($0) })
        for tenth in 0..<10 as Range<Int64> {
            let count = waits.count { $0 / 1_000_000_000 == tenth }
            #expect((60...140).contains(count), "tenth \(tenth)")
        }
    }

    @Test func withoutAWindowAllLeaveAtOnce() {
        let found = departures(50, window: .zero)
        #expect(found.count == 50)
        #expect(found.allSatisfy { $0.instant == Self.start && $0.retry == .zero })
    }

    @Test func withoutClientsThereIsNothingToWaitFor() {
        #expect(departures(0, window: .seconds(10)).isEmpty)
    }

    @Test func theLongestWindowDoesNotOverflow() {
        #expect(departures(3, window: .max).allSatisfy { $0.retry >= .zero })
    }
}
