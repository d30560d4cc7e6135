/// What a text message from a browser asks for.
package enum ClientMessage: Equatable, Sendable {
    /// `{"type":"init"}`: the page is there and wants a `ping` at once.
    case initialize
    /// `{"type":"pong"}`: the answer to a heartbeat.
    case pong
    /// JSON of another kind: ignored, so that newer pages may say more.
    case unknown
    /// Not JSON, or nested deeper than ``nestingLimit``: ignored and counted.
    case malformed

    /// Deepest nesting of arrays and objects that is looked into.
    package static let nestingLimit = 64

    /// Reads a message without allocating; `text` is well-formed UTF-8 already (RFC 6455, 8.1).
    ///
    /// The whole text must be one JSON value (RFC 8259). As in the Go service the name `type` is
    /// matched in any letter case and the last one counts.
    package init(_ text: Span<UInt8>) {
        var scanner = JSONScanner(nestingLimit: Self.nestingLimit)
        guard scanner.scan(text) else {
            self = .malformed
            return
        }
        guard let value = scanner.typeValue else {
            self = .unknown
            return
        }
        if JSONScanner.equals(text, value, "init") {
            self = .initialize
        } else if JSONScanner.equals(text, value, "pong") {
            self = .pong
        } else {
            self = .unknown
        }
    }
}

/// Checks that a text is one JSON value and finds the member `type` of the outermost object.
private struct JSONScanner {
    /// Where the value of `type` stands, without its quotes; nil where there is none or where it is
    /// not a string.
    private(set) var typeValue: Range<Int>?

    private let nestingLimit: Int
    /// One bit a level, the innermost lowest: 1 for an object, 0 for an array.
    private var objects: UInt64 = 0
    private var depth = 0
    private var position = 0

    init(nestingLimit: Int) {
        self.nestingLimit = min(nestingLimit, UInt64.bitWidth)
    }

    private enum Expectation {
        case value, valueOrEnd, name, nameOrEnd, commaOrEnd, end
    }

    mutating func scan(_ text: Span<UInt8>) -> Bool {
        var expected = Expectation.value
        var isType = false
        while true {
            skipWhitespace(text)
            guard position < text.count else { return expected == .end }
            let byte = text[position]
            switch expected {
            case .end:
                return false
            case .value, .valueOrEnd:
                if byte == UInt8(ascii: "]"), expected == .valueOrEnd {
                    expected = leave()
                    continue
                }
                guard let next = value(text, isType: isType) else { return false }
                isType = false
                expected = next
            case .name, .nameOrEnd:
                if byte == UInt8(ascii: "}"), expected == .nameOrEnd {
                    expected = leave()
                    continue
                }
                guard let name = string(text), colon(text) else { return false }
                isType = depth == 1 && Self.equals(text, name, "type")
                if isType { typeValue = nil }
                expected = .value
            case .commaOrEnd:
                let isObject = objects & 1 == 1
                if byte == UInt8(ascii: ",") {
                    position += 1
                    expected = isObject ? .name : .value
                } else if byte == (isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) {
                    expected = leave()
                } else {
                    return false
                }
            }
        }
    }

    /// Reads a scalar, or the opening of an array or object; nil where there is neither.
    private mutating func value(_ text: Span<UInt8>, isType: Bool) -> Expectation? {
        switch text[position] {
        case UInt8(ascii: "{"): return enter(isObject: true) ? .nameOrEnd : nil
        case UInt8(ascii: "["): return enter(isObject: false) ? .valueOrEnd : nil
        case UInt8(ascii: "\""):
            guard let range = string(text) else { return nil }
            if isType { typeValue = range }
        case UInt8(ascii: "t"): guard literal(text, "true") else { return nil }
        case UInt8(ascii: "f"): guard literal(text, "false") else { return nil }
        case UInt8(ascii: "n"): guard literal(text, "null") else { return nil }
        default: guard number(text) else { return nil }
        }
        return depth == 0 ? .end : .commaOrEnd
    }

    private mutating func enter(isObject: Bool) -> Bool {
        guard depth < nestingLimit else { return false }
        depth += 1
        objects = objects << 1 | (isObject ? 1 : 0)
        position += 1
        return true
    }

    private mutating func leave() -> Expectation {
        depth -= 1
        objects >>= 1
        position += 1
        return depth == 0 ? .end : .commaOrEnd
    }

