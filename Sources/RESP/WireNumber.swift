/// Strict readers of the numbers on the wire.
///
/// The initialisers of the standard library accept more than the specification: `Int("+5")` and
/// `Double("0x1p3")` succeed.
enum WireNumber {
    /// A length or a count: digits alone, no leading zero, at most `Int.max`.
    @inline(__always)
    static func length(in bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        guard let first = range.first else { return nil }
        if bytes[first] == UInt8(ascii: "0") { return range.count == 1 ? 0 : nil }
        var value = 0
        for index in range {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, sumOverflows) = product.addingReportingOverflow(Int(digit))
            if productOverflows || sumOverflows { return nil }
            value = sum
        }
        return value
    }

    /// A length of at most nine digits and the CRLF behind it; nil for anything else.
    @inline(__always)
    static func header(in bytes: Span<UInt8>, from start: Int) -> (number: Int, end: Int)? {
        var index = start
        var number = 0
        while index < bytes.count {
            let digit = bytes[index] &- UInt8(ascii: "0")
            if digit > 9 { break }
            number = number &* 10 &+ Int(digit)
            index += 1
            if index - start > 9 { return nil }
        }
        guard index > start, index <= bytes.count - 2, bytes[index] == UInt8(ascii: "\r"),
            bytes[index + 1] == UInt8(ascii: "\n"),
            bytes[start] != UInt8(ascii: "0") || index - start == 1
        else { return nil }
        return (number, index + 2)
    }

    /// An integer of 64 bits: an optional sign and digits.
    static func integer(in bytes: Span<UInt8>, _ range: Range<Int>) -> Int? {
        let digits = unsigned(in: bytes, range)
        let isNegative = digits != range && bytes[range.lowerBound] == UInt8(ascii: "-")
        if digits.isEmpty { return nil }
        var value = 0
        for index in digits {
            let digit = bytes[index] &- UInt8(ascii: "0")
            guard digit <= 9 else { return nil }
            let (product, productOverflows) = value.multipliedReportingOverflow(by: 10)
            // Counted downwards, so that the least integer needs no case of its own.
            let (difference, overflows) = product.subtractingReportingOverflow(Int(digit))
            if productOverflows || overflows { return nil }
            value = difference
        }
        if isNegative { return value }
        return value == Int.min ? nil : -value
    }

    /// Whether the bytes are an optional sign and digits, of any number.
    static func isBigNumber(in bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
        let digits = unsigned(in: bytes, range)
        return !digits.isEmpty && digitsEnd(in: bytes, digits) == digits.upperBound
    }

    /// A double: `[+-]digits[.digits][(e|E)[+-]digits]`, `inf`, `-inf` or `nan`.
    ///
    /// `-nan` is read too: Redis before 7.2 writes it. A number beyond the range of a double is
    /// refused, and one too small for it is zero.
    static func double(in bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
        if let special = specialDouble(in: bytes, range) { return special }
        let body = unsigned(in: bytes, range)
        var index = digitsEnd(in: bytes, body)
        if index == body.lowerBound { return nil }
        if index < body.upperBound, bytes[index] == UInt8(ascii: ".") {
            let fraction = index + 1
            index = digitsEnd(in: bytes, fraction..<body.upperBound)
            if index == fraction { return nil }
        }
        if index < body.upperBound, bytes[index] | 0x20 == UInt8(ascii: "e") {
            let exponent = unsigned(in: bytes, (index + 1)..<body.upperBound)
            index = digitsEnd(in: bytes, exponent)
            if index == exponent.lowerBound { return nil }
        }
        if index != body.upperBound { return nil }
        var text = ""
        text.reserveCapacity(range.count)
        for index in range { text.unicodeScalars.append(Unicode.Scalar(bytes[index])) }
        guard let number = Double(text), number.isFinite else { return nil }
        return number
    }

    private static func specialDouble(in bytes: Span<UInt8>, _ range: Range<Int>) -> Double? {
        func matches(_ first: Int, _ a: Unicode.Scalar, _ b: Unicode.Scalar, _ c: Unicode.Scalar)
            -> Bool
        {
            bytes[first] == UInt8(ascii: a) && bytes[first + 1] == UInt8(ascii: b)
                && bytes[first + 2] == UInt8(ascii: c)
        }
        let start = range.lowerBound
        if range.count == 3 {
            if matches(start, "i", "n", "f") { return .infinity }
            if matches(start, "n", "a", "n") { return .nan }
        } else if range.count == 4, bytes[start] == UInt8(ascii: "-") {
            if matches(start + 1, "i", "n", "f") { return -.infinity }
            if matches(start + 1, "n", "a", "n") { return .nan }
        }
        return nil
    }

    /// The range without a sign at its start.
    private static func unsigned(in bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        guard let first = range.first else { return range }
        let isSigned = bytes[first] == UInt8(ascii: "-") || bytes[first] == UInt8(ascii: "+")
        return isSigned ? (first + 1)..<range.upperBound : range
    }

    /// The index of the first byte of the range that is no digit.
    private static func digitsEnd(in bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
        var index = range.lowerBound
        while index < range.upperBound, bytes[index] &- UInt8(ascii: "0") <= 9 { index += 1 }
        return index
    }
}
