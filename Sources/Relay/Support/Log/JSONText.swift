/// Builds one JSON text (RFC 8259) in UTF-8.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    private var needsComma = false

    /// Begins a text; `capacity` says how many bytes it may well have.
    init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

    /// Ends the text with a line feed.
    mutating func endLine() { bytes.append(UInt8(ascii: "\n")) }

    /// Begins an object or an array.
    mutating func open(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = false
    }

    /// Ends an object or an array.
    mutating func close(_ bracket: Unicode.Scalar) {
        bytes.append(UInt8(ascii: bracket))
        needsComma = true
    }

    /// Puts a comma before every element but the first.
    mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    /// Begins a member of an object.
    mutating func key(_ key: String) {
        separate()
        string(key)
        bytes.append(UInt8(ascii: ":"))
    }

    /// Appends a member whose value is a string.
    mutating func member(_ key: String, _ value: String) {
        self.key(key)
        string(value)
    }

    /// Appends what already is JSON.
    mutating func raw(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Appends a string.
    ///
    /// Escaped are, besides what JSON asks for, DEL and the C1 controls, which a terminal may obey,
    /// and U+2028 and U+2029, at which some readers of logs end a line.
    mutating func string(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        if Self.standsForItself(text) {
            raw(text)
        } else {
            escaped(text)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// Appends a member whose value is a time.
    mutating func member(_ key: String, _ time: Timestamp) {
        self.key(key)
        bytes.append(UInt8(ascii: "\""))
        time.append(to: &bytes)
        bytes.append(UInt8(ascii: "\""))
    }

    /// Whether the text is of printable ASCII characters that are not escaped.
    private static func standsForItself(_ text: String) -> Bool {
        let bytes = text.utf8Span.span
        for index in bytes.indices {
            let byte = bytes[index]
            guard
                byte >= 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"")
                    && byte != UInt8(ascii: "\\")
            else { return false }
        }
        return true
    }

    private mutating func escaped(_ text: String) {
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": raw("\\\"")
            case "\\": raw("\\\\")
            case "\n": raw("\\n")
            case "\r": raw("\\r")
            case "\t": raw("\\t")
            case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                let digits = String(scalar.value, radix: 16)
                raw("\\u" + String(repeating: "0", count: 4 - digits.utf8.count) + digits)
            default:
                bytes.append(contentsOf: String(scalar).utf8)
            }
        }
    }
}
