/// A date and a time of day in UTC, in the proleptic Gregorian calendar.
struct Timestamp: Equatable, CustomStringConvertible {
    let year: Int64
    let month: Int64
    let day: Int64
    let hour: Int64
    let minute: Int64
    let second: Int64
    let microsecond: Int64

    /// Takes apart a count of nanoseconds since 1970-01-01T00:00:00Z, which may be negative.
    ///
    /// The date comes from the algorithm `civil_from_days` of Howard Hinnant: years begin in March,
    /// so that the leap day is the last, and 400 years are an era of 146,097 days.
    init(nanosecondsSinceEpoch count: Int64) {
        let (days, nanoseconds) = Timestamp.floorDivide(count, 86_400_000_000_000)
        let (era, dayOfEra) = Timestamp.floorDivide(days + 719_468, 146_097)
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)

        let seconds = nanoseconds / 1_000_000_000
        hour = seconds / 3_600
        minute = seconds / 60 % 60
        second = seconds % 60
        microsecond = nanoseconds / 1_000 % 1_000_000
    }

    /// RFC 3339 with microseconds: `2026-11-23T08:45:34.123456Z`.
    var description: String {
        var text: [UInt8] = []
        append(to: &text)
        return String(decoding: text, as: UTF8.self)
    }

    /// Appends the description.
    func append(to text: inout [UInt8]) {
        Self.append(year, width: 4, end: "-", to: &text)
        Self.append(month, width: 2, end: "-", to: &text)
        Self.append(day, width: 2, end: "T", to: &text)
        Self.append(hour, width: 2, end: ":", to: &text)
        Self.append(minute, width: 2, end: ":", to: &text)
        Self.append(second, width: 2, end: ".", to: &text)
        Self.append(microsecond, width: 6, end: "Z", to: &text)
    }

    /// Appends a number with zeros before it. The years that 64 bits of nanoseconds reach have four
    /// digits.
    private static func append(
        _ number: Int64, width: Int, end: Unicode.Scalar, to text: inout [UInt8]
    ) {
        var unit: Int64 = 1
        for _ in 1..<width { unit *= 10 }
        while unit > 0 {
            text.append(UInt8(ascii: "0") + UInt8(number / unit % 10))
            unit /= 10
        }
        text.append(UInt8(ascii: end))
    }

    private static func floorDivide(
        _ dividend: Int64, _ divisor: Int64
    ) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = dividend.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}
