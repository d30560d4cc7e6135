import Testing

@testable import Relay

@Suite("Time in the log")
struct TimestampTests {
    @Test(
        "is UTC with microseconds",
        arguments: [
            (0, "1970-01-01T00:00:00.000000Z"), (999, "1970-01-01T00:00:00.000000Z"),
            (1_000, "1970-01-01T00:00:00.000001Z"), (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_399_999_999_999, "2000-02-28T23:59:59.999999Z"),
            (951_782_400_000_000_000, "2000-02-29T00:00:00.000000Z"),
            (951_868_800_000_000_000, "2000-03-01T00:00:00.000000Z"),
            (1_709_164_800_000_000_000, "2024-02-29T00:00:00.000000Z"),
            (1_735_689_599_000_000_000, "2024-12-31T23:59:59.000000Z"),
            (1_795_423_534_123_456_789, "2026-11-23T08:45:34.123456Z"),
            (4_107_542_400_000_000_000, "2100-03-01T00:00:00.000000Z"),
            (4_107_456_000_000_000_000, "2100-02-28T00:00:00.000000Z"),
            (-11_676_096_000_000_000, "1969-08-18T20:38:24.000000Z"),
            (.max, "2262-04-11T23:47:16.854775Z"), (.min, "1677-09-21T00:12:43.145224Z"),
        ] as [(Int64, String)])
    func known(nanoseconds: Int64, text: String) {
        #expect(Timestamp(nanosecondsSinceEpoch: nanoseconds).description == text)
    }

    @Test("goes from one day to the next as a calendar does")
    func everyDay() {
        var (year, month, day) = (Int64(1700), Int64(1), Int64(1))
        for count in Int64(-98_615)..<106_000 {
            let date = Timestamp(nanosecondsSinceEpoch: count * 86_400_000_000_000)
            guard (date.year, date.month, date.day) == (year, month, day) else {
                Issue.record("day \(count) is \(date), not \(year)-\(month)-\(day)")
                return
            }
            let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
            let lengths: [Int64] = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
            day += 1
            if day > lengths[Int(month - 1)] { (day, month) = (1, month + 1) }
            if month > 12 { (month, year) = (1, year + 1) }
        }
    }

    @Test("limits a flood of lines and counts what it holds back")
    func rateLimit() {
        var limit = LogRateLimit(lines: 2, per: .seconds(10))
        func at(_ seconds: Int64) -> LogRateLimit.Admission {
            limit.admit(at: Instant(nanoseconds: seconds * 1_000_000_000))
        }
        #expect(at(5) == .logged(suppressedBefore: 0))
        #expect(at(6) == .logged(suppressedBefore: 0))
        #expect(at(7) == .suppressed)
        #expect(at(14) == .suppressed)
        #expect(at(15) == .logged(suppressedBefore: 2))
        #expect(at(16) == .logged(suppressedBefore: 0))
        #expect(at(24) == .suppressed)
        #expect(at(90) == .logged(suppressedBefore: 1))
        #expect(at(91) == .logged(suppressedBefore: 0))
    }

    @Test("lets nothing through where no line is allowed")
    func closedLimit() {
        var limit = LogRateLimit(lines: 0, per: .seconds(1))
        #expect(limit.admit(at: Instant(nanoseconds: 0)) == .suppressed)
        #expect(limit.admit(at: Instant(nanoseconds: 5_000_000_000)) == .suppressed)
    }
}
