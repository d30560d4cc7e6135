/// Finds the ends of runs of plain bytes, a vector at a time, and copies such runs.
///
/// All loads of UTF-8 validation and JSON escaping that are wider than a byte are here.
enum ByteRuns {
    /// The offset of the first byte of `range` that is not ASCII, or the range's end.
    static func endOfASCII(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return range.upperBound }
            return unsafe endOfASCII(base, from: range.lowerBound, to: range.upperBound)
        }
    }

    /// The offset of the first byte of `range` that a JSON string cannot hold as it is (a quote, a
    /// backslash, a control character) or that is not ASCII, or the range's end.
    static func endOfPlainJSON(_ bytes: Span<UInt8>, in range: Range<Int>) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return unsafe bytes.withUnsafeBytes { buffer in
            guard let base = buffer.baseAddress else { return range.upperBound }
            return unsafe endOfPlainJSON(base, from: range.lowerBound, to: range.upperBound)
        }
    }

    /// Appends the bytes of `range` to `output`, in one copy.
    static func append(_ bytes: Span<UInt8>, in range: Range<Int>, to output: inout [UInt8]) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[range]))
        }
    }

    private static let highBits: UInt64 = 0x8080_8080_8080_8080

    private static func endOfASCII(_ base: UnsafeRawPointer, from start: Int, to end: Int) -> Int {
        var offset = start
        while end - offset >= 64 {
            let low = unsafe base.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
            let high = unsafe base.loadUnaligned(
                fromByteOffset: offset + 32, as: SIMD4<UInt64>.self)
            let union = low | high
            guard (union[0] | union[1] | union[2] | union[3]) & highBits == 0 else { break }
            offset += 64
        }
        while end - offset >= 8 {
            let word = unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let high = word.littleEndian & highBits
            guard high == 0 else { return offset + high.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < end, unsafe base.load(fromByteOffset: offset, as: UInt8.self) < 0x80 {
            offset += 1
        }
        return offset
    }

    private static func endOfPlainJSON(
        _ base: UnsafeRawPointer, from start: Int, to end: Int
    ) -> Int {
        var offset = start
        while end - offset >= 8 {
            let word = unsafe base.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            let special = specialBytes(word.littleEndian)
            guard special == 0 else { return offset + special.trailingZeroBitCount / 8 }
            offset += 8
        }
        while offset < end {
            let byte = unsafe base.load(fromByteOffset: offset, as: UInt8.self)
            guard byte >= 0x20, byte < 0x80, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\")
            else { return offset }
            offset += 1
        }
        return offset
    }

    /// The high bit of each byte that is special is set; bits above the lowest one set may be wrong.
    private static func specialBytes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ (ones &* UInt64(UInt8(ascii: "\"")))
        let backslashes = word ^ (ones &* UInt64(UInt8(ascii: "\\")))
        // A borrow can only come from a lower byte that is special itself.
        let low = (word &- (ones &* 0x20)) & ~word
        let hits = low | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
        return (hits | word) & highBits
    }
}
