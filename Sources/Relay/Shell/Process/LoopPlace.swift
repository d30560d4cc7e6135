/// Which event loop of the process a relay is, and what the process shares.
struct LoopPlace: Sendable {
    let share: ProcessShare
    let index: Int
    /// What the process knows of this loop.
    let state: LoopState
    /// Whether the process has no other loop; every turn asks.
    let isAlone: Bool

    /// Takes the place of a loop of the share.
    init(share: ProcessShare, index: Int) {
        self.share = share
        self.index = index
        state = share.loops[index]
        isAlone = share.loops.count == 1
    }

    /// Whether it is the loop that accepts connections, asks Redis whether it answers, has the
    /// embedded broker and hears the signals.
    var isFirst: Bool { index == 0 }

    /// The other loops.
    var others: [Int] { share.loops.indices.filter { $0 != index } }
}
