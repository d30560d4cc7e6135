/// A version of the protocol, which decides how the encoder writes a value.
public enum RESPVersion: UInt8, Sendable {
    /// RESP2: simple strings, errors, integers, bulk strings, arrays, and nulls of the latter two.
    case resp2 = 2
    /// RESP3, which adds nulls, booleans, doubles, big numbers, bulk errors, verbatim strings, maps,
    /// sets, pushes and attributes.
    case resp3 = 3
}

/// The type of a value, by the names of the RESP3 specification.
///
/// A streamed string or aggregate has the kind of the unstreamed one, and the null bulk string
/// `$-1` and the null array `*-1` of RESP2 are ``null``.
public enum RESPKind: UInt8, Sendable, CaseIterable {
    /// `+text`.
    case simpleString
    /// `-ERR text`.
    case simpleError
    /// `:42`, a signed integer of 64 bits.
    case integer
    /// `$5`, five bytes.
    case bulkString
    /// `_`, and `$-1` and `*-1`.
    case null
    /// `#t` or `#f`.
    case boolean
    /// `,1.5`.
    case double
    /// `(` and decimal digits.
    case bigNumber
    /// `!5`, five bytes.
    case bulkError
    /// `=9`, three bytes of format, a colon and five bytes.
    case verbatimString
    /// `*2`, two values.
    case array
    /// `%2`, two pairs.
    case map
    /// `~2`, two values.
    case set
    /// `>2`, two values out of band.
    case push
    /// `|2`, two pairs about the value behind them.
    case attribute

    /// Whether a value of this kind holds other values.
    public var isAggregate: Bool { rawValue >= RESPKind.array.rawValue }

    /// Whether an aggregate of this kind is a list of pairs.
    public var isPaired: Bool { self == .map || self == .attribute }

    /// Whether a value of this kind has ``RESPValue/bytes``.
    public var isText: Bool {
        switch self {
        case .simpleString, .simpleError, .bulkString, .bigNumber, .bulkError, .verbatimString: true
        default: false
        }
    }
}
