/// Validates UTF-8 that comes in pieces, cut anywhere (Unicode, table 3-7; RFC 3629).
///
/// It fails on the first byte that no well-formed continuation of the text could hold.
public struct UTF8Validator: Sendable, Equatable {
    /// What the next byte has to be.
    private enum State: UInt8 {
        /// The first byte of a character.
        case start
        /// One, two or three further bytes in 80...BF.
        case one, two, three
        /// After E0: A0...BF, then one more.
        case afterE0
        /// After ED: 80...9F (no surrogates), then one more.
        case afterED
        /// After F0: 90...BF, then two more.
        case afterF0
        /// After F4: 80...8F, then two more.
        case afterF4
        case illFormed
    }

    private var state = State.start

    /// Starts with an empty text.
    public init() {}

    /// Whether the text ends at a character's end and nothing so far was ill-formed.
    public var isComplete: Bool { state == .start }

    /// Takes the next bytes of the text; false when it has become ill-formed, for good.
    public mutating func append(_ bytes: Span<UInt8>) -> Bool {
        append(bytes, in: 0..<bytes.count)
    }

    /// Takes the bytes of `range` as the next ones; false when the text has become ill-formed.
    public mutating func append(_ bytes: Span<UInt8>, in range: Range<Int>) -> Bool {
        var offset = range.lowerBound
        let end = range.upperBound
        while offset < end {
            if state == .start {
                offset = ByteRuns.endOfASCII(bytes, in: offset..<end)
                while offset < end, bytes[offset] >= 0x80 {
                    let sequence = UTF8Sequence(bytes, at: offset, end: end)
                    guard sequence.isWellFormed else { break }
                    offset += sequence.length
                }
                guard offset < end else { break }
            }
            state = Self.next(after: state, bytes[offset])
            guard state != .illFormed else { return false }
            offset += 1
        }
        return state != .illFormed
    }

    private static func next(after state: State, _ byte: UInt8) -> State {
        switch state {
        case .start: first(byte)
        case .one: byte & 0xC0 == 0x80 ? .start : .illFormed
        case .two: byte & 0xC0 == 0x80 ? .one : .illFormed
        case .three: byte & 0xC0 == 0x80 ? .two : .illFormed
        case .afterE0: byte & 0xE0 == 0xA0 ? .one : .illFormed
        case .afterED: byte & 0xE0 == 0x80 ? .one : .illFormed
        case .afterF0: byte >= 0x90 && byte <= 0xBF ? .two : .illFormed
        case .afterF4: byte & 0xF0 == 0x80 ? .two : .illFormed
        case .illFormed: .illFormed
        }
    }

    private static func first(_ byte: UInt8) -> State {
        switch byte {
        case 0x00...0x7F: .start
        case 0xC2...0xDF: .one
        case 0xE0: .afterE0
        case 0xED: .afterED
        case 0xE1...0xEF: .two
        case 0xF0: .afterF0
        case 0xF1...0xF3: .three
        case 0xF4: .afterF4
        default: .illFormed
        }
    }
}

/// The UTF-8 sequence at one place of a text: a character, or a maximal subpart of an ill-formed
/// sequence, which is replaced as one (Unicode, section 3.9, "U+FFFD substitution").
struct UTF8Sequence: Equatable {
    /// The sequence's length in bytes, 1 to 4.
    var length: Int
    /// Whether it is a whole character.
    var isWellFormed: Bool

    /// Reads the sequence that begins at `offset`, before `end`.
    init(_ bytes: Span<UInt8>, at offset: Int, end: Int) {
        let lead = bytes[offset]
        isWellFormed = true
        length = 1
        if lead < 0x80 { return }
        // Most are of two or three bytes with nothing special about the second one.
        if end - offset >= 3, bytes[offset + 1] & 0xC0 == 0x80 {
            if lead >= 0xC2, lead <= 0xDF {
                length = 2
                return
            }
            let isPlain = lead >= 0xE1 && lead <= 0xEF && lead != 0xED
            if isPlain, bytes[offset + 2] & 0xC0 == 0x80 {
                length = 3
                return
            }
        }
        let expected: Int
        var low: UInt8 = 0x80
        var high: UInt8 = 0xBF
        switch lead {
        case 0xC2...0xDF: expected = 2
        case 0xE0...0xEF:
            expected = 3
            if lead == 0xE0 { low = 0xA0 }
            if lead == 0xED { high = 0x9F }
        case 0xF0...0xF4:
            expected = 4
            if lead == 0xF0 { low = 0x90 }
            if lead == 0xF4 { high = 0x8F }
        default:
            isWellFormed = false
            return
        }
        while length < expected {
            guard length < end - offset else { break }
            let byte = bytes[offset + length]
            guard byte >= low, byte <= high else { break }
            low = 0x80
            high = 0xBF
            length += 1
        }
        isWellFormed = length == expected
    }
}