    private mutating func skipWhitespace(_ text: Span<UInt8>) {
        while position < text.count {
            switch text[position] {
            case 0x20, 0x09, 0x0A, 0x0D: position += 1
            default: return
            }
        }
    }

    private mutating func colon(_ text: Span<UInt8>) -> Bool {
        skipWhitespace(text)
        guard position < text.count, text[position] == UInt8(ascii: ":") else { return false }
        position += 1
        return true
    }

    private mutating func literal(_ text: Span<UInt8>, _ word: String) -> Bool {
        guard text.count - position >= word.utf8.count else { return false }
        for byte in word.utf8 {
            guard text[position] == byte else { return false }
            position += 1
        }
        return true
    }

    /// Reads a string (RFC 8259, section 7) and returns what stands between its quotes.
    private mutating func string(_ text: Span<UInt8>) -> Range<Int>? {
        guard text[position] == UInt8(ascii: "\"") else { return nil }
        let start = position + 1
        position = start
        while position < text.count {
            let byte = text[position]
            position += 1
            if byte == UInt8(ascii: "\"") { return start..<position - 1 }
            if byte < 0x20 { return nil }
            guard byte == UInt8(ascii: "\\") else { continue }
            guard position < text.count else { return nil }
            let escaped = text[position]
            position += 1
            if escaped == UInt8(ascii: "u") {
                guard text.count - position >= 4, Self.hexadecimal(text, position) != nil else {
                    return nil
                }
                position += 4
            } else if Self.unescaped(escaped) == nil {
                return nil
            }
        }
        return nil
    }

    /// Reads a number (RFC 8259, section 6).
    private mutating func number(_ text: Span<UInt8>) -> Bool {
        if text[position] == UInt8(ascii: "-") { position += 1 }
        let whole = digits(text)
        guard whole.count > 0, whole.count == 1 || text[whole.lowerBound] != UInt8(ascii: "0")
        else { return false }
        if position < text.count, text[position] == UInt8(ascii: ".") {
            position += 1
            guard digits(text).count > 0 else { return false }
        }
        if position < text.count, text[position] | 0x20 == UInt8(ascii: "e") {
            position += 1
            if position < text.count,
                text[position] == UInt8(ascii: "+") || text[position] == UInt8(ascii: "-")
            {
                position += 1
            }
            guard digits(text).count > 0 else { return false }
        }
        return true
    }

    private mutating func digits(_ text: Span<UInt8>) -> Range<Int> {
        let start = position
        while position < text.count, text[position] &- UInt8(ascii: "0") < 10 { position += 1 }
        return start..<position
    }

    /// Whether the string in `range` is `word` (ASCII, lower case) in any letter case, its escapes
    /// read as what they stand for.
    static func equals(_ text: Span<UInt8>, _ range: Range<Int>, _ word: String) -> Bool {
        var position = range.lowerBound
        for expected in word.utf8 {
            guard position < range.upperBound else { return false }
            var byte = text[position]
            position += 1
            if byte == UInt8(ascii: "\\") {
                let escaped = text[position]
                position += 1
                if escaped == UInt8(ascii: "u") {
                    guard let unit = hexadecimal(text, position), unit < 0x80 else { return false }
                    byte = UInt8(unit)
                    position += 4
                } else if let plain = unescaped(escaped) {
                    byte = plain
                }
            }
            if byte &- UInt8(ascii: "A") < 26 { byte |= 0x20 }
            guard byte == expected else { return false }
        }
        return position == range.upperBound
    }

    private static func unescaped(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): byte
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: nil
        }
    }

    /// The value of the four hexadecimal digits at `start`, which must lie inside the text.
    private static func hexadecimal(_ text: Span<UInt8>, _ start: Int) -> UInt16? {
        var value: UInt16 = 0
        for offset in 0..<4 {
            let digit: UInt8
            switch text[start + offset] {
            case let byte where byte &- UInt8(ascii: "0") < 10: digit = byte - UInt8(ascii: "0")
            case let byte where (byte | 0x20) &- UInt8(ascii: "a") < 6:
                digit = (byte | 0x20) - UInt8(ascii: "a") + 10
            default: return nil
            }
            value = value << 4 | UInt16(digit)
        }
        return value
    }
}
