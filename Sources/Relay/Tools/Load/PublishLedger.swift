/// What was published on one channel, and what of it Redis had too few subscribers for.
struct PublishLedger: Equatable {
    /// Ranges of excused numbers that are kept; what does not fit is not excused.
    static let rangeLimit = 4096

    /// Messages handed to Redis; the number of the next one.
    private(set) var published: UInt64 = 0
    /// Pages on the channel whose stream is live.
    var livePages: UInt32 = 0
    /// Numbers that Redis answered with fewer receivers than there were live pages, or not at all,
    /// in order.
    private(set) var excused: [Range<UInt64>] = []

    /// Takes the next number.
    mutating func publish() -> UInt64 {
        defer { published += 1 }
        return published
    }

    /// Redis had too few subscribers for this number, or its answer never came. Numbers come in
    /// order.
    mutating func excuse(_ number: UInt64) {
        if let last = excused.last, last.upperBound == number {
            excused[excused.count - 1] = last.lowerBound..<number + 1
        } else if excused.count < Self.rangeLimit {
            excused.append(number..<number + 1)
        }
    }

    /// How many numbers of the range are excused.
    func excusedCount(in range: Range<UInt64>) -> UInt64 {
        excused.reduce(0) { $0 + UInt64($1.clamped(to: range).count) }
    }
}
