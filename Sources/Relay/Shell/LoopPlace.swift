/// Which event loop of the process a relay is, and what the process shares.
struct LoopPlace: Sendable {
    let share: ProcessShare
    let index: Int

    /// Whether it is the loop that accepts connections, asks Redis whether it answers, has the
    /// embedded broker and hears the signals.
    var isFirst: Bool { index == 0 }

    /// Whether the process has no other loop.
    var isAlone: Bool { share.loops.count == 1 }

    /// The other loops.
    var others: [Int] { share.loops.indices.filter { $0 != index } }

    /// What the process knows of this loop.
    var state: LoopState { share.loops[index] }
}
