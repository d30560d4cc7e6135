/// Choices that follow from the bytes of an input.
package enum InputBytes {
    /// A number that follows from all bytes (FNV-1a).
    package static func hash(_ bytes: Span<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for index in bytes.indices {
            hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3
        }
        // The low bits of the product know little of the high ones.
        return hash ^ hash >> 32
    }

    /// The place at which an input is cut in two: any, its ends included.
    package static func cut(_ bytes: Span<UInt8>) -> Int {
        Int(hash(bytes) % UInt64(bytes.count + 1))
    }

    /// Replaces the content of a buffer that is used again, so that nothing is allocated.
    package static func copy(_ bytes: Span<UInt8>, to buffer: inout [UInt8]) {
        buffer.removeAll(keepingCapacity: true)
        append(bytes, to: &buffer)
    }

    /// Appends bytes in one copy.
    package static func append(_ bytes: Span<UInt8>, to buffer: inout [UInt8]) {
        unsafe bytes.withUnsafeBufferPointer { unsafe buffer.append(contentsOf: $0) }
    }

    /// The bytes as an array of their own.
    package static func array(_ bytes: Span<UInt8>) -> [UInt8] {
        var array: [UInt8] = []
        append(bytes, to: &array)
        return array
    }
}
