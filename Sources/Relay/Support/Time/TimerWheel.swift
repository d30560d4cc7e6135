/// A timer of a ``TimerWheel``; valid until it is released.
struct TimerID: Hashable, Sendable {
    fileprivate let index: Int32
}

/// A hierarchical timer wheel with ticks of a millisecond.
///
/// Six levels of 64 slots hold deadlines up to 64⁶ ms (about two years) ahead; what lies further
/// waits on the top level and is looked at again there. A timer's level is the highest group of six
/// bits in which its tick differs from the present one, so that a slot of level 0 holds timers of
/// one tick only and a higher slot is dealt out to lower ones when its time comes. Arming and
/// disarming touch one list each: O(1). A timer never fires before its deadline and, when the wheel
/// is turned in time, less than a tick after it.
///
/// A slot may hold more timers than one call deals out. The slot whose time has come is then dealt
/// out to its end before any lower slot is looked at, since its timers may be the next ones due.
struct TimerWheel {
    /// Timers that are dealt out in the time in which one fires: what a firing leads to takes far
    /// longer than a move from one list to another.
    private static let movesPerFiring = 16

    private static let bitsPerLevel: UInt64 = 6
    private static let slotsPerLevel = 64
    private static let levelCount = 6
    private static let horizon: UInt64 = 1 << (bitsPerLevel * UInt64(levelCount))
    private static let nanosecondsPerTick: Int64 = 1_000_000
    private static let none: Int32 = -1

    private struct Timer {
        var owner: Token
        var tick: UInt64 = 0
        /// Index of the slot whose list holds the timer, or `none`.
        var slot: Int32 = TimerWheel.none
        var next: Int32 = TimerWheel.none
        var previous: Int32 = TimerWheel.none
    }

    private var timers: [Timer] = []
    private var free: [Int32] = []
    private var heads: [Int32]
    private var occupied: [UInt64]
    private var elapsed: UInt64 = 0
    /// Whether a call has ended half-way through a slot.
    private var isInterrupted = false
    private let start: Instant
    /// How many timers are armed.
    private(set) var armedCount = 0

    init(start: Instant) {
        self.start = start
        heads = Array(repeating: Self.none, count: Self.levelCount * Self.slotsPerLevel)
        occupied = Array(repeating: 0, count: Self.levelCount)
    }

    /// Makes a timer, not armed, that will name `owner` when it fires.
    mutating func makeTimer(owner: Token) -> TimerID {
        if let index = free.popLast() {
            timers[Int(index)] = Timer(owner: owner)
            return TimerID(index: index)
        }
        timers.append(Timer(owner: owner))
        return TimerID(index: Int32(timers.count - 1))
    }

    /// Gives the timer back, disarming it.
    mutating func release(_ timer: TimerID) {
        disarm(timer)
        free.append(timer.index)
    }

    /// Sets the timer to fire at `deadline`, in place of any earlier setting.
    mutating func arm(_ timer: TimerID, at deadline: Instant) {
        disarm(timer)
        timers[Int(timer.index)].tick = max(tickAtOrAfter(deadline), elapsed)
        link(timer.index)
        armedCount += 1
    }

    /// Keeps the timer from firing; does nothing when it is not armed.
    mutating func disarm(_ timer: TimerID) {
        guard timers[Int(timer.index)].slot != Self.none else { return }
        unlink(timer.index)
        armedCount -= 1
    }

    /// The earliest instant at which ``expire(now:limit:into:)`` has something to do.
    var nextExpiry: Instant? {
        guard let slot = nextSlot() else { return nil }
        let nanoseconds = Int64(clamping: slot.tick).multipliedReportingOverflow(
            by: Self.nanosecondsPerTick)
        return nanoseconds.overflow ? .never : start + Nanoseconds(nanoseconds.partialValue)
    }

