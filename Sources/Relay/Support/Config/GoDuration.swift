/// Go's notation of durations: `150ms`, `1m30s`, `-1.5h`, `0`.
///
/// It is read as Go's `time.ParseDuration` reads it, its rounding of fractions included, since
/// deployed configurations were written for that.
enum GoDuration {
    /// Reads a duration.
    ///
    /// - Throws: ``InvalidValue`` where the text is not a duration or exceeds 292 years.
    static func parse(_ text: String) throws(InvalidValue) -> Nanoseconds {
        var reader = Reader(bytes: Array(text.utf8))
        let isNegative = reader.takeSign()
        if reader.rest == [UInt8(ascii: "0")] { return .zero }
        if reader.isAtEnd { throw malformed }
        var total: UInt64 = 0
        while !reader.isAtEnd {
            let (sum, overflow) = total.addingReportingOverflow(try reader.takeTerm())
            guard !overflow, sum <= Reader.limit else { throw tooLong }
            total = sum
        }
        if isNegative {
            return Nanoseconds(Int64(truncatingIfNeeded: 0 &- total))
        }
        guard let count = Int64(exactly: total) else { throw tooLong }
        return Nanoseconds(count)
    }

    /// Prints a span as one whole number of the largest unit that holds it exactly.
    static func print(_ span: Nanoseconds) -> String {
        for (unit, name) in units where span.count % unit == 0 && span.count != 0 {
            return "\(span.count / unit)\(name)"
        }
        return "0s"
    }

    fileprivate static let malformed = InvalidValue("is not a duration such as 5s, 150ms or 1m30s")
    fileprivate static let tooLong = InvalidValue("is longer than any duration (292 years)")

    private static let units: [(Int64, String)] = [
        (3_600_000_000_000, "h"), (60_000_000_000, "m"), (1_000_000_000, "s"), (1_000_000, "ms"),
        (1_000, "µs"), (1, "ns"),
    ]
}

/// Reads the terms of one duration, left to right.
private struct Reader {
    let bytes: [UInt8]
    var position = 0

    /// The magnitude of the most negative span.
    static let limit: UInt64 = 1 << 63

    var isAtEnd: Bool { position == bytes.count }
    var rest: ArraySlice<UInt8> { bytes[position...] }

    mutating func takeSign() -> Bool {
        guard let sign = rest.first, sign == UInt8(ascii: "-") || sign == UInt8(ascii: "+") else {
            return false
        }
        position += 1
        return sign == UInt8(ascii: "-")
    }

    /// Takes one number with its unit, in nanoseconds.
    mutating func takeTerm() throws(InvalidValue) -> UInt64 {
        let start = position
        let whole = try takeWhole()
        var digits = position - start
        var fraction: (digits: UInt64, scale: Double) = (0, 1)
        if rest.first == UInt8(ascii: ".") {
            position += 1
            let fractionStart = position
            fraction = takeFraction()
            digits += position - fractionStart
        }
        guard digits > 0 else { throw GoDuration.malformed }
        let unit = try takeUnit()
        guard whole <= Reader.limit / unit else { throw GoDuration.tooLong }
        var value = whole * unit
        if fraction.digits > 0 {
            // As Go computes it, in binary floating point: an exact quotient would differ by 1 ns.
            value += UInt64(Double(fraction.digits) * (Double(unit) / fraction.scale))
            guard value <= Reader.limit else { throw GoDuration.tooLong }
        }
        return value
    }

    private mutating func takeDigit() -> UInt64? {
        guard let byte = rest.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
            return nil
        }
        position += 1
        return UInt64(byte - UInt8(ascii: "0"))
    }

    private mutating func takeWhole() throws(InvalidValue) -> UInt64 {
        var value: UInt64 = 0
        while let digit = takeDigit() {
            guard value <= Reader.limit / 10 else { throw GoDuration.tooLong }
            value = value * 10 + digit
            guard value <= Reader.limit else { throw GoDuration.tooLong }
        }
        return value
    }

    /// Takes the digits after the point; those that no longer fit are passed over.
    private mutating func takeFraction() -> (digits: UInt64, scale: Double) {
        var value: UInt64 = 0
        var scale = 1.0
        var isFull = false
        while let digit = takeDigit() {
            if isFull || value > (Reader.limit - 1) / 10 || value * 10 + digit > Reader.limit {
                isFull = true
                continue
            }
            value = value * 10 + digit
            scale *= 10
        }
        return (value, scale)
    }

    private mutating func takeUnit() throws(InvalidValue) -> UInt64 {
        let start = position
        while let byte = rest.first, byte != UInt8(ascii: "."),
            !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        {
            position += 1
        }
        // Unicode has two letters for "micro"; Go takes both.
        switch String(validating: bytes[start..<position], as: UTF8.self) {
        case "ns": return 1
        case "us", "\u{B5}s", "\u{3BC}s": return 1_000
        case "ms": return 1_000_000
        case "s": return 1_000_000_000
        case "m": return 60_000_000_000
        case "h": return 3_600_000_000_000
        default: throw GoDuration.malformed
        }
    }
}
