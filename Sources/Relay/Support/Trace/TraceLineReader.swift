/// What one line of a trace says; see `TraceForm` for how it is written.
enum TraceRecord: Equatable {
    /// The bytes of a value.
    case wire([UInt8])
    /// A value, already in JSON.
    case json(Range<Int>)
    /// Bytes of a link that are no RESP.
    case raw
    /// So many bytes of a link are not in the trace.
    case skipped(UInt64)
    /// So many lines did not get into the trace.
    case dropped(UInt64)
}

/// Reads one line of a trace in hex or JSON form.
struct TraceLineReader {
    private let line: ArraySlice<UInt8>
    private var cursor: Int

    /// Reads a line without its newline; nil where it is no such line.
    static func read(_ line: ArraySlice<UInt8>, isJSON: Bool) -> TraceRecord? {
        var reader = TraceLineReader(line: line, cursor: line.startIndex)
        return isJSON ? reader.json() : reader.hex()
    }

    // `hex TIME link=3 in 3e33…`
    private mutating func hex() -> TraceRecord? {
        guard take(TraceForm.hexMark), takeTime(), take(" ") else { return nil }
        if take("dropped=") { return number().flatMap { isAtEnd ? .dropped($0) : nil } }
        guard take("link="), number() != nil else { return nil }
        guard take(" in ") || take(" out ") else { return nil }
        if take("skipped=") { return number().flatMap { isAtEnd ? .skipped($0) : nil } }
        if take("raw=") { return digits() == nil ? nil : .raw }
        if take("omitted="), number() == nil || !take(" ") { return nil }
        return digits().map { .wire($0) }
    }

    // `{"time":"…","link":3,"direction":"in","resp":{…}}`
    private mutating func json() -> TraceRecord? {
        guard take(#"{"time":""#), takeTime(), take(#"","#) else { return nil }
        if take(#""dropped":"#) { return number().flatMap { takeLastBrace() ? .dropped($0) : nil } }
        guard take(#""link":"#), number() != nil else { return nil }
        guard take(#","direction":"in","#) || take(#","direction":"out","#) else { return nil }
        if take(#""skipped":"#) { return number().flatMap { takeLastBrace() ? .skipped($0) : nil } }
        if take(#""raw":""#) { return .raw }
        if take(#""omitted":"#), number() == nil || !take(",") { return nil }
        guard take(#""resp":"#), line.last == UInt8(ascii: "}") else { return nil }
        let value = cursor..<(line.endIndex - 1)
        return Self.isObject(line[value]) ? .json(value) : nil
    }

    private var isAtEnd: Bool { cursor == line.endIndex }

    private mutating func take(_ text: String) -> Bool {
        guard line[cursor...].starts(with: text.utf8) else { return false }
        cursor += text.utf8.count
        return true
    }

    private mutating func takeLastBrace() -> Bool { take("}") && isAtEnd }

    private mutating func takeTime() -> Bool {
        guard TraceForm.startsWithTime(line[cursor...]) else { return false }
        cursor += TraceForm.timeLength
        return true
    }

    private mutating func number() -> UInt64? {
        var value: UInt64 = 0
        let start = cursor
        while cursor < line.endIndex, case let digit = line[cursor] &- UInt8(ascii: "0"), digit < 10
        {
            let (shifted, overflows) = value.multipliedReportingOverflow(by: 10)
            let (sum, overflowsToo) = shifted.addingReportingOverflow(UInt64(digit))
            if overflows || overflowsToo { return nil }
            value = sum
            cursor += 1
        }
        return cursor == start ? nil : value
    }

    /// The rest of the line as bytes.
    private func digits() -> [UInt8]? {
        let text = line[cursor...]
        guard !text.isEmpty, text.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(text.count / 2)
        var high: UInt8?
        for character in text {
            guard let digit = Self.digit(character) else { return nil }
            if let former = high.take() {
                bytes.append(former << 4 | digit)
            } else {
                high = digit
            }
        }
        return bytes
    }

    private static func digit(_ character: UInt8) -> UInt8? {
        switch character {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// Whether the text is one object whose strings and brackets are closed.
    private static func isObject(_ text: ArraySlice<UInt8>) -> Bool {
        guard text.starts(with: #"{"type":""#.utf8) else { return false }
        var open: [UInt8] = []
        var isInString = false
        var isEscaped = false
        for (index, byte) in zip(text.indices, text) {
            if isInString {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isInString = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isInString = true
            case UInt8(ascii: "{"): open.append(UInt8(ascii: "}"))
            case UInt8(ascii: "["): open.append(UInt8(ascii: "]"))
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                guard open.popLast() == byte else { return false }
                if open.isEmpty { return index == text.endIndex - 1 }
            default: break
            }
        }
        return false
    }
}
