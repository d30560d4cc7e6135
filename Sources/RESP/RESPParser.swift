/// What ``RESPParser`` made of the bytes that it was given.
public struct RESPStep: Sendable, Equatable {
    /// The index up to which the bytes are consumed.
    public let end: Int
    /// A value, or nil when more bytes are needed.
    public let value: RESPValue?
}

/// An incremental parser of every type of RESP2 and RESP3.
///
/// It does no input of its own. The caller holds the bytes that are not yet consumed and hands them
/// in again, with more behind them, when the last step gave no value. The content of long strings is
/// consumed as it comes, so that the caller holds no more than one unfinished line.
///
/// The parser keeps an explicit stack; memory and time grow with the bytes received, whatever
/// lengths they announce.
public struct RESPParser: Sendable {
    /// The token that is due.
    private enum Stage: Sendable {
        case value
        case text(remaining: Int)
        case textEnd
        case chunk
    }

    /// The longest header of a string or an aggregate: a type, the digits of a length and some
    /// more, so that the error says what is wrong with it.
    private static let headerLength = 32

    /// The bounds on the input.
    public let limits: RESPLimits

    /// Whether an attribute before a top-level value is a value of its own instead of belonging to
    /// that value.
    public let separatesAttributes: Bool

    /// The number of bytes consumed since the parser was made.
    public internal(set) var streamOffset: UInt64 = 0

    private var builder = RESPBuilder()
    private var stage = Stage.value
    private var isStreamedText = false
    /// The number of bytes of the current line that have been searched for its end.
    private var scanned = 0
    private var valueStart: UInt64 = 0
    private var failure: RESPError?

    /// Creates a parser for a new stream.
    public init(limits: RESPLimits = RESPLimits(), separatesAttributes: Bool = false) {
        self.limits = limits
        self.separatesAttributes = separatesAttributes
    }

    /// Whether the parser stands between two values.
    ///
    /// Bytes that were handed in but not consumed are the caller's to look at.
    public var isBetweenValues: Bool { builder.isEmpty && scanned == 0 }

    /// Gives back the memory that the last value took, which is otherwise kept for the next one: for a
    /// connection that will be quiet, or whose first value was larger than what follows.
    ///
    /// In the midst of a value nothing happens.
    public mutating func releaseStorage() {
        if isBetweenValues { builder.releaseStorage() }
    }

