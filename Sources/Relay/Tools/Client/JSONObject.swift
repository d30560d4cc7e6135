/// The members of a JSON object, as the relay's messages are: strings and numbers, no depth.
///
/// A value of another kind is passed over. Text that is no JSON object gives nil.
struct JSONObject: Equatable {
    private(set) var strings: [String: String] = [:]
    private(set) var numbers: [String: Int64] = [:]

    /// Reads a message, which is well-formed UTF-8.
    init?(_ text: [UInt8]) {
        var reader = JSONReader(text)
        guard reader.takes("{") else { return nil }
        if reader.takes("}") { return }
        repeat {
            guard let name = reader.string(), reader.takes(":") else { return nil }
            if let value = reader.string() {
                strings[name] = value
            } else if let word = reader.word() {
                numbers[name] = Int64(word)
            } else if !reader.skipNested() {
                return nil
            }
        } while reader.takes(",")
        guard reader.takes("}") else { return nil }
    }
}

/// Reads JSON token by token (RFC 8259).
private struct JSONReader {
    private let text: [UInt8]
    private var position = 0

    init(_ text: [UInt8]) { self.text = text }

    private mutating func skipSpace() {
        while position < text.count, [0x20, 0x09, 0x0A, 0x0D].contains(text[position]) {
            position += 1
        }
    }

    /// Takes one of `{}[]:,`, if it comes next.
    mutating func takes(_ character: Unicode.Scalar) -> Bool {
        skipSpace()
        guard position < text.count, text[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// Takes a string, if one comes next.
    mutating func string() -> String? {
        guard takes("\"") else { return nil }
        var units: [UInt8] = []
        while position < text.count {
            let byte = text[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return String(decoding: units, as: UTF8.self)
            case UInt8(ascii: "\\"):
                guard let scalar = escape() else { return nil }
                units += Array(String(scalar).utf8)
            default: units.append(byte)
            }
        }
        return nil
    }

    private mutating func escape() -> Unicode.Scalar? {
        guard position < text.count else { return nil }
        let byte = text[position]
        position += 1
        switch byte {
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "u"):
            guard let unit = hexadecimal() else { return nil }
            guard (0xD800..<0xDC00).contains(unit) else {
                return Unicode.Scalar(unit) ?? "\u{FFFD}"
            }
            // The second half of a pair follows.
            guard position + 1 < text.count, text[position] == UInt8(ascii: "\\"),
                text[position + 1] == UInt8(ascii: "u")
            else { return "\u{FFFD}" }
            position += 2
            guard let low = hexadecimal(), (0xDC00..<0xE000).contains(low) else {
                return "\u{FFFD}"
            }
            return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (low - 0xDC00))
        default: return Unicode.Scalar(byte)
        }
    }

    private mutating func hexadecimal() -> UInt32? {
        guard position + 4 <= text.count else { return nil }
        let digits = String(decoding: text[position..<position + 4], as: UTF8.self)
        position += 4
        return UInt32(digits, radix: 16)
    }

    /// Takes a number, `true`, `false` or `null`, if one comes next.
    mutating func word() -> String? {
        skipSpace()
        let start = position
        while position < text.count, Self.isOfWord(text[position]) { position += 1 }
        return position > start ? String(decoding: text[start..<position], as: UTF8.self) : nil
    }

    private static func isOfWord(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20)
            || "+-.".utf8.contains(byte)
    }

    /// Passes over an array or an object, if one comes next.
    mutating func skipNested() -> Bool {
        guard takes("{") || takes("[") else { return false }
        var depth = 1
        while depth > 0 {
            if takes("{") || takes("[") {
                depth += 1
            } else if takes("}") || takes("]") {
                depth -= 1
            } else if string() == nil, word() == nil, !takes(","), !takes(":") {
                return false
            }
        }
        return true
    }
}
