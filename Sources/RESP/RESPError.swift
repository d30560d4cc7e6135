/// Why and where input is not well-formed RESP, or goes beyond a limit.
///
/// A stream cannot be put in step again after an error: a parser that has thrown throws the same
/// error from then on.
public struct RESPError: Error, Equatable, Sendable {
    /// What is wrong with the input.
    public enum Reason: UInt8, Sendable, CaseIterable {
        /// A value starts with a byte that is no type of RESP2 or RESP3.
        case unknownType
        /// A CR, an LF or another byte stands where CRLF is due, or CRLF is missing.
        case malformedLineEnd
        /// A length has a sign, a leading zero or a byte that is no digit, or does not fit 63 bits.
        case malformedLength
        /// An integer has no digits, a byte that is no digit, or does not fit 64 bits.
        case malformedInteger
        /// A double is neither of the form `[+-]1[.5][e[+-]2]` nor `inf`, `-inf` or `nan`, or is
        /// beyond the range of 64 bits.
        case malformedDouble
        /// A big number has no digits or a byte that is no digit.
        case malformedBigNumber
        /// A boolean is neither `#t` nor `#f`.
        case malformedBoolean
        /// A null has content.
        case malformedNull
        /// A verbatim string does not start with three bytes of format and a colon.
        case malformedVerbatimString
        /// A part of a streamed string does not start with `;`.
        case malformedChunk
        /// The end marker `.` stands where no streamed aggregate can end.
        case unexpectedEnd
        /// An attribute stands where no value follows.
        case danglingAttribute
        /// A push stands inside another value.
        case nestedPush
        /// A command is neither an array of bulk strings nor an inline command.
        case malformedCommand
        /// An inline command has a quotation mark that is not closed, or an escape.
        case malformedQuotation
        /// A bulk string is longer than ``RESPLimits/bulkSize``.
        case bulkTooLarge
        /// An aggregate has more elements than ``RESPLimits/aggregateElements``.
        case aggregateTooLarge
        /// Values are nested more deeply than ``RESPLimits/depth``.
        case tooDeep
        /// A line is longer than ``RESPLimits/lineLength``.
        case lineTooLong
        /// A value takes more bytes than ``RESPLimits/valueSize``.
        case valueTooLarge
        /// A channel name is longer than ``RESPLimits/channelSize``.
        case channelTooLarge
    }

    /// What is wrong with the input.
    public let reason: Reason

    /// The offset of the offending byte, or of the start of the offending number, counted from the
    /// first byte that the parser was ever given.
    public let offset: UInt64

    /// Creates an error.
    public init(_ reason: Reason, at offset: UInt64) {
        self.reason = reason
        self.offset = offset
    }
}

extension RESPError: CustomStringConvertible {
    /// The error in words, such as `error at byte 3: malformed length`.
    public var description: String { "error at byte \(offset): \(reason)" }
}

extension RESPError.Reason: CustomStringConvertible {
    /// The reason in words.
    public var description: String {
        switch self {
        case .unknownType: "unknown type"
        case .malformedLineEnd: "malformed line end"
        case .malformedLength: "malformed length"
        case .malformedInteger: "malformed integer"
        case .malformedDouble: "malformed double"
        case .malformedBigNumber: "malformed big number"
        case .malformedBoolean: "malformed boolean"
        case .malformedNull: "malformed null"
        case .malformedVerbatimString: "malformed verbatim string"
        case .malformedChunk: "malformed part of a streamed string"
        case .unexpectedEnd: "end of a streamed aggregate where none can end"
        case .danglingAttribute: "attribute without a value"
        case .nestedPush: "push inside another value"
        case .malformedCommand: "malformed command"
        case .malformedQuotation: "malformed quotation"
        case .bulkTooLarge: "bulk string over the limit"
        case .aggregateTooLarge: "aggregate over the limit"
        case .tooDeep: "nesting over the limit"
        case .lineTooLong: "line over the limit"
        case .valueTooLarge: "value over the limit"
        case .channelTooLarge: "channel name over the limit"
        }
    }
}
