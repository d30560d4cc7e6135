/// When memory that the allocator holds and nobody uses goes back to the system.
///
/// An allocator keeps what is freed for the next use, and after a burst that would be for good. Asked
/// once in a while, this tells when to hand it back: when there is much more of it than there was at
/// the lowest, and has been for some time, so that what a burst frees and takes again stays.
struct MemoryRelease: Sendable {
    /// Unused bytes beyond the lowest level from which a release is worth its milliseconds: 2 MiB.
    static let limit = 2 << 20
    /// How long that much must have been unused.
    static let patience = Nanoseconds.seconds(5)

    /// The fewest unused bytes since the last release. Small pieces between used ones stay unused
    /// after one, and are no reason for another.
    private var lowest = Int.max
    private var muchSince = Instant.never

    /// Whether memory is to be released now; then ``isDone(unused:)`` follows.
    mutating func isDue(unused: Int, at now: Instant) -> Bool {
        lowest = min(lowest, unused)
        guard unused - lowest >= Self.limit else {
            muchSince = .never
            return false
        }
        muchSince = min(muchSince, now)
        return now - muchSince >= Self.patience
    }

    /// Notes how much is unused after a release.
    mutating func isDone(unused: Int) {
        lowest = unused
        muchSince = .never
    }
}
