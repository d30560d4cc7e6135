@testable import Relay

/// A random source of one purpose, so that a fault that is left out changes no other draw.
struct Dice {
    private var source: SplitMix64

    init(seed: UInt64, _ purpose: UInt64) {
        var mixer = SplitMix64(seed: seed ^ (purpose &* 0xD6E8_FEB8_6659_FD93))
        source = SplitMix64(seed: mixer.next())
    }

    mutating func bits() -> UInt64 { source.next() }

    /// True with a probability.
    mutating func chance(_ probability: Double) -> Bool {
        guard probability > 0 else { return false }
        return Double(source.next() >> 11) * 0x1p-53 < probability
    }

    /// A whole number of the range.
    mutating func pick(_ range: ClosedRange<Int64>) -> Int64 {
        let width = UInt64(range.upperBound - range.lowerBound) + 1
        return range.lowerBound + Int64(source.next() % width)
    }

    mutating func pick(_ range: ClosedRange<Int>) -> Int {
        Int(pick(Int64(range.lowerBound)...Int64(range.upperBound)))
    }

    mutating func pick<Element>(of choices: [Element]) -> Element {
        choices[Int(source.next() % UInt64(choices.count))]
    }

    /// A span around `mean`, from nothing to twice as much.
    mutating func around(_ mean: Nanoseconds) -> Nanoseconds {
        Nanoseconds(pick(0...max(1, 2 * mean.count)))
    }

    /// A span between two others, short ones as likely as long ones ten times their length.
    mutating func span(_ shortest: Nanoseconds, _ longest: Nanoseconds) -> Nanoseconds {
        var bounds = [shortest.count]
        while let last = bounds.last, last * 4 < longest.count { bounds.append(last * 4) }
        let start = pick(of: bounds)
        return Nanoseconds(pick(start...min(longest.count, start * 4)))
    }
}