    /// Parses up to the end of the next value.
    ///
    /// - Parameters:
    ///   - bytes: a buffer that holds every byte received and not yet consumed.
    ///   - offset: where the first of them is; `bytes.count` when there is none.
    /// - Returns: the value, or nil when more bytes are needed, and how much is consumed.
    /// - Throws: ``RESPError`` with the offset in the stream; the same again from then on.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: Int
    ) throws(RESPError) -> RESPStep {
        if let failure { throw failure }
        var input = Input(cursor: offset, origin: streamOffset &- UInt64(offset))
        do throws(RESPError) {
            let value = try advance(bytes, &input)
            streamOffset = input.position
            return RESPStep(end: input.cursor, value: value)
        } catch {
            failure = error
            throw error
        }
    }

    /// Where the parser stands in the buffer and in the stream.
    private struct Input {
        var cursor: Int
        let origin: UInt64

        var position: UInt64 { offset(of: cursor) }
        func offset(of index: Int) -> UInt64 { origin &+ UInt64(index) }
        func error(_ reason: RESPError.Reason, at index: Int) -> RESPError {
            RESPError(reason, at: offset(of: index))
        }
    }

    private mutating func advance(
        _ bytes: Span<UInt8>, _ input: inout Input
    ) throws(RESPError) -> RESPValue? {
        while true {
            let progress: RESPBuilder.Progress?
            switch stage {
            case .value: progress = try value(bytes, &input)
            case .text(let remaining): progress = text(bytes, &input, remaining)
            case .textEnd: progress = try textEnd(bytes, &input)
            case .chunk: progress = try chunk(bytes, &input)
            }
            switch progress {
            case .whole: return builder.take()
            case .attribute: if separatesAttributes { return builder.take() }
            case .open: break
            case nil: return nil
            }
        }
    }

    /// Reads the token that starts a value, or ends a streamed aggregate.
    private mutating func value(
        _ bytes: Span<UInt8>, _ input: inout Input
    ) throws(RESPError) -> RESPBuilder.Progress? {
        let start = input.cursor
        guard start < bytes.count else { return nil }
        if builder.isEmpty && scanned == 0 { valueStart = input.position }
        if scanned == 0, let progress = common(bytes, &input) { return progress }
        let type = bytes[start]
        guard let token = Token(type) else { throw input.error(.unknownType, at: start) }
        if token.isElement { try checkStreamedCount(input) }
        let limit = token.isLine ? limits.lineLength : Self.headerLength
        guard let end = try lineEnd(bytes, input, limit: limit) else { return nil }
        try checkSize(input, through: end + 2)
        input.cursor = end + 2
        let content = (start + 1)..<end
        switch token {
        case .line(let kind): return try line(kind, bytes, content, input)
        case .text(let kind): return try openText(kind, bytes, content, input)
        case .aggregate(let kind): return try open(kind, bytes, content, input)
        case .end: return try close(content, input)
        }
    }

    /// Reads a bulk string that is all there, the header of an array or an integer of at most nine
    /// digits, at a fraction of the cost.
    ///
    /// Whatever is malformed, over a limit or unfinished is nil and left to the general way.
    private mutating func common(
        _ bytes: Span<UInt8>, _ input: inout Input
    ) -> RESPBuilder.Progress? {
        let start = input.cursor
        let type = bytes[start]
        guard
            type == UInt8(ascii: "$") || type == UInt8(ascii: "*") || type == UInt8(ascii: ":"),
            builder.streamedValues == nil,
            let header = WireNumber.header(in: bytes, from: start + 1)
        else { return nil }
        let room = UInt64(limits.valueSize) &- (input.position &- valueStart)
        if type == UInt8(ascii: ":") {
            guard header.end - 2 - start <= limits.lineLength,
                UInt64(header.end - start) <= room
            else { return nil }
            input.cursor = header.end
            return builder.scalar(.integer, header.number)
        }
        if type == UInt8(ascii: "$") {
            let end = header.end + header.number
            guard header.number <= limits.bulkSize, end <= bytes.count - 2,
                UInt64(end + 2 - start) <= room, bytes[end] == UInt8(ascii: "\r"),
                bytes[end + 1] == UInt8(ascii: "\n")
            else { return nil }
            input.cursor = end + 2
            return builder.line(.bulkString, bytes, header.end..<end)
        }
        guard header.number <= limits.aggregateElements, builder.depth < limits.depth,
            UInt64(header.end - start) <= room
        else { return nil }
        input.cursor = header.end
        return builder.open(.array, elements: header.number, values: header.number)
    }

    /// Finds the CR that ends the line at the cursor; nil while CRLF is not there.
    private mutating func lineEnd(
        _ bytes: Span<UInt8>, _ input: Input, limit: Int
    ) throws(RESPError) -> Int? {
        let start = input.cursor
        let found = ByteAccess.lineBreak(in: bytes, from: start + scanned)
        let end = found ?? bytes.count
        if end - start > limit { throw input.error(.lineTooLong, at: start + limit) }
        guard found != nil else {
            scanned = end - start
            return nil
        }
        if bytes[end] != UInt8(ascii: "\r") { throw input.error(.malformedLineEnd, at: end) }
        guard end + 1 < bytes.count else {
            scanned = end - start
            return nil
        }
        if bytes[end + 1] != UInt8(ascii: "\n") {
            throw input.error(.malformedLineEnd, at: end + 1)
        }
        scanned = 0
        return end
    }

    /// Checks that a streamed aggregate has room for one more value.
    private func checkStreamedCount(_ input: Input) throws(RESPError) {
        guard let values = builder.streamedValues else { return }
        let elements = builder.openKind?.isPaired == true ? values / 2 : values
        if elements >= limits.aggregateElements {
            throw input.error(.aggregateTooLarge, at: input.cursor)
        }
    }

    private func checkSize(_ input: Input, through end: Int) throws(RESPError) {
        if input.offset(of: end) &- valueStart > UInt64(limits.valueSize) {
            throw input.error(.valueTooLarge, at: input.cursor)
        }
    }

    /// Reads a value that is one line.
    private mutating func line(
        _ kind: RESPKind, _ bytes: Span<UInt8>, _ content: Range<Int>, _ input: Input
    ) throws(RESPError) -> RESPBuilder.Progress {
        let start = content.lowerBound
        switch kind {
        case .integer:
            guard let number = WireNumber.integer(in: bytes, content) else {
                throw input.error(.malformedInteger, at: start)
            }
            return builder.scalar(.integer, number)
        case .double:
            guard let number = WireNumber.double(in: bytes, content) else {
                throw input.error(.malformedDouble, at: start)
            }
            return builder.scalar(.double, Int(Int64(bitPattern: number.bitPattern)))
        case .boolean:
            guard content.count == 1,
                bytes[start] == UInt8(ascii: "t") || bytes[start] == UInt8(ascii: "f")
            else {
                throw input.error(.malformedBoolean, at: start)
            }
            return builder.scalar(.boolean, bytes[start] == UInt8(ascii: "t") ? 1 : 0)
        case .null:
            guard content.isEmpty else { throw input.error(.malformedNull, at: start) }
            return builder.scalar(.null, 0)
        case .bigNumber:
            guard WireNumber.isBigNumber(in: bytes, content) else {
                throw input.error(.malformedBigNumber, at: start)
            }
            return builder.line(kind, bytes, content)
        default:
            return builder.line(kind, bytes, content)
        }
    }

    /// Reads the header of a string that has a length.
    private mutating func openText(
        _ kind: RESPKind, _ bytes: Span<UInt8>, _ content: Range<Int>, _ input: Input
    ) throws(RESPError) -> RESPBuilder.Progress {
        let start = content.lowerBound
        if kind == .bulkString {
            if content.count == 1, bytes[start] == UInt8(ascii: "?") {
                builder.openText(kind)
                isStreamedText = true
                stage = .chunk
                return .open
            }
            if isMinusOne(bytes, content) { return builder.scalar(.null, 0) }
        }
        let length = try length(bytes, content, input, limit: limits.bulkSize)
        if kind == .verbatimString && length < 4 {
            throw input.error(.malformedVerbatimString, at: start)
        }
        builder.openText(kind)
        stage = .text(remaining: length)
        return .open
    }

    /// Reads the length of a string and checks it against the limits.
    private func length(
        _ bytes: Span<UInt8>, _ content: Range<Int>, _ input: Input, limit: Int
    ) throws(RESPError) -> Int {
        guard let length = WireNumber.length(in: bytes, content) else {
            throw input.error(.malformedLength, at: content.lowerBound)
        }
        if length > limit { throw input.error(.bulkTooLarge, at: content.lowerBound) }
        // The limit keeps this sum in range where the length alone need not.
        let end = input.cursor.addingReportingOverflow(length)
        if end.overflow || end.partialValue > Int.max - 2 {
            throw input.error(.bulkTooLarge, at: content.lowerBound)
        }
        try checkSize(input, through: end.partialValue + 2)
        return length
    }

    private func isMinusOne(_ bytes: Span<UInt8>, _ content: Range<Int>) -> Bool {
        content.count == 2 && bytes[content.lowerBound] == UInt8(ascii: "-")
            && bytes[content.lowerBound + 1] == UInt8(ascii: "1")
    }

    /// Takes what there is of the content of a string.
    private mutating func text(
        _ bytes: Span<UInt8>, _ input: inout Input, _ remaining: Int
    ) -> RESPBuilder.Progress? {
        let available = min(remaining, bytes.count - input.cursor)
        builder.appendText(bytes, input.cursor..<(input.cursor + available))
        input.cursor += available
        stage = available == remaining ? .textEnd : .text(remaining: remaining - available)
        return available == remaining ? .open : nil
    }

    /// Checks the CRLF behind the content of a string.
    private mutating func textEnd(
        _ bytes: Span<UInt8>, _ input: inout Input
    ) throws(RESPError) -> RESPBuilder.Progress? {
        let available = bytes.count - input.cursor
        if available < 1 { return nil }
        if bytes[input.cursor] != UInt8(ascii: "\r") {
            throw input.error(.malformedLineEnd, at: input.cursor)
        }
        if available < 2 { return nil }
        if bytes[input.cursor + 1] != UInt8(ascii: "\n") {
            throw input.error(.malformedLineEnd, at: input.cursor + 1)
        }
        input.cursor += 2
        if isStreamedText {
            stage = .chunk
            return .open
        }
        stage = .value
        if let length = builder.lengthOfVerbatimStringWithoutFormat {
            let colon = input.position &- UInt64(length) &- 2 &+ 3
            throw RESPError(.malformedVerbatimString, at: colon)
        }
        return builder.closeText()
    }

    /// Reads the header of a part of a streamed string.
    private mutating func chunk(
        _ bytes: Span<UInt8>, _ input: inout Input
    ) throws(RESPError) -> RESPBuilder.Progress? {
        let start = input.cursor
        guard start < bytes.count else { return nil }
        if bytes[start] != UInt8(ascii: ";") { throw input.error(.malformedChunk, at: start) }
        guard let end = try lineEnd(bytes, input, limit: Self.headerLength) else { return nil }
        try checkSize(input, through: end + 2)
        input.cursor = end + 2
        let limit = limits.bulkSize - builder.textLength
        let length = try length(bytes, (start + 1)..<end, input, limit: limit)
        if length > 0 {
            stage = .text(remaining: length)
            return .open
        }
        isStreamedText = false
        stage = .value
        return builder.closeText()
    }

    /// Reads the header of an aggregate.
    private mutating func open(
        _ kind: RESPKind, _ bytes: Span<UInt8>, _ content: Range<Int>, _ input: Input
    ) throws(RESPError) -> RESPBuilder.Progress {
        let start = content.lowerBound
        if kind == .array && isMinusOne(bytes, content) {
            return builder.scalar(.null, 0)
        }
        if kind == .push && builder.depth > 0 { throw input.error(.nestedPush, at: start - 1) }
        if builder.depth >= limits.depth { throw input.error(.tooDeep, at: start - 1) }
        let isStreamable = kind == .array || kind == .map || kind == .set
        if isStreamable, content.count == 1, bytes[start] == UInt8(ascii: "?") {
            builder.openStreamed(kind)
            return .open
        }
        guard let elements = WireNumber.length(in: bytes, content) else {
            throw input.error(.malformedLength, at: start)
        }
        let values = elements.multipliedReportingOverflow(by: kind.isPaired ? 2 : 1)
        if elements > limits.aggregateElements || values.overflow {
            throw input.error(.aggregateTooLarge, at: start)
        }
        return builder.open(kind, elements: elements, values: values.partialValue)
    }

    /// Reads the end of a streamed aggregate.
    private mutating func close(
        _ content: Range<Int>, _ input: Input
    ) throws(RESPError) -> RESPBuilder.Progress {
        let start = content.lowerBound
        guard let values = builder.streamedValues else {
            throw input.error(.unexpectedEnd, at: start - 1)
        }
        if builder.awaitsValue { throw input.error(.danglingAttribute, at: start - 1) }
        let isOdd = builder.openKind?.isPaired == true && !values.isMultiple(of: 2)
        if isOdd { throw input.error(.unexpectedEnd, at: start - 1) }
        if !content.isEmpty { throw input.error(.malformedLineEnd, at: start) }
        return builder.closeStreamed()
    }
}
