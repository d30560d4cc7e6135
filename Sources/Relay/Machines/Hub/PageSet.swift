/// The pages that hear one subscription.
///
/// Nearly every channel has one page, which takes no memory of its own. A page knows its place, so
/// that it leaves in constant time; the last page then moves into that place, and is told.
struct PageSet {
    /// Names no page: slots with tenants have odd generations.
    static let nobody = SlotID(index: .max, generation: 0)

    private var first = nobody
    private var others: [SlotID] = []
    /// How many pages there are.
    private(set) var count = 0

    var isEmpty: Bool { count == 0 }

    /// Adds a page; returns its place.
    mutating func insert(_ page: SlotID) -> Int {
        defer { count += 1 }
        if count == 0 { first = page } else { others.append(page) }
        return count
    }

    /// The page at a place below ``count``.
    subscript(place: Int) -> SlotID { place == 0 ? first : others[place - 1] }

    /// Takes the page at a place out; returns the page that has that place now, if it is another.
    mutating func remove(at place: Int) -> SlotID? {
        let last = self[count - 1]
        count -= 1
        let moved = place < count ? last : nil
        if moved != nil { if place == 0 { first = last } else { others[place - 1] = last } }
        if count == 0 { first = Self.nobody } else { others.removeLast() }
        if others.isEmpty { others = [] }
        return moved
    }
}
