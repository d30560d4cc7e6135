/// What is due in the world outside the daemon, at one instant.
struct Happening {
    enum Kind: UInt8 {
        /// Bytes or the end of the daemon's stream reach the peer of a connection.
        case outbound
        /// Bytes or the end of the peer's stream reach the daemon's machine.
        case inbound
        /// A reset by the peer reaches the daemon's machine.
        case resetArrives
        /// A reset by the daemon's machine reaches the peer.
        case resetLeaves
        /// A dial of the daemon is decided.
        case dialDecided
        /// A browser's connection reaches the daemon's machine.
        case arrival
        /// The kernel asks whether the other end of a connection is still there.
        case keepAlive
        /// A browser does what it does next.
        case browser
        /// A publisher sends its next message.
        case publish
        /// A look-up is answered.
        case lookUp
        /// A fault begins or ends.
        case fault
        /// A Redis server changes.
        case redis
        /// The run goes on to its next part.
        case stage
        /// A script takes its next step: the daemon's wait ends.
        case script
    }

    let time: Int64
    let order: UInt64
    let kind: Kind
    /// Which connection, page, channel, … it is about.
    let subject: Int32
    /// What tells it from a former one of the same subject.
    let detail: Int32

    fileprivate func isBefore(_ other: Happening) -> Bool {
        time != other.time ? time < other.time : order < other.order
    }
}

/// What is due, earliest first; of two at the same instant, the one that was planned first.
struct Agenda {
    private var heap: [Happening] = []
    private var planned: UInt64 = 0

    var count: Int { heap.count }

    var nextTime: Int64? { heap.first?.time }

    mutating func plan(_ kind: Happening.Kind, at time: Int64, _ subject: Int, _ detail: Int = 0) {
        planned += 1
        heap.append(
            Happening(
                time: time, order: planned, kind: kind, subject: Int32(truncatingIfNeeded: subject),
                detail: Int32(truncatingIfNeeded: detail)))
        rise(heap.count - 1)
    }

    mutating func next() -> Happening? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return first
    }

    private mutating func rise(_ start: Int) {
        var index = start
        let item = heap[index]
        while index > 0 {
            let parent = (index - 1) / 4
            guard item.isBefore(heap[parent]) else { break }
            heap[index] = heap[parent]
            index = parent
        }
        heap[index] = item
    }

    private mutating func sink() {
        var index = 0
        let item = heap[0]
        let count = heap.count
        while true {
            let first = 4 * index + 1
            guard first < count else { break }
            var least = first
            for child in first + 1..<max(first + 1, min(first + 4, count))
            where heap[child].isBefore(heap[least]) { least = child }
            guard heap[least].isBefore(item) else { break }
            heap[index] = heap[least]
            index = least
        }
        heap[index] = item
    }
}
