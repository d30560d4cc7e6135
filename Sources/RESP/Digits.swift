extension [UInt8] {
    /// Appends the decimal digits of a number.
    mutating func appendDecimal(_ number: Int) {
        var rest = number.magnitude
        if number < 0 { append(UInt8(ascii: "-")) }
        var divisor: UInt = 1
        while rest / divisor >= 10 { divisor *= 10 }
        while divisor > 0 {
            append(UInt8(ascii: "0") + UInt8(rest / divisor))
            rest %= divisor
            divisor /= 10
        }
    }

    /// Appends a double as RESP3 writes it: as few digits as tell it from every other one, or
    /// `inf`, `-inf` or `nan`.
    mutating func appendDouble(_ number: Double) {
        if number.isNaN {
            append(contentsOf: "nan".utf8)
        } else if number.isInfinite {
            append(contentsOf: (number < 0 ? "-inf" : "inf").utf8)
        } else {
            append(contentsOf: number.description.utf8)
            if self[(count - 2)...].elementsEqual(".0".utf8) { removeLast(2) }
        }
    }

    /// Appends two lower-case hexadecimal digits.
    mutating func appendHexadecimal(_ byte: UInt8) {
        for digit in [byte >> 4, byte & 0x0F] {
            append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + (digit - 10))
        }
    }
}
