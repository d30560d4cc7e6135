/// What ``CommandParser`` made of the bytes that it was given.
public struct CommandStep: Sendable, Equatable {
    /// What stands at the start of the bytes.
    public enum Event: Sendable, Equatable {
        /// More bytes are needed.
        case incomplete
        /// A command with at least one argument.
        case command
    }

    /// The index up to which the bytes are consumed.
    public let end: Int
    /// What they hold.
    public let event: Event

    /// Creates a step.
    public init(end: Int, event: Event) {
        self.end = end
        self.event = event
    }
}

/// An incremental parser of the commands that a client sends to a server.
///
/// It reads arrays of bulk strings and inline commands. Arguments come as ranges of the caller's
/// buffer. Empty arrays and empty lines are skipped.
///
/// An argument of an inline command may stand in quotation marks, single or double, with no escapes
/// between them.
public struct CommandParser: Sendable {
    /// More digits than any length has.
    private static let digitCount = 20

    /// The bounds on the input.
    public let limits: RESPLimits

    /// The number of bytes consumed since the parser was made.
    public private(set) var streamOffset: UInt64 = 0

    /// The arguments read so far, counted from the start of the command.
    private var ranges: [Range<Int>] = []
    /// How many arguments are due; nil at the start of a command.
    private var due: Int?
    /// The start of the next token, counted from the start of the command.
    private var position = 0
    /// The bytes from the start of the command that are known not to complete a token.
    private var needed = 0
    private var failure: RESPError?

    /// Creates a parser for a new connection.
    public init(limits: RESPLimits = RESPLimits()) {
        self.limits = limits
    }

    /// Parses up to the end of the next command.
    ///
    /// - Parameters:
    ///   - bytes: a buffer that holds every byte received and not yet consumed.
    ///   - offset: where the first of them is; `bytes.count` when there is none.
    ///   - arguments: set to the ranges in `bytes` of the arguments, the command's name first; left
    ///     empty when more bytes are needed.
    /// - Returns: whether there is a command, and how much is consumed.
    /// - Throws: ``RESPError`` with the offset in the stream; the same again from then on.
    public mutating func next(
        _ bytes: Span<UInt8>, from offset: Int, arguments: inout [Range<Int>]
    ) throws(RESPError) -> CommandStep {
        if let failure { throw failure }
        arguments.removeAll(keepingCapacity: true)
        do throws(RESPError) {
            var start = offset
            while true {
                guard try command(bytes, start) else {
                    return CommandStep(end: start, event: .incomplete)
                }
                let end = start + position
                for range in ranges {
                    arguments.append((range.lowerBound + start)..<(range.upperBound + start))
                }
                streamOffset &+= UInt64(position)
                ranges.removeAll(keepingCapacity: true)
                due = nil
                position = 0
                needed = 0
                start = end
                if !arguments.isEmpty { return CommandStep(end: end, event: .command) }
            }
        } catch {
            failure = error
            throw error
        }
    }

    private func error(_ reason: RESPError.Reason, at index: Int, _ start: Int) -> RESPError {
        RESPError(reason, at: streamOffset &+ UInt64(index - start))
    }

    /// Goes on with the command at `start`; true when it is whole.
    private mutating func command(_ bytes: Span<UInt8>, _ start: Int) throws(RESPError) -> Bool {
        guard bytes.count - start > max(needed, position) else { return false }
        if due == nil {
            guard bytes[start] == UInt8(ascii: "*") else { return try inline(bytes, start) }
            guard let header = try header(bytes, start) else { return false }
            if header.number > limits.aggregateElements {
                throw error(.aggregateTooLarge, at: start + 1, start)
            }
            due = header.number
            position = header.end - start
        }
        while let count = due, ranges.count < count {
            guard try argument(bytes, start) else { return false }
        }
        return true
    }

    /// Reads one bulk string; false while it is not whole.
    private mutating func argument(_ bytes: Span<UInt8>, _ start: Int) throws(RESPError) -> Bool {
        let index = start + position
        guard index < bytes.count else { return false }
        guard bytes[index] == UInt8(ascii: "$") else {
            throw error(.malformedCommand, at: index, start)
        }
        guard let header = try header(bytes, index) else { return false }
        if header.number > limits.bulkSize { throw error(.bulkTooLarge, at: index + 1, start) }
        let content = header.end - start
        if header.number > limits.valueSize - content - 2 {
            throw error(.valueTooLarge, at: index + 1, start)
        }
        let end = content + header.number
        guard bytes.count - start >= end + 2 else {
            needed = end + 1
            return false
        }
        if bytes[start + end] != UInt8(ascii: "\r") {
            throw error(.malformedLineEnd, at: start + end, start)
        }
        if bytes[start + end + 1] != UInt8(ascii: "\n") {
            throw error(.malformedLineEnd, at: start + end + 1, start)
        }
        ranges.append(content..<end)
        position = end + 2
        return true
    }

    /// Reads a length and its CRLF behind the type byte at `index`; nil while it is not whole.
    private func header(
        _ bytes: Span<UInt8>, _ index: Int
    ) throws(RESPError) -> (number: Int, end: Int)? {
        let start = index - position
        var end = index + 1
        while end < bytes.count, bytes[end] != UInt8(ascii: "\r") {
            if bytes[end] &- UInt8(ascii: "0") > 9 || end - index > Self.digitCount {
                throw error(.malformedLength, at: index + 1, start)
            }
            end += 1
        }
        guard end < bytes.count else { return nil }
        guard let number = WireNumber.length(in: bytes, (index + 1)..<end) else {
            throw error(.malformedLength, at: index + 1, start)
        }
        guard end + 1 < bytes.count else { return nil }
        if bytes[end + 1] != UInt8(ascii: "\n") {
            throw error(.malformedLineEnd, at: end + 1, start)
        }
        return (number, end + 2)
    }

    /// Reads an inline command, which ends with LF or CRLF; false while it is not whole.
    private mutating func inline(_ bytes: Span<UInt8>, _ start: Int) throws(RESPError) -> Bool {
        var end = start + needed
        while end < bytes.count, bytes[end] != UInt8(ascii: "\n") {
            if end - start >= limits.lineLength { throw error(.lineTooLong, at: end, start) }
            end += 1
        }
        needed = end - start
        guard end < bytes.count else { return false }
        position = end + 1 - start
        if end > start, bytes[end - 1] == UInt8(ascii: "\r") { end -= 1 }

        var index = start
        while index < end {
            if Self.isBlank(bytes[index]) {
                index += 1
            } else {
                index = try word(bytes, index..<end, start)
            }
        }
        return true
    }

    /// Reads one argument of an inline command and returns the index behind it.
    private mutating func word(
        _ bytes: Span<UInt8>, _ range: Range<Int>, _ start: Int
    ) throws(RESPError) -> Int {
        let first = range.lowerBound
        var end = first
        guard bytes[first] == UInt8(ascii: "\"") || bytes[first] == UInt8(ascii: "'") else {
            while end < range.upperBound, !Self.isBlank(bytes[end]) { end += 1 }
            ranges.append((first - start)..<(end - start))
            return end
        }
        end += 1
        while end < range.upperBound, bytes[end] != bytes[first], bytes[end] != UInt8(ascii: "\\") {
            end += 1
        }
        let isClosed = end < range.upperBound && bytes[end] == bytes[first]
        let next = end + 1
        guard isClosed, next == range.upperBound || Self.isBlank(bytes[next]) else {
            throw error(.malformedQuotation, at: first, start)
        }
        ranges.append((first + 1 - start)..<(end - start))
        return next
    }

    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 }
}
