/// Which event loop a new connection goes to.
///
/// WebSockets live for hours, so that loops which were uneven once would stay so: the loop with the
/// fewest connections gets the next one, and of equals each in turn.
struct LoopChoice: Equatable, Sendable {
    private var last = 0

    /// The loop with the fewest connections; one that is `absent` gets none, as long as there is
    /// another.
    mutating func fewest(_ counts: [Int], absent: [Bool]) -> Int {
        guard counts.count > 1 else { return 0 }
        var best: Int?
        for step in 1...counts.count {
            let loop = (last + step) % counts.count
            if loop < absent.count, absent[loop] { continue }
            if let present = best, counts[present] <= counts[loop] { continue }
            best = loop
        }
        last = best ?? 0
        return last
    }
}
