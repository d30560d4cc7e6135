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

    /// Appends the bytes of `range` to `output`, in one copy.
    static func append(_ bytes: Span<UInt8>, in range: Range<Int>, to output: inout [UInt8]) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe output.append(contentsOf: UnsafeBufferPointer(rebasing: buffer[range]))
        }
    }

    /// The bytes of `range` as text; what is not UTF-8 shows as U+FFFD.
    static func text(_ bytes: Span<UInt8>, in range: Range<Int>) -> String {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        return unsafe bytes.withUnsafeBufferPointer { buffer in
            unsafe String(decoding: UnsafeBufferPointer(rebasing: buffer[range]), as: UTF8.self)
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
        if offset < end, end - start >= 8 {
            // The last word again, or more of it: what comes before `offset` is known to be ASCII.
            let word = unsafe base.loadUnaligned(fromByteOffset: end - 8, as: UInt64.self)
            let high = word.littleEndian & highBits
            return high == 0 ? end : end - 8 + high.trailingZeroBitCount / 8
        }
        while offset < end, unsafe base.load(fromByteOffset: offset, as: UInt8.self) < 0x80 {
            offset += 1
        }
        return offset
    }

    /// Appends the bytes of `range` as the inside of a JSON string; see `JSONStringEscaper`.
    ///
    /// Copies and looks in one pass: sixteen bytes are written, then kept up to the first special
    /// one. `output` grows with what is written, not with what might have to be.
    static func appendEscaped(
        _ bytes: Span<UInt8>, in range: Range<Int>, to output: inout [UInt8]
    ) -> Int {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        var offset = range.lowerBound
        var replacements = 0
        while offset < range.upperBound {
            let rest = range.upperBound - offset
            let room = rest + rest / 8 + 64
            if output.capacity - output.count < room {
                output.reserveCapacity(max(output.count + room, output.capacity * 3 / 2))
            }
            output.append(addingCapacity: room) { target in
                unsafe target.withUnsafeMutableBufferPointer { buffer, count in
                    guard let start = buffer.baseAddress else { return }
                    let end = buffer.count
                    unsafe escape(
                        bytes, from: &offset, to: range.upperBound,
                        into: UnsafeMutableRawPointer(start), at: &count, capacity: end,
                        &replacements)
                }
            }
        }
        return replacements
    }

    /// Escapes as many bytes as there is room for.
    private static func escape(
        _ bytes: Span<UInt8>, from offset: inout Int, to end: Int,
        into target: UnsafeMutableRawPointer, at count: inout Int, capacity: Int,
        _ replacements: inout Int
    ) {
        // Local, so that they stay in registers.
        var read = offset
        var written = count
        // One step writes sixteen bytes, or after some of them a single escape.
        while read < end, capacity - written >= 32 {
            let plain = unsafe copyPlain(bytes, from: read, to: end, into: target + written)
            if plain == 16 {
                read += 16
                written += 16
                continue
            }
            read += plain
            written += plain
            guard read < end else { break }
            let byte = bytes[read]
            if byte < 0x80 {
                written += unsafe writeEscape(of: byte, to: target + written)
                read += 1
                continue
            }
            unsafe copySequences(
                bytes, from: &read, to: end, into: target, at: &written, capacity: capacity,
                &replacements)
        }
        offset = read
        count = written
    }

    /// Copies the well-formed sequences of a run of bytes above ASCII, and replaces the others.
    private static func copySequences(
        _ bytes: Span<UInt8>, from offset: inout Int, to end: Int,
        into target: UnsafeMutableRawPointer, at count: inout Int, capacity: Int,
        _ replacements: inout Int
    ) {
        var read = offset
        var written = count
        while read < end, bytes[read] >= 0x80, capacity - written >= 4 {
            let sequence = UTF8Sequence(bytes, at: read, end: end)
            if sequence.isWellFormed {
                for index in 0..<sequence.length {
                    unsafe target.storeBytes(
                        of: bytes[read + index], toByteOffset: written + index, as: UInt8.self)
                }
                written += sequence.length
            } else {
                // U+FFFD.
                unsafe target.storeBytes(of: 0xEF, toByteOffset: written, as: UInt8.self)
                unsafe target.storeBytes(of: 0xBF, toByteOffset: written + 1, as: UInt8.self)
                unsafe target.storeBytes(of: 0xBD, toByteOffset: written + 2, as: UInt8.self)
                written += 3
                replacements += 1
            }
            read += sequence.length
        }
        offset = read
        count = written
    }

    /// Copies up to sixteen bytes, as far as they need no escape, and says how many.
    @inline(__always)
    private static func copyPlain(
        _ bytes: Span<UInt8>, from offset: Int, to end: Int, into target: UnsafeMutableRawPointer
    ) -> Int {
        guard end - offset >= 16 else {
            var count = 0
            while offset + count < end, isPlain(bytes[offset + count]) {
                unsafe target.storeBytes(
                    of: bytes[offset + count], toByteOffset: count, as: UInt8.self)
                count += 1
            }
            return count
        }
        let (low, high) = unsafe bytes.withUnsafeBytes {
            (
                unsafe $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                unsafe $0.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
            )
        }
        unsafe target.storeBytes(of: low, as: UInt64.self)
        unsafe target.storeBytes(of: high, toByteOffset: 8, as: UInt64.self)
        let special = (specialBytes(low.littleEndian), specialBytes(high.littleEndian))
        // A constant here, so that the next step need not wait for a count.
        if special.0 | special.1 == 0 { return 16 }
        if special.0 != 0 { return special.0.trailingZeroBitCount >> 3 }
        return 8 + (special.1.trailingZeroBitCount >> 3)
    }

    /// The high bit of the first special byte is set, and none before it.
    @inline(__always)
    private static func specialBytes(_ word: UInt64) -> UInt64 {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let quotes = word ^ 0x2222_2222_2222_2222
        let backslashes = word ^ 0x5C5C_5C5C_5C5C_5C5C
        // Each subtraction borrows into a byte's high bit; from the byte before only if special.
        let low = (word &- 0x2020_2020_2020_2020) & ~word
        let equal = (quotes &- ones) & ~quotes | (backslashes &- ones) & ~backslashes
        return (low | equal | word) & highBits
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte < 0x80 && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
    }

    /// Writes the escape of a quote, a backslash or a control character; its length, 2 or 6.
    @inline(__always)
    private static func writeEscape(of byte: UInt8, to target: UnsafeMutableRawPointer) -> Int {
        unsafe target.storeBytes(of: UInt8(ascii: "\\"), as: UInt8.self)
        unsafe target.storeBytes(of: byte, toByteOffset: 1, as: UInt8.self)
        return byte >= 0x20 ? 2 : unsafe writeControlEscape(of: byte, to: target)
    }

    private static func writeControlEscape(
        of byte: UInt8, to target: UnsafeMutableRawPointer
    ) -> Int {
        let short: UInt8 =
            switch byte {
            case 0x08: UInt8(ascii: "b")
            case 0x09: UInt8(ascii: "t")
            case 0x0A: UInt8(ascii: "n")
            case 0x0C: UInt8(ascii: "f")
            case 0x0D: UInt8(ascii: "r")
            default: UInt8(ascii: "u")
            }
        unsafe target.storeBytes(of: short, toByteOffset: 1, as: UInt8.self)
        guard short == UInt8(ascii: "u") else { return 2 }
        let low = byte & 0x0F
        unsafe target.storeBytes(of: UInt8(ascii: "0"), toByteOffset: 2, as: UInt8.self)
        unsafe target.storeBytes(of: UInt8(ascii: "0"), toByteOffset: 3, as: UInt8.self)
        unsafe target.storeBytes(
            of: UInt8(ascii: "0") + (byte >> 4), toByteOffset: 4, as: UInt8.self)
        unsafe target.storeBytes(
            of: low < 10 ? UInt8(ascii: "0") + low : UInt8(ascii: "a") + low - 10,
            toByteOffset: 5, as: UInt8.self)
        return 6
    }
}
