/// Tells whether bytes are one JSON text (RFC 8259), with an explicit stack.
package struct JSONChecker {
    private let bytes: [UInt8]
    private var index = 0

    package static func isWellFormed(_ bytes: [UInt8]) -> Bool {
        guard String(validating: bytes, as: UTF8.self) != nil else { return false }
        var checker = JSONChecker(bytes: bytes)
        return checker.text() && checker.index == bytes.count
    }

    private mutating func take(_ text: String) -> Bool {
        guard bytes[index...].starts(with: text.utf8) else { return false }
        index += text.utf8.count
        return true
    }

    private mutating func text() -> Bool {
        var open: [UInt8] = []
        while true {
            if take("{") {
                if !take("}") {
                    open.append(UInt8(ascii: "}"))
                    guard string(), take(":") else { return false }
                    continue
                }
            } else if take("[") {
                if !take("]") {
                    open.append(UInt8(ascii: "]"))
                    continue
                }
            } else if !scalar() {
                return false
            }
            // A value has ended, and perhaps what it stands in.
            while let end = open.last, index < bytes.count, bytes[index] == end {
                open.removeLast()
                index += 1
            }
            guard let end = open.last else { return true }
            guard take(",") else { return false }
            if end == UInt8(ascii: "}") {
                guard string(), take(":") else { return false }
            }
        }
    }

    private mutating func scalar() -> Bool {
        take("true") || take("false") || take("null") || string() || number()
    }

    private mutating func string() -> Bool {
        guard take("\"") else { return false }
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if byte == UInt8(ascii: "\"") { return true }
            if byte < 0x20 { return false }
            if byte == UInt8(ascii: "\\") {
                if take("u") {
                    guard index + 4 <= bytes.count else { return false }
                    index += 4
                } else if index < bytes.count, "\"\\/bfnrt".utf8.contains(bytes[index]) {
                    index += 1
                } else {
                    return false
                }
            }
        }
        return false
    }

    private mutating func digits() -> Bool {
        let first = index
        while index < bytes.count, bytes[index] &- 48 <= 9 { index += 1 }
        return index > first
    }

    private mutating func number() -> Bool {
        _ = take("-")
        if !take("0") && !digits() { return false }
        if take(".") && !digits() { return false }
        if take("e") || take("E") {
            if !take("+") { _ = take("-") }
            return digits()
        }
        return true
    }
}
