import DequeModule

/// The connections that are no WebSockets, in the order in which they came.
///
/// When there is no room for one more, the one that has been here longest gives way: whoever sends
/// a request at once is served, however many others say nothing.
struct ArrivalLine {
    /// Those in the line beside so many that are still waiting are cleared away.
    static let staleLimit = 1024

    private var line = Deque<SlotID>()
    private var cleared = 0

    /// How many stand in the line, those that have left it meanwhile among them.
    var count: Int { line.count }

    /// Puts a connection at the end.
    ///
    /// `isWaiting` says whether a connection is still one of these; the others are taken out from
    /// time to time, so that the line is never longer than twice as many and ``staleLimit``.
    mutating func append(_ id: SlotID, isWaiting: (SlotID) -> Bool) {
        line.append(id)
        guard line.count > 2 * cleared + Self.staleLimit else { return }
        line = Deque(line.filter(isWaiting))
        cleared = line.count
    }

    /// The connection that has waited longest; whoever is closed leaves the line by that.
    mutating func oldest(isWaiting: (SlotID) -> Bool) -> SlotID? {
        while let id = line.first {
            if isWaiting(id) { return id }
            line.removeFirst()
        }
        return nil
    }
}
