@testable import Relay
import Testing

/// The gate of dials, in one queue for all event loops of the process.
@Suite struct DialGateTests {
    private static func link(_ number: UInt32) -> SlotID { SlotID(index: number, generation: 1) }
    private static let now = Instant(nanoseconds: 1_000_000_000)

    /// What each loop takes, asked in an order that is not that of the queue.
    private static func takeAll(
        _ gate: inout DialGate, loops: [Int], passesOver: [Bool] = []
    ) -> [[UInt32]] {
        var taken = loops.map { _ in [UInt32]() }
        for _ in 0..<10 {
            for (place, loop) in loops.enumerated() {
                let link = gate.next(of: loop, now: now, passesOver: passesOver) { _ in true }
                if let link { taken[place].append(link.index) }
            }
        }
        return taken
    }

    @Test func whoCameFirstDialsFirstWhicheverLoopAsks() {
        var gate = DialGate(concurrency: 1, ratePerSecond: 1_000, loops: 2)
        gate.enqueue(Self.link(1), of: 1)
        gate.enqueue(Self.link(2), of: 0)
        #expect(gate.first() == 1)
        #expect(gate.next(of: 0, now: Self.now) { _ in true } == nil)
        #expect(gate.next(of: 1, now: Self.now) { _ in true } == Self.link(1))
        #expect(gate.first() == 0)
        #expect(gate.next(of: 0, now: Self.now) { _ in true } == nil)
        gate.finished()
        #expect(gate.next(of: 0, now: Self.now) { _ in true } == Self.link(2))
    }

    @Test func whoAsksForAllComesBeforeTheOthersOfAllLoops() {
        var gate = DialGate(concurrency: 10, ratePerSecond: 1_000, loops: 2)
        for number in 0..<4 { gate.enqueue(Self.link(UInt32(number)), of: number % 2) }
        gate.enqueue(Self.link(8), of: 1, isAhead: true)
        gate.enqueue(Self.link(9), of: 0, isAhead: true)
        #expect(gate.first() == 0)
        #expect(Self.takeAll(&gate, loops: [0, 1]) == [[9, 0, 2], [8, 1, 3]])
    }

    @Test func theDialsInFlightAreThoseOfTheProcess() {
        var gate = DialGate(concurrency: 3, ratePerSecond: 1_000, loops: 2)
        for number in 0..<8 { gate.enqueue(Self.link(UInt32(number)), of: number % 2) }
        #expect(Self.takeAll(&gate, loops: [1, 0]) == [[1], [0, 2]])
    }

    @Test func theRateIsThatOfTheProcess() {
        var gate = DialGate(concurrency: 100, ratePerSecond: 40, loops: 2)
        for number in 0..<40 { gate.enqueue(Self.link(UInt32(number)), of: number % 2) }
        let taken = Self.takeAll(&gate, loops: [0, 1])
        // A tenth of a second's worth may begin at once.
        #expect(taken.map(\.count) == [2, 2])
        #expect(gate.nextDeadline(of: 0, now: Self.now) == Self.now + .milliseconds(25))
        #expect(gate.nextDeadline(of: 1, now: Self.now) == nil)
    }

    @Test func aLoopThatStandsStillIsNotWaitedFor() {
        var gate = DialGate(concurrency: 9, ratePerSecond: 1_000, loops: 2)
        gate.enqueue(Self.link(1), of: 0)
        gate.enqueue(Self.link(2), of: 1)
        #expect(gate.next(of: 1, now: Self.now) { _ in true } == nil)
        let absent = [true, false]
        #expect(
            gate.next(of: 1, now: Self.now, passesOver: absent) { _ in true } == Self.link(2))
        #expect(gate.next(of: 0, now: Self.now) { _ in true } == Self.link(1))
    }

    @Test func aLinkThatIsGoneHoldsUpNobody() {
        var gate = DialGate(concurrency: 9, ratePerSecond: 1_000, loops: 2)
        gate.enqueue(Self.link(1), of: 0)
        gate.enqueue(Self.link(2), of: 1)
        #expect(gate.next(of: 0, now: Self.now) { _ in false } == nil)
        #expect(!gate.isWaiting(0))
        #expect(gate.next(of: 1, now: Self.now) { _ in true } == Self.link(2))
    }
}
