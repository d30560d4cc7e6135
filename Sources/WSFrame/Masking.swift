/// The masking of payloads (RFC 6455, section 5.3): XOR with a key of four bytes.
enum Masking {
    /// The key for bytes that begin `count` bytes further into the payload.
    static func advance(_ key: UInt32, by count: Int) -> UInt32 {
        let shift = UInt32(truncatingIfNeeded: count & 3) * 8
        return shift == 0 ? key : key << shift | key >> (32 - shift)
    }

    /// Masks or unmasks `range` of `bytes` in place; the key's highest byte is for the first one.
    static func apply(_ key: UInt32, to bytes: inout MutableSpan<UInt8>, in range: Range<Int>) {
        precondition(range.lowerBound >= 0 && range.upperBound <= bytes.count)
        guard key != 0 else { return }
        unsafe bytes.withUnsafeMutableBytes { buffer in
            guard let base = buffer.baseAddress else { return }
            unsafe apply(key, to: base + range.lowerBound, count: range.count)
        }
    }

    /// XORs `count` bytes from `start`, in vectors, then in words of which the last one overlaps.
    private static func apply(_ key: UInt32, to start: UnsafeMutableRawPointer, count: Int) {
        let word = UInt64(key.bigEndian) << 32 | UInt64(key.bigEndian)
        guard count >= 8 else {
            unsafe applyBytewise(word.littleEndian, to: start, count: count)
            return
        }
        // Taken before its first bytes are changed by the words before it.
        let lastOffset = count - 8
        let lastKey = UInt64(advance(key, by: lastOffset).bigEndian)
        let last = unsafe start.loadUnaligned(fromByteOffset: lastOffset, as: UInt64.self)
        let vector = SIMD4<UInt64>(repeating: word)
        var offset = 0
        while count - offset >= 64 {
            let low = unsafe start.loadUnaligned(fromByteOffset: offset, as: SIMD4<UInt64>.self)
            let high = unsafe start.loadUnaligned(
                fromByteOffset: offset + 32, as: SIMD4<UInt64>.self)
            unsafe start.storeBytes(
                of: low ^ vector, toByteOffset: offset, as: SIMD4<UInt64>.self)
            unsafe start.storeBytes(
                of: high ^ vector, toByteOffset: offset + 32, as: SIMD4<UInt64>.self)
            offset += 64
        }
        while offset < lastOffset {
            let value = unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            unsafe start.storeBytes(of: value ^ word, toByteOffset: offset, as: UInt64.self)
            offset += 8
        }
        unsafe start.storeBytes(
            of: last ^ (lastKey << 32 | lastKey), toByteOffset: lastOffset, as: UInt64.self)
    }

    private static func applyBytewise(
        _ word: UInt64, to start: UnsafeMutableRawPointer, count: Int
    ) {
        var rest = word
        for offset in 0..<count {
            let value = unsafe start.load(fromByteOffset: offset, as: UInt8.self)
            unsafe start.storeBytes(
                of: value ^ UInt8(truncatingIfNeeded: rest), toByteOffset: offset, as: UInt8.self)
            rest >>= 8
        }
    }
}
