/// The place of an element in a ``Slab``, with the generation of its tenancy.
struct SlotID: Hashable, Sendable {
    var index: UInt32
    var generation: UInt32
}

/// Elements in slots that are used again; an id outlives its element without naming another.
///
/// Elements lie in memory of the slab's own and are read and changed in place: an optional in an
/// array would have to be copied, with a retain for each of its references, to be looked at.
/// Adding and removing is O(1). Every access checks that the id names a present tenant.
@safe struct Slab<Element: ~Copyable>: ~Copyable {
    private var elements: UnsafeMutablePointer<Element>
    private var capacity: Int
    /// Of each slot that was ever used: odd while it has a tenant, one more at each move.
    private var generations: [UInt32] = []
    private var free: [UInt32] = []
    /// How many elements there are.
    private(set) var count = 0

    init() {
        capacity = 16
        unsafe elements = .allocate(capacity: capacity)
    }

    deinit {
        for index in generations.indices where Self.isTenancy(generations[index]) {
            unsafe (elements + index).deinitialize(count: 1)
        }
        unsafe elements.deallocate()
    }

    /// Puts in what `make` makes of its own id.
    mutating func insert(_ make: (SlotID) -> Element) -> SlotID {
        let index = free.popLast() ?? UInt32(generations.count)
        if Int(index) == generations.count {
            if generations.count == capacity { grow() }
            generations.append(0)
        }
        generations[Int(index)] &+= 1
        let id = SlotID(index: index, generation: generations[Int(index)])
        unsafe (elements + Int(index)).initialize(to: make(id))
        count += 1
        return id
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity * 2)
        // Whoever grows has no free slot: every slot has a tenant, but for one about to be filled.
        unsafe larger.moveInitialize(from: elements, count: generations.count)
        unsafe elements.deallocate()
        unsafe elements = larger
        capacity *= 2
    }

    /// Takes the element out; its id names nothing from now on.
    @discardableResult
    mutating func remove(_ id: SlotID) -> Element? {
        guard contains(id) else { return nil }
        generations[Int(id.index)] &+= 1
        free.append(id.index)
        count -= 1
        return unsafe (elements + Int(id.index)).move()
    }

    /// Whether the id still names an element.
    func contains(_ id: SlotID) -> Bool {
        Int(id.index) < generations.count && generations[Int(id.index)] == id.generation
            && Self.isTenancy(id.generation)
    }

    private static func isTenancy(_ generation: UInt32) -> Bool { generation & 1 == 1 }

    /// The element, read or changed in place. The id must be one that is contained.
    subscript(id: SlotID) -> Element {
        _read {
            precondition(contains(id), "a slot was read after its element had left")
            yield unsafe (elements + Int(id.index)).pointee
        }
        _modify {
            precondition(contains(id), "a slot was changed after its element had left")
            yield unsafe &(elements + Int(id.index)).pointee
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
