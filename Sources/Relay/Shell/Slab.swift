/// The place of an element in a ``Slab``, with the generation of its tenancy.
struct SlotID: Hashable, Sendable {
    var index: UInt32
    var generation: UInt32
}

/// Elements in slots that are used again; an id outlives its element without naming another.
///
/// Elements are changed in place and never copied by the slab; adding and removing is O(1).
struct Slab<Element> {
    private struct Slot {
        var generation: UInt32
        var element: Element?
    }

    private var slots: [Slot] = []
    private var free: [UInt32] = []
    /// How many elements there are.
    private(set) var count = 0

    /// Puts in what `make` makes of its own id.
    mutating func insert(_ make: (SlotID) -> Element) -> SlotID {
        count += 1
        if let index = free.popLast() {
            let id = SlotID(index: index, generation: slots[Int(index)].generation)
            slots[Int(index)].element = make(id)
            return id
        }
        let id = SlotID(index: UInt32(slots.count), generation: 0)
        slots.append(Slot(generation: 0, element: make(id)))
        return id
    }

    /// Takes the element out; its id names nothing from now on.
    @discardableResult
    mutating func remove(_ id: SlotID) -> Element? {
        guard contains(id) else { return nil }
        let element = slots[Int(id.index)].element.take()
        slots[Int(id.index)].generation &+= 1
        free.append(id.index)
        count -= 1
        return element
    }

    /// Whether the id still names an element.
    func contains(_ id: SlotID) -> Bool {
        Int(id.index) < slots.count && slots[Int(id.index)].generation == id.generation
            && slots[Int(id.index)].element != nil
    }

    /// The element, changed in place. The id must be one that is contained.
    subscript(id: SlotID) -> Element {
        _read {
            // A name for the element copies it once; `yield slots[…].element!` would copy the whole
            // slot, several times.
            guard contains(id), let element = slots[Int(id.index)].element else {
                preconditionFailure("a slot was read after its element had left")
            }
            yield element
        }
        _modify {
            precondition(contains(id), "a slot was changed after its element had left")
            // swift-format-ignore: NeverForceUnwrap
            yield &slots[Int(id.index)].element!
        }
    }

    /// The ids of all elements, in the order of their slots.
    var ids: [SlotID] {
        slots.indices.compactMap { index in
            slots[index].element == nil
                ? nil : SlotID(index: UInt32(index), generation: slots[index].generation)
        }
    }
}
