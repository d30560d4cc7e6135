/// Which kind of thing a ``Token`` names.
enum TokenKind: UInt8, Sendable {
    case listener = 1
    case client = 2
    case link = 3
    case brokerListener = 4
    case brokerSession = 5
    case gate = 6
    case shutdown = 7
    /// What is looked after once a second.
    case upkeep = 8
    /// A connection to Redis that is being made, beside others of the same link.
    case dial = 9
    /// The end of the wait for the figures of the other loops.
    case gather = 10
    case adminListener = 11
    case adminConnection = 12
    /// The end of a trace that the admin listener has begun.
    case trace = 13
}

/// Names one thing of an event loop to the kernel and to the timer wheel.
///
/// The generation tells a slot's present tenant from its former ones, so that an event or timer
/// that was on its way when its connection ended is dropped instead of reaching the next (I3).
struct Token: Hashable, Sendable {
    /// Kind in the 4 highest bits, slot index in the next 28, generation in the low 32.
    let bits: UInt64

    init(bits: UInt64) {
        self.bits = bits
    }

    init(_ kind: TokenKind, _ id: SlotID) {
        bits =
            UInt64(kind.rawValue) << 60 | UInt64(id.index & 0xFFF_FFFF) << 32
            | UInt64(id.generation)
    }

    init(_ kind: TokenKind) {
        self.init(kind, SlotID(index: 0, generation: 0))
    }

    var kind: TokenKind? { TokenKind(rawValue: UInt8(bits >> 60)) }

    var id: SlotID {
        SlotID(
            index: UInt32(bits >> 32 & 0xFFF_FFFF), generation: UInt32(truncatingIfNeeded: bits))
    }
}
