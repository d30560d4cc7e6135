/// What the first byte of a line of RESP announces.
enum Token {
    /// A value that is this line.
    case line(RESPKind)
    /// A string whose length is on this line and whose content is behind it.
    case text(RESPKind)
    /// An aggregate whose size is on this line.
    case aggregate(RESPKind)
    /// The end of a streamed aggregate.
    case end

    /// The token that a byte stands for; nil for a byte that starts no value.
    init?(_ byte: UInt8) {
        switch byte {
        case UInt8(ascii: "+"): self = .line(.simpleString)
        case UInt8(ascii: "-"): self = .line(.simpleError)
        case UInt8(ascii: ":"): self = .line(.integer)
        case UInt8(ascii: "_"): self = .line(.null)
        case UInt8(ascii: "#"): self = .line(.boolean)
        case UInt8(ascii: ","): self = .line(.double)
        case UInt8(ascii: "("): self = .line(.bigNumber)
        case UInt8(ascii: "$"): self = .text(.bulkString)
        case UInt8(ascii: "!"): self = .text(.bulkError)
        case UInt8(ascii: "="): self = .text(.verbatimString)
        case UInt8(ascii: "*"): self = .aggregate(.array)
        case UInt8(ascii: "%"): self = .aggregate(.map)
        case UInt8(ascii: "~"): self = .aggregate(.set)
        case UInt8(ascii: ">"): self = .aggregate(.push)
        case UInt8(ascii: "|"): self = .aggregate(.attribute)
        case UInt8(ascii: "."): self = .end
        default: return nil
        }
    }

    /// Whether the line holds content rather than a length.
    var isLine: Bool {
        switch self {
        case .line: true
        default: false
        }
    }

    /// Whether the token starts an element of the aggregate that it stands in.
    var isElement: Bool {
        switch self {
        case .end, .aggregate(.attribute): false
        default: true
        }
    }
}
