package import RESP

/// A parser of whole input, recursive and slow, written from the specification alone.
///
/// The incremental parser must agree with it in every value, in the bytes consumed, and in the
/// reason and the offset of every error.
package struct ReferenceParser {
    private enum Stop: Error {
        case incomplete
        case error(RESPError)
    }

    /// What a token stands for.
    private enum Item {
        case value(ReferenceValue)
        case attribute([ReferenceValue])
        case end
    }

    private let bytes: [UInt8]
    private let limits: RESPLimits
    private var cursor = 0
    private var valueStart = 0

    private init(_ bytes: [UInt8], _ limits: RESPLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// The values at the start of `bytes`, each with the offset behind it, and how the input ends.
    package static func parse(
        _ bytes: [UInt8], limits: RESPLimits
    ) -> (values: [(ReferenceValue, end: Int)], stop: StreamOutcome.Stop) {
        var parser = ReferenceParser(bytes, limits)
        var values: [(ReferenceValue, end: Int)] = []
        do throws(Stop) {
            while parser.cursor < bytes.count {
                parser.valueStart = parser.cursor
                values.append((try parser.value(depth: 0), end: parser.cursor))
            }
            return (values, .betweenValues)
        } catch {
            switch error {
            case .incomplete: return (values, .insideValue)
            case .error(let error): return (values, .error(error))
            }
        }
    }

    private func fail(_ reason: RESPError.Reason, _ offset: Int) -> Stop {
        .error(RESPError(reason, at: UInt64(offset)))
    }

    /// A value with the attributes before it.
    private mutating func value(depth: Int) throws(Stop) -> ReferenceValue {
        let start = cursor
        switch try item(depth: depth, room: true) {
        case .value(let value): return value
        case .attribute(let pairs): return .attributed(pairs, try value(depth: depth))
        case .end: throw fail(.unexpectedEnd, start)
        }
    }

    private mutating func item(depth: Int, room: Bool) throws(Stop) -> Item {
        guard cursor < bytes.count else { throw .incomplete }
        let start = cursor
        let type = Character(Unicode.Scalar(bytes[start]))
        guard "+-:_#,($!=*%~>|.".contains(type) else { throw fail(.unknownType, start) }
        if !room && !"|.".contains(type) { throw fail(.aggregateTooLarge, start) }
        let isLine = "+-:_#,(".contains(type)
        let content = try line(isLine ? limits.lineLength : 32)
        switch type {
        case "+": return .value(.simpleString(content))
        case "-": return .value(.simpleError(content))
        case ".": return .end
        case ":", "_", "#", ",", "(": return .value(try scalar(type, content, start))
        case "$", "!", "=": return .value(try text(type, content, start))
        default: return try aggregate(type, content, start, depth)
        }
    }

    /// The content of the line at the cursor, whose first byte is its type.
    private mutating func line(_ limit: Int) throws(Stop) -> [UInt8] {
        var end = cursor
        while end < bytes.count, bytes[end] != 13, bytes[end] != 10 { end += 1 }
        if end - cursor > limit { throw fail(.lineTooLong, cursor + limit) }
        if end < bytes.count, bytes[end] == 10 { throw fail(.malformedLineEnd, end) }
        if end + 1 >= bytes.count { throw .incomplete }
        if bytes[end + 1] != 10 { throw fail(.malformedLineEnd, end + 1) }
        try checkSize(end + 2)
        defer { cursor = end + 2 }
        return Array(bytes[(cursor + 1)..<end])
    }

    private func checkSize(_ end: Int) throws(Stop) {
        if end - valueStart > limits.valueSize { throw fail(.valueTooLarge, cursor) }
    }

    private func scalar(
        _ type: Character, _ content: [UInt8], _ start: Int
    ) throws(Stop) -> ReferenceValue {
        let text = String(decoding: content, as: UTF8.self)
        switch type {
        case ":":
            let digits = text.first == "+" || text.first == "-" ? text.dropFirst() : text[...]
            guard Self.isDigits(digits), let number = Int(text) else {
                throw fail(.malformedInteger, start + 1)
            }
            return .integer(number)
        case "_":
            if !text.isEmpty { throw fail(.malformedNull, start + 1) }
            return .null
        case "#":
            if text != "t" && text != "f" { throw fail(.malformedBoolean, start + 1) }
            return .boolean(text == "t")
        case ",":
            if ["nan", "-nan"].contains(text) { return .double(Double.nan.bitPattern) }
            if ["inf", "-inf"].contains(text) {
                return .double((text == "inf" ? Double.infinity : -Double.infinity).bitPattern)
            }
            guard Self.isDouble(text), let number = Double(text), number.isFinite else {
                throw fail(.malformedDouble, start + 1)
            }
            return .double(number.bitPattern)
        default:
            let digits = text.first == "+" || text.first == "-" ? text.dropFirst() : text[...]
            if !Self.isDigits(digits) { throw fail(.malformedBigNumber, start + 1) }
            return .bigNumber(content)
        }
    }

    private static func isDigits(_ text: Substring) -> Bool {
        !text.isEmpty && text.unicodeScalars.allSatisfy { ("0"..."9").contains($0) }
    }

    private static func isDouble(_ text: String) -> Bool {
        var mantissa = text[...]
        if let first = mantissa.first, "+-".contains(first) { mantissa.removeFirst() }
        if let mark = mantissa.firstIndex(where: { $0 == "e" || $0 == "E" }) {
            var exponent = mantissa[mantissa.index(after: mark)...]
            if let first = exponent.first, "+-".contains(first) { exponent.removeFirst() }
            if !isDigits(exponent) { return false }
            mantissa = mantissa[..<mark]
        }
        let parts = mantissa.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count <= 2 && parts.allSatisfy { isDigits($0) }
    }

    private func number(
        _ content: [UInt8], _ start: Int, limit: Int, _ reason: RESPError.Reason
    ) throws(Stop) -> Int {
        let text = String(decoding: content, as: UTF8.self)
        guard Self.isDigits(text[...]), text == "0" || !text.hasPrefix("0"),
            let number = Int(text)
        else { throw fail(.malformedLength, start + 1) }
        if number > limit { throw fail(reason, start + 1) }
        return number
    }

    private mutating func text(
        _ type: Character, _ header: [UInt8], _ start: Int
    ) throws(Stop) -> ReferenceValue {
        if type == "$" && header == Array("-1".utf8) { return .null }
        if type == "$" && header == Array("?".utf8) { return .bulkString(try parts()) }
        let length = try number(header, start, limit: limits.bulkSize, .bulkTooLarge)
        if length > Int.max - cursor - 2 { throw fail(.bulkTooLarge, start + 1) }
        try checkSize(cursor + length + 2)
        if type == "=" && length < 4 { throw fail(.malformedVerbatimString, start + 1) }
        let content = try content(length)
        switch type {
        case "$": return .bulkString(content)
        case "!": return .bulkError(content)
        default:
            if content[3] != UInt8(ascii: ":") {
                throw fail(.malformedVerbatimString, cursor - 2 - length + 3)
            }
            return .verbatimString(
                format: String(decoding: content[..<3], as: UTF8.self), Array(content[4...]))
        }
    }

    private mutating func content(_ length: Int) throws(Stop) -> [UInt8] {
        if bytes.count - cursor <= length { throw .incomplete }
        let content = Array(bytes[cursor..<(cursor + length)])
        cursor += length
        for expected: UInt8 in [13, 10] {
            if cursor == bytes.count { throw .incomplete }
            if bytes[cursor] != expected { throw fail(.malformedLineEnd, cursor) }
            cursor += 1
        }
        return content
    }

    private mutating func parts() throws(Stop) -> [UInt8] {
        var all: [UInt8] = []
        while true {
            guard cursor < bytes.count else { throw .incomplete }
            let start = cursor
            if bytes[start] != UInt8(ascii: ";") { throw fail(.malformedChunk, start) }
            let header = try line(32)
            let length = try number(
                header, start, limit: limits.bulkSize - all.count, .bulkTooLarge)
            if length > Int.max - cursor - 2 { throw fail(.bulkTooLarge, start + 1) }
            if length == 0 { return all }
            try checkSize(cursor + length + 2)
            all += try content(length)
        }
    }

    private mutating func aggregate(
        _ type: Character, _ header: [UInt8], _ start: Int, _ depth: Int
    ) throws(Stop) -> Item {
        if type == "*" && header == Array("-1".utf8) { return .value(.null) }
        if type == ">" && depth > 0 { throw fail(.nestedPush, start) }
        if depth >= limits.depth { throw fail(.tooDeep, start) }
        let isPaired = type == "%" || type == "|"
        var values: [ReferenceValue] = []
        if "*%~".contains(type) && header == Array("?".utf8) {
            values = try streamed(isPaired: isPaired, depth: depth + 1)
        } else {
            let count = try number(
                header, start, limit: limits.aggregateElements, .aggregateTooLarge)
            if isPaired && count > Int.max / 2 { throw fail(.aggregateTooLarge, start + 1) }
            var due = isPaired ? 2 * count : count
            while due > 0 {
                values.append(try value(depth: depth + 1))
                due -= 1
            }
        }
        switch type {
        case "*": return .value(.array(values))
        case "%": return .value(.map(values))
        case "~": return .value(.set(values))
        case ">": return .value(.push(values))
        default: return .attribute(values)
        }
    }

    /// The elements of a streamed aggregate, up to its end marker.
    private mutating func streamed(isPaired: Bool, depth: Int) throws(Stop) -> [ReferenceValue] {
        var values: [ReferenceValue] = []
        var pending: [[ReferenceValue]] = []
        while true {
            let start = cursor
            let elements = isPaired ? values.count / 2 : values.count
            switch try item(depth: depth, room: elements < limits.aggregateElements) {
            case .attribute(let pairs): pending.append(pairs)
            case .value(let value):
                values.append(pending.reversed().reduce(value) { .attributed($1, $0) })
                pending = []
            case .end:
                if !pending.isEmpty { throw fail(.danglingAttribute, start) }
                if isPaired && !values.count.isMultiple(of: 2) {
                    throw fail(.unexpectedEnd, start)
                }
                if cursor - start > 3 { throw fail(.malformedLineEnd, start + 1) }
                return values
            }
        }
    }
}
