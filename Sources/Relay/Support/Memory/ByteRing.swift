/// Bytes in the order of their coming, in memory that is used over and over.
struct ByteRing {
    /// The least memory that is asked for.
    private static let leastCapacity = 256

    private var storage: [UInt8] = []
    private var start = 0
    /// How many bytes there are.
    private(set) var count = 0

    /// Appends bytes; where memory must grow for them it doubles, up to `capacity` or what they need.
    mutating func append(_ bytes: Span<UInt8>, capacity: Int) {
        let needed = count + bytes.count
        if needed > storage.count {
            let doubled = max(Self.leastCapacity, 2 * storage.count)
            reallocate(max(needed, min(doubled, capacity)))
        }
        var place = start + count
        if place >= storage.count { place -= storage.count }
        for index in bytes.indices {
            storage[place] = bytes[index]
            place += 1
            if place == storage.count { place = 0 }
        }
        count = needed
    }

    /// Drops the first bytes.
    mutating func removeFirst(_ length: Int) {
        start += length
        if start >= storage.count { start -= storage.count }
        count -= length
        if count == 0 { start = 0 }
    }

    /// Takes no more memory than the bytes that are there.
    mutating func shrink() {
        reallocate(count)
    }

    /// Appends the `length` bytes from `offset` on to others.
    func copy(from offset: Int, _ length: Int, to output: inout [UInt8]) {
        var place = start + offset
        if place >= storage.count { place -= storage.count }
        let end = min(place + length, storage.count)
        output += storage[place..<end]
        output += storage[0..<(length - (end - place))]
    }

    private mutating func reallocate(_ capacity: Int) {
        var moved: [UInt8] = []
        moved.reserveCapacity(capacity)
        copy(from: 0, count, to: &moved)
        moved += repeatElement(0, count: capacity - count)
        storage = moved
        start = 0
    }
}
