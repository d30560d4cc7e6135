/// Whether a page gets each message of one sender on its channel, once and in order.
///
/// A page counts on a message from the moment at which the stream is live: the first ping says so.
/// What came before that is taken as it comes, but from the first one on without a hole. What is
/// missing is kept as ranges of numbers until the end of the run, when it is known which of them
/// Redis had a subscriber for.
struct SequenceChecker: Equatable {
    /// Ranges of missing numbers that are kept; what does not fit is counted and called lost.
    static let rangeLimit = 256

    /// What a number says.
    enum Finding: Equatable {
        case inOrder
        /// It had been passed over.
        case reordered
        case repeated
    }

    /// The number that comes next; nil before the first message and the first ping.
    private(set) var next: UInt64?
    /// The lowest number that is counted on.
    private var first: UInt64 = 0
    private var hasReceived = false
    /// The numbers below this had come in a session before.
    private var floor: UInt64 = 0
    /// Numbers that were passed over and have not come.
    private(set) var missing: [Range<UInt64>] = []
    /// Numbers that nothing came after before the connection ended: they fell into the outage.
    private(set) var missedAtEnds: UInt64 = 0
    /// Missing numbers for which there was no room.
    private(set) var unlisted: UInt64 = 0

    /// How many numbers are missing so far.
    var missingCount: UInt64 { missing.reduce(unlisted) { $0 + UInt64($1.count) } }

    /// The stream is live, and the sender's next number on the channel is `number`.
    mutating func live(from number: UInt64) {
        guard next == nil else { return }
        next = number
        first = number
    }

    /// Takes the number of a message.
    mutating func received(_ number: UInt64) -> Finding {
        if number < floor { return .repeated }
        guard let next, hasReceived else {
            // What was on its way when the stream went live comes before the numbers counted on.
            if let next, number > next { miss(next..<number) }
            first = number
            self.next = number + 1
            hasReceived = true
            return .inOrder
        }
        if number >= next {
            miss(next..<number)
            self.next = number + 1
            return .inOrder
        }
        if number < first {
            miss(number + 1..<first)
            first = number
            return .reordered
        }
        return takeMissing(number) ? .reordered : .repeated
    }

    /// The connection has ended, after `published` messages of the sender; nil where that is unknown.
    mutating func endOfSession(published: UInt64?) {
        if let next, let published, published > next { missedAtEnds += published - next }
        floor = max(floor, next ?? 0)
        next = nil
        hasReceived = false
    }

    /// The run has ended after `published` messages: what has not come by now is missing.
    mutating func endOfRun(published: UInt64?) {
        guard let next, let published, published > next else { return }
        miss(next..<published)
        self.next = published
    }

    private mutating func miss(_ range: Range<UInt64>) {
        guard !range.isEmpty else { return }
        if missing.count < Self.rangeLimit {
            missing.append(range)
        } else {
            unlisted += UInt64(range.count)
        }
    }

    private mutating func takeMissing(_ number: UInt64) -> Bool {
        guard let index = missing.lastIndex(where: { $0.contains(number) }) else { return false }
        let range = missing[index]
        let parts = [range.lowerBound..<number, number + 1..<range.upperBound]
        missing.replaceSubrange(index...index, with: parts.filter { !$0.isEmpty })
        return true
    }
}
