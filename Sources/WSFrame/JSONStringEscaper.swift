/// Writes arbitrary bytes as the inside of a JSON string (RFC 8259, section 7).
public enum JSONStringEscaper {
    /// Appends `payload`, without the quotes around it, and returns how many replacements were made.
    ///
    /// Quotes, backslashes and control characters are escaped, in the short form where there is one.
    /// Well-formed UTF-8 goes through as it is; each maximal subpart of an ill-formed sequence
    /// becomes one U+FFFD, as the Unicode standard advises. So the output is well-formed UTF-8 for
    /// any input, and at most six times as long.
    public static func append(_ payload: Span<UInt8>, to output: inout [UInt8]) -> Int {
        let count = payload.count
        var replacements = 0
        var runStart = 0
        var offset = 0
        while true {
            offset = ByteRuns.endOfPlainJSON(payload, in: offset..<count)
            guard offset < count else { break }
            let byte = payload[offset]
            if byte >= 0x80 {
                let sequence = UTF8Sequence(payload, at: offset, end: count)
                if !sequence.isWellFormed {
                    ByteRuns.append(payload, in: runStart..<offset, to: &output)
                    output.append(0xEF)
                    output.append(0xBF)
                    output.append(0xBD)
                    replacements += 1
                    runStart = offset + sequence.length
                }
                offset += sequence.length
            } else {
                ByteRuns.append(payload, in: runStart..<offset, to: &output)
                appendEscape(of: byte, to: &output)
                offset += 1
                runStart = offset
            }
        }
        ByteRuns.append(payload, in: runStart..<count, to: &output)
        return replacements
    }

    private static func appendEscape(of byte: UInt8, to output: inout [UInt8]) {
        output.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): output.append(byte)
        case 0x08: output.append(UInt8(ascii: "b"))
        case 0x09: output.append(UInt8(ascii: "t"))
        case 0x0A: output.append(UInt8(ascii: "n"))
        case 0x0C: output.append(UInt8(ascii: "f"))
        case 0x0D: output.append(UInt8(ascii: "r"))
        default:
            output.append(UInt8(ascii: "u"))
            output.append(UInt8(ascii: "0"))
            output.append(UInt8(ascii: "0"))
            output.append(UInt8(ascii: "0") + (byte >> 4))
            let low = byte & 0x0F
            output.append(low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10)
        }
    }
}
