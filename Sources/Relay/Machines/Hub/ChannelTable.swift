/// Finds a subscription by the name of its channel: a hash table with open addressing.
///
/// Names come from browsers, so the hash has a secret seed: nobody can choose names that collide. A
/// look-up allocates nothing and counts no references. The table never is more than half full.
struct ChannelTable {
    private struct Slot {
        var hash: UInt64 = 0
        var id = PageSet.nobody

        var isEmpty: Bool { id == PageSet.nobody }
    }

    private let seed: UInt64
    private var slots: [Slot] = []
    private(set) var count = 0

    /// Makes an empty table; the seed is to be a secret.
    init(seed: UInt64) {
        self.seed = seed
    }

    private var mask: Int { slots.count - 1 }

    /// The hash of a name.
    func hash(_ name: Span<UInt8>) -> UInt64 {
        var hash = seed ^ UInt64(name.count)
        for index in name.indices {
            hash = (hash ^ UInt64(name[index])) &* 0x9E37_79B9_7F4A_7C15
            hash ^= hash >> 29
        }
        hash = hash &* 0xBF58_476D_1CE4_E5B9
        return hash ^ hash >> 32
    }

    /// The subscription under a hash that `isWanted` takes for the right one.
    @inline(__always)
    func find(_ hash: UInt64, isWanted: (SlotID) -> Bool) -> SlotID? {
        guard !slots.isEmpty else { return nil }
        var place = Int(truncatingIfNeeded: hash) & mask
        while !slots[place].isEmpty {
            if slots[place].hash == hash, isWanted(slots[place].id) { return slots[place].id }
            place = (place + 1) & mask
        }
        return nil
    }

    /// Adds a subscription that is not there.
    mutating func insert(_ id: SlotID, hash: UInt64) {
        if 2 * (count + 1) > slots.count { grow() }
        put(Slot(hash: hash, id: id))
        count += 1
    }

    private mutating func put(_ slot: Slot) {
        var place = Int(truncatingIfNeeded: slot.hash) & mask
        while !slots[place].isEmpty { place = (place + 1) & mask }
        slots[place] = slot
    }

    private mutating func grow() {
        let former = slots
        slots = Array(repeating: Slot(), count: max(16, former.count * 2))
        for slot in former where !slot.isEmpty { put(slot) }
    }

    /// Takes a subscription out that is there.
    mutating func remove(_ id: SlotID, hash: UInt64) {
        var hole = Int(truncatingIfNeeded: hash) & mask
        while slots[hole].id != id { hole = (hole + 1) & mask }
        count -= 1
        // Whoever lies behind and may lie here moves up, so that no search ends too early.
        var place = hole
        while true {
            place = (place + 1) & mask
            guard !slots[place].isEmpty else { break }
            let home = Int(truncatingIfNeeded: slots[place].hash) & mask
            if (place &- home) & mask >= (place &- hole) & mask {
                slots[hole] = slots[place]
                hole = place
            }
        }
        slots[hole] = Slot()
        if count == 0 { slots = [] }
    }
}
