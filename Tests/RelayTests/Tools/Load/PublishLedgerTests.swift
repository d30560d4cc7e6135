import Testing

@testable import Relay

@Suite struct PublishLedgerTests {
    @Test func numbersRunFromZero() {
        var ledger = PublishLedger()
        #expect((0..<3).map { _ in ledger.publish() } == [0, 1, 2])
        #expect(ledger.published == 3)
    }

    @Test func excusesAreCountedWithinARange() {
        var ledger = PublishLedger()
        for number: UInt64 in [3, 4, 5, 9] { ledger.excuse(number) }
        #expect(ledger.excused == [3..<6, 9..<10])
        #expect(ledger.excusedCount(in: 0..<20) == 4)
        #expect(ledger.excusedCount(in: 4..<9) == 2)
        #expect(ledger.excusedCount(in: 6..<9) == 0)
    }

    @Test func excusesWithoutNumberTakeBoundedMemoryAndAreNotBelieved() {
        var ledger = PublishLedger()
        for number in 0...UInt64(PublishLedger.rangeLimit) { ledger.excuse(2 * number) }
        #expect(ledger.excused.count == PublishLedger.rangeLimit)
    }

    @Test func aHeartbeatIsLateByWhatIsOverTheInterval() {
        var check = HeartbeatCheck(interval: .seconds(5))
        func at(_ milliseconds: Int64) -> BootTime {
            BootTime(nanoseconds: 0) + .milliseconds(milliseconds)
        }
        // The answer to `init` comes at once, the first of the cadence in its own phase.
        #expect(check.received(at: at(0)) == nil)
        #expect(check.received(at: at(1200)) == .zero)
        #expect(check.received(at: at(6200)) == .zero)
        #expect(check.received(at: at(11_250)) == .milliseconds(50))
        #expect(check.overdue(at: at(16_250)) == nil)
        #expect(check.overdue(at: at(20_000)) == .milliseconds(3750))
        check.endOfSession()
        #expect(check.overdue(at: at(99_000)) == nil)
        #expect(check.received(at: at(99_000)) == nil)
    }
}
