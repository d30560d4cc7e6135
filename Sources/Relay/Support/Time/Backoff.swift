/// A small seeded generator of random numbers (SplitMix64), one for each connection.
struct SplitMix64: RandomNumberGenerator, Sendable {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// The waits between attempts to reach Redis: decorrelated jitter.
///
/// `delay = uniform(base, min(maximum, 3 × previous))`, the first retry included, so that no two
/// connections that failed together try again together. The cap bounds the range and not what was
/// drawn: else most of those that have failed for long would wait for just the cap, in step.
struct Backoff: Sendable {
    /// A wait that was drawn, and between what.
    struct Wait: Equatable, Sendable {
        let delay: Nanoseconds
        let shortest: Nanoseconds
        let longest: Nanoseconds
    }

    private var previous: Nanoseconds?
    private var random: SplitMix64

    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    /// Draws the next wait, between `base` and `maximum` (or `base` where `maximum` is less).
    mutating func next(base: Nanoseconds, maximum: Nanoseconds) -> Wait {
        let upper = max(base, min(maximum, (previous ?? base) * 3))
        let delay = Nanoseconds(Int64.random(in: base.count...upper.count, using: &random))
        previous = delay
        return Wait(delay: delay, shortest: base, longest: upper)
    }

    /// Draws the next wait of a link that asks for all others whether Redis is back: between a quarter
    /// and a half of `base`, however long it has failed.
    mutating func nextOfProbe(base: Nanoseconds) -> Wait {
        let shortest = max(Nanoseconds(1), Nanoseconds(base.count / 4))
        let longest = max(shortest, Nanoseconds(base.count / 2))
        let delay = Nanoseconds(Int64.random(in: shortest.count...longest.count, using: &random))
        return Wait(delay: delay, shortest: shortest, longest: longest)
    }

    /// Draws a wait of up to `span`, for links that are told together that they may try again.
    mutating func nextWithin(_ span: Nanoseconds) -> Nanoseconds {
        span == .zero ? span : Nanoseconds(Int64.random(in: 0...span.count, using: &random))
    }

    /// Starts over, as after a success.
    mutating func reset() {
        previous = nil
    }
}
