/// Reads the inside of a JSON string, strictly (RFC 8259, section 7).
package enum JSONStringDecoder {
    /// The text that `bytes` stand for; nil when they are no inside of a JSON string in UTF-8.
    package static func decode(_ bytes: [UInt8]) -> String? {
        guard let text = String(validating: bytes, as: UTF8.self) else { return nil }
        var result = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let scalar = rest.popFirst() {
            if scalar == "\"" || scalar.value < 0x20 { return nil }
            guard scalar == "\\" else {
                result.append(scalar)
                continue
            }
            guard let escape = rest.popFirst() else { return nil }
            if escape == "u" {
                guard rest.count >= 4, let value = UInt32(String(rest.prefix(4)), radix: 16),
                    let decoded = Unicode.Scalar(value)
                else { return nil }
                result.append(decoded)
                rest = rest.dropFirst(4)
            } else {
                guard let decoded = short[escape] else { return nil }
                result.append(decoded)
            }
        }
        return String(result)
    }

    private static let short: [Unicode.Scalar: Unicode.Scalar] = [
        "\"": "\"", "\\": "\\", "/": "/", "b": "\u{8}", "f": "\u{C}", "n": "\n", "r": "\r",
        "t": "\t",
    ]
}