    /// Appends the owners of the timers due at `now` to `owners`, in order of their ticks.
    ///
    /// The work of one call is bounded: at most `limit` timers fire, or sixteen times as many are
    /// dealt out to lower slots. Returns true when more wait; they come first in the next call,
    /// whatever is armed meanwhile.
    mutating func expire(now: Instant, limit: Int, into owners: inout [Token]) -> Bool {
        let present = tickAtOrBefore(now)
        let bound = limit.multipliedReportingOverflow(by: Self.movesPerFiring)
        var left = bound.overflow ? Int.max : bound.partialValue
        isInterrupted = true
        while let slot = nextSlot(), slot.tick <= present {
            elapsed = max(elapsed, slot.tick)
            while heads[slot.index] != Self.none {
                guard left > 0 else { return true }
                let index = heads[slot.index]
                unlink(index)
                if timers[Int(index)].tick <= elapsed {
                    left -= Self.movesPerFiring
                    armedCount -= 1
                    owners.append(timers[Int(index)].owner)
                } else {
                    left -= 1
                    link(index)
                }
            }
        }
        elapsed = max(elapsed, present)
        isInterrupted = false
        return false
    }

    // MARK: - Ticks

    private func tickAtOrAfter(_ instant: Instant) -> UInt64 {
        let span = (instant - start).count
        guard span > 0 else { return 0 }
        let whole = span / Self.nanosecondsPerTick
        return UInt64(whole) + (span % Self.nanosecondsPerTick == 0 ? 0 : 1)
    }

    private func tickAtOrBefore(_ instant: Instant) -> UInt64 {
        UInt64(max(0, (instant - start).count / Self.nanosecondsPerTick))
    }

    // MARK: - Slots

    private struct Slot {
        var index: Int
        var tick: UInt64
    }

    /// The slot that is to be emptied next, and the tick at which its time comes.
    ///
    /// A slot of a higher level in whose range the present tick lies is only half dealt out, and
    /// comes first, the highest before all. Otherwise lower levels come first.
    private func nextSlot() -> Slot? {
        for level in (1..<Self.levelCount).reversed() where isInterrupted && occupied[level] != 0 {
            let position = (elapsed >> (Self.bitsPerLevel * UInt64(level))) & 63
            guard occupied[level] & (1 << position) != 0 else { continue }
            return Slot(index: level * Self.slotsPerLevel + Int(position), tick: elapsed)
        }
        for level in 0..<Self.levelCount where occupied[level] != 0 {
            let shift = Self.bitsPerLevel * UInt64(level)
            let position = Int((elapsed >> shift) & 63)
            let rotated =
                occupied[level] >> UInt64(position)
                | (position == 0 ? 0 : occupied[level] << UInt64(64 - position))
            let slot = (rotated.trailingZeroBitCount + position) & 63
            let range: UInt64 = 1 << (shift + Self.bitsPerLevel)
            var tick = (elapsed & ~(range - 1)) + (UInt64(slot) << shift)
            // Only the top level wraps round: everything below lies within the level's range.
            if slot < position { tick += range }
            return Slot(index: level * Self.slotsPerLevel + slot, tick: max(tick, elapsed))
        }
        return nil
    }

    private mutating func link(_ index: Int32) {
        // A timer beyond the horizon waits in the slot of the top level that comes round last, the
        // one before the present: in the present one it would be dealt out again and again.
        let round = Self.horizon >> Self.bitsPerLevel
        let last = (elapsed & ~(round - 1)) + Self.horizon - 1
        let tick = min(timers[Int(index)].tick, last)
        let differing = min((elapsed ^ tick) | 63, Self.horizon - 1)
        let level = (63 - differing.leadingZeroBitCount) / Int(Self.bitsPerLevel)
        let position = Int((tick >> (Self.bitsPerLevel * UInt64(level))) & 63)
        let slot = level * Self.slotsPerLevel + position
        let head = heads[slot]
        timers[Int(index)].slot = Int32(slot)
        timers[Int(index)].next = head
        timers[Int(index)].previous = Self.none
        if head != Self.none { timers[Int(head)].previous = index }
        heads[slot] = index
        occupied[level] |= 1 << UInt64(position)
    }

    private mutating func unlink(_ index: Int32) {
        let timer = timers[Int(index)]
        let slot = Int(timer.slot)
        if timer.next != Self.none { timers[Int(timer.next)].previous = timer.previous }
        if timer.previous != Self.none {
            timers[Int(timer.previous)].next = timer.next
        } else {
            heads[slot] = timer.next
            if timer.next == Self.none {
                occupied[slot / Self.slotsPerLevel] &= ~(1 << UInt64(slot % Self.slotsPerLevel))
            }
        }
        timers[Int(index)].slot = Self.none
        timers[Int(index)].next = Self.none
        timers[Int(index)].previous = Self.none
    }
}
