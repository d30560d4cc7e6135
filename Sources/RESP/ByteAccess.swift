/// Loads, scans and copies of bytes; the only unsafe code of this module.
///
/// Safe loops over a span take some twenty times as long as words for finding the end of a line,
/// and a copy byte by byte as much longer than a block copy. Each function checks its bounds and
/// lets no pointer out.
enum ByteAccess {
    private static let ones: UInt64 = 0x0101_0101_0101_0101
    private static let highs: UInt64 = 0x8080_8080_8080_8080

    /// Eight bytes from `index` on, the first one the lowest.
    @inline(__always)
    static func word(in bytes: Span<UInt8>, at index: Int) -> UInt64 {
        precondition(index >= 0 && index <= bytes.count - 8)
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            let raw = UnsafeRawBufferPointer(buffer)
            return UInt64(
                littleEndian: unsafe raw.loadUnaligned(fromByteOffset: index, as: UInt64.self))
        }
    }

    /// The index of the first CR or LF at or behind `start`.
    static func lineBreak(in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index <= bytes.count - 8 {
            let word = word(in: bytes, at: index)
            let found = zeros(in: word ^ (ones &* 0x0D)) | zeros(in: word ^ (ones &* 0x0A))
            if found != 0 { return index + found.trailingZeroBitCount / 8 }
            index += 8
        }
        while index < bytes.count {
            if bytes[index] == 0x0D || bytes[index] == 0x0A { return index }
            index += 1
        }
        return nil
    }

    /// Appends the bytes of `range` to `array`.
    static func append(_ bytes: Span<UInt8>, _ range: Range<Int>, to array: inout [UInt8]) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe array.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[range]))
        }
    }

    /// A word whose lowest set bit lies in the first byte of `word` that is zero.
    ///
    /// Borrows can set bits behind the first zero byte, never before it.
    @inline(__always)
    private static func zeros(in word: UInt64) -> UInt64 { (word &- ones) & ~word & highs }
}
