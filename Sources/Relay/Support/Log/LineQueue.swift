/// Lines that wait to be written, up to a bound; past it they are dropped and counted.
struct LineQueue: Sendable {
    /// What became of a line.
    enum Outcome: Equatable, Sendable {
        /// It waits, and it is the first to do so.
        case first
        /// It waits behind others.
        case queued
        case dropped
    }

    /// Bytes of lines that may wait.
    let capacity: Int
    /// Makes the line that tells how many were dropped at its place; nil for no such line.
    private let note: (@Sendable (UInt64) -> [UInt8])?
    private var pending: [UInt8] = []
    /// Lines that were dropped so far.
    private(set) var dropped: UInt64 = 0
    /// Lines that were dropped and of which no note tells yet.
    private var untold: UInt64 = 0

    init(capacity: Int, note: (@Sendable (UInt64) -> [UInt8])? = nil) {
        self.capacity = capacity
        self.note = note
    }

    var isEmpty: Bool { pending.isEmpty }

    /// Whether half of what may wait does.
    var isHalfFull: Bool { pending.count >= capacity / 2 }

    /// Takes a line with its newline, or drops it.
    mutating func append(_ line: [UInt8]) -> Outcome {
        let isFirst = pending.isEmpty
        guard pending.count + line.count <= capacity else {
            dropped += 1
            untold += 1
            return .dropped
        }
        tell()
        pending += line
        return isFirst ? .first : .queued
    }

    /// Takes everything that waits.
    mutating func takeAll() -> [UInt8] {
        tell()
        return take(&pending)
    }

    /// Counts lines that were lost behind the queue.
    mutating func addDropped(_ count: UInt64) {
        dropped += count
        untold += count
    }

    private mutating func tell() {
        guard untold > 0 else { return }
        if let note { pending += note(untold) }
        untold = 0
    }
}
