/// The place of an element in a ``Slab``, with the generation of its tenancy.
struct SlotID: Hashable, Sendable {
    var index: UInt32
    var generation: UInt32
}

/// Elements in slots that are used again; an id outlives its element without naming another.
///
/// Elements lie in memory of the slab's own and are read and changed in place: an optional in an
/// array would have to be copied, with a retain for each of its references, to be looked at. The
/// memory comes in chunks, which never move and are freed when their last element leaves, so that it
/// is back after a burst. Adding and removing is O(1). Every access checks that the id names a
/// present tenant.
@safe struct Slab<Element: ~Copyable>: ~Copyable {
    /// Slots of a chunk, as a number of bits.
    private static var chunkBits: UInt32 { 6 }

    /// The chunks, in the order of their slots; nothing where a chunk has no tenant.
    private var chunks: UnsafeMutablePointer<UnsafeMutablePointer<Element>>
    private var chunkCapacity = 16
    /// How many tenants each chunk has.
    private var tenants: [UInt8] = []
    /// Of each slot that was ever used: odd while it has a tenant, one more at each move.
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    /// How many elements there are.
    private(set) var count = 0

    init() {
        unsafe chunks = .allocate(capacity: chunkCapacity)
    }

    deinit {
        for index in generations.indices where Self.isTenancy(generations[index]) {
            unsafe slot(UInt32(index)).deinitialize(count: 1)
        }
        for chunk in tenants.indices where tenants[chunk] > 0 {
            unsafe chunks[chunk].deallocate()
        }
        unsafe chunks.deallocate()
    }

    /// Puts in what `make` makes of its own id.
    mutating func insert(_ make: (SlotID) -> Element) -> SlotID {
        let index = free.popLast() ?? UInt32(generations.count)
        if Int(index) == generations.count { generations.append(0) }
        occupy(chunk: Int(index >> Self.chunkBits))
        generations[Int(index)] &+= 1
        let id = SlotID(index: index, generation: generations[Int(index)])
        unsafe slot(index).initialize(to: make(id))
        count += 1
        return id
    }

    /// Counts a tenant of a chunk, whose memory is there afterwards.
    private mutating func occupy(chunk: Int) {
        if chunk == tenants.count {
            if chunk == chunkCapacity { growTable() }
            tenants.append(0)
        }
        if tenants[chunk] == 0 {
            unsafe (chunks + chunk).initialize(to: .allocate(capacity: 1 << Self.chunkBits))
        }
        tenants[chunk] += 1
    }

    private mutating func growTable() {
        let larger = UnsafeMutablePointer<UnsafeMutablePointer<Element>>
            .allocate(capacity: chunkCapacity * 2)
        for chunk in tenants.indices where tenants[chunk] > 0 {
            unsafe (larger + chunk).initialize(to: chunks[chunk])
        }
        unsafe chunks.deallocate()
        unsafe chunks = larger
        chunkCapacity *= 2
    }

    /// Takes the element out; its id names nothing from now on.
    @discardableResult
    mutating func remove(_ id: SlotID) -> Element? {
        guard contains(id) else { return nil }
        generations[Int(id.index)] &+= 1
        free.append(id.index)
        count -= 1
        let element = unsafe slot(id.index).move()
        let chunk = Int(id.index >> Self.chunkBits)
        tenants[chunk] -= 1
        if tenants[chunk] == 0 { unsafe chunks[chunk].deallocate() }
        return element
    }

    /// Whether the id still names an element.
    func contains(_ id: SlotID) -> Bool {
        Int(id.index) < generations.count && generations[Int(id.index)] == id.generation
            && Self.isTenancy(id.generation)
    }

    private static func isTenancy(_ generation: UInt32) -> Bool { generation & 1 == 1 }

    /// Where a slot lies whose chunk has a tenant.
    private func slot(_ index: UInt32) -> UnsafeMutablePointer<Element> {
        let place = Int(index & (1 << Self.chunkBits - 1))
        return unsafe chunks[Int(index >> Self.chunkBits)] + place
    }

    /// The element, read or changed in place. The id must be one that is contained.
    subscript(id: SlotID) -> Element {
        _read {
            precondition(contains(id), "a slot was read after its element had left")
            yield unsafe slot(id.index).pointee
        }
        _modify {
            precondition(contains(id), "a slot was changed after its element had left")
            yield unsafe &slot(id.index).pointee
        }
    }

    /// The ids of all elements, in the order of their slots.
    var ids: [SlotID] {
        generations.indices.compactMap { index in
            Self.isTenancy(generations[index])
                ? SlotID(index: UInt32(index), generation: generations[index]) : nil
        }
    }
}
