/// The pages that hear one subscription.
///
/// Nearly every channel has one page, which takes no memory of its own. A page knows its place, so
/// that it leaves in constant time; the last page then moves into that place, and is told. While a
/// message is dealt out nobody moves: who leaves meanwhile leaves a hole.
struct PageSet {
    /// Names no page: slots with tenants have odd generations.
    static let nobody = SlotID(index: .max, generation: 0)

    private var first = nobody
    private var others: [SlotID] = []
    /// Places, holes among them.
    private(set) var placeCount = 0
    private var holes = 0

    /// How many pages there are.
    var count: Int { placeCount - holes }

    var isEmpty: Bool { count == 0 }

    /// Adds a page; returns its place.
    mutating func insert(_ page: SlotID) -> Int {
        defer { placeCount += 1 }
        if placeCount == 0 { first = page } else { others.append(page) }
        return placeCount
    }

    /// The page at a place; ``nobody`` where it has left.
    subscript(place: Int) -> SlotID { place == 0 ? first : others[place - 1] }

    private mutating func set(_ place: Int, _ page: SlotID) {
        if place == 0 { first = page } else { others[place - 1] = page }
    }

    /// Takes the page at a place out; returns the page that has that place now, if it is another.
    mutating func remove(at place: Int) -> SlotID? {
        let last = self[placeCount - 1]
        placeCount -= 1
        if place < placeCount { set(place, last) }
        if placeCount == 0 { first = Self.nobody } else { others.removeLast() }
        if others.isEmpty { others = [] }
        return place < placeCount && last != Self.nobody ? last : nil
    }

    /// Takes the page at a place out, where a message is being dealt out.
    mutating func leaveHole(at place: Int) {
        set(place, Self.nobody)
        holes += 1
    }

    /// Closes the holes that were left; returns who has moved, and to which place.
    mutating func closeHoles() -> [(page: SlotID, place: Int)] {
        var moved: [(page: SlotID, place: Int)] = []
        var place = placeCount
        while holes > 0 {
            place -= 1
            guard self[place] == Self.nobody else { continue }
            holes -= 1
            // Places behind this one are no holes any more.
            if let page = remove(at: place) { moved.append((page, place)) }
        }
        return moved
    }
}
