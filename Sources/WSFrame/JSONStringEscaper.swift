/// Writes arbitrary bytes as the inside of a JSON string (RFC 8259, section 7).
public enum JSONStringEscaper {
    /// Appends `payload`, without the quotes around it, and returns how many replacements were made.
    ///
    /// Quotes, backslashes and control characters are escaped, in the short form where there is one.
    /// Well-formed UTF-8 goes through as it is; each maximal subpart of an ill-formed sequence
    /// becomes one U+FFFD, as the Unicode standard advises. So the output is well-formed UTF-8 for
    /// any input, and at most six times as long.
    public static func append(_ payload: Span<UInt8>, to output: inout [UInt8]) -> Int {
        ByteRuns.appendEscaped(payload, in: 0..<payload.count, to: &output)
    }
}
