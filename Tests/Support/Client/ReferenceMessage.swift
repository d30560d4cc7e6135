package import Relay

/// Reads browser messages as plainly as can be: recursive, copying, one function a rule of RFC 8259.
/// It is what ``ClientMessage`` is compared with.
package struct ReferenceMessage {
    private struct Malformed: Error {}

    /// What a string says: each unit is an ASCII code, or a number above those for all else.
    private typealias Text = [Int]

    private enum Value {
        case text(Text)
        case object([(name: Text, value: Value)])
        case other
    }

    private let bytes: [UInt8]
    private var position = 0

    /// The verdict on a message.
    package static func verdict(on bytes: [UInt8]) -> ClientMessage {
        var reader = ReferenceMessage(bytes: bytes)
        do {
            let value = try reader.value(depth: 0)
            guard reader.peek == nil else { return .malformed }
            guard case .object(let members) = value,
                let type = members.last(where: { lowercased($0.name) == Text("type") }),
                case .text(let text) = type.value
            else { return .unknown }
            switch lowercased(text) {
            case Text("init"): return .initialize
            case Text("pong"): return .pong
            default: return .unknown
            }
        } catch {
            return .malformed
        }
    }

    private init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    private static func lowercased(_ text: Text) -> Text {
        text.map { (0x41...0x5A).contains($0) ? $0 + 0x20 : $0 }
    }

    private var peek: Character? {
        position < bytes.count ? Character(Unicode.Scalar(bytes[position])) : nil
    }

    private mutating func take() throws -> Character {
        guard let next = peek else { throw Malformed() }
        position += 1
        return next
    }

    private mutating func take(ifOneOf characters: String) -> Bool {
        guard let next = peek, characters.contains(next) else { return false }
        position += 1
        return true
    }

    private mutating func skipSpace() {
        while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
            position += 1
        }
    }

    /// A value with the white space on both sides.
    private mutating func value(depth: Int) throws -> Value {
        skipSpace()
        defer { skipSpace() }
        switch try take() {
        case "{":
            guard depth < ClientMessage.nestingLimit else { throw Malformed() }
            return .object(try members(depth: depth + 1))
        case "[":
            guard depth < ClientMessage.nestingLimit else { throw Malformed() }
            try elements(depth: depth + 1)
        case "\"": return .text(try text())
        case "t": try word("rue")
        case "f": try word("alse")
        case "n": try word("ull")
        case let first: try number(first)
        }
        return .other
    }

    private mutating func members(depth: Int) throws -> [(name: Text, value: Value)] {
        var members: [(Text, Value)] = []
        skipSpace()
        if take(ifOneOf: "}") { return [] }
        while true {
            skipSpace()
            guard try take() == "\"" else { throw Malformed() }
            let name = try text()
            skipSpace()
            guard try take() == ":" else { throw Malformed() }
            members.append((name, try value(depth: depth)))
            if take(ifOneOf: "}") { return members }
            guard try take() == "," else { throw Malformed() }
        }
    }

    private mutating func elements(depth: Int) throws {
        skipSpace()
        if take(ifOneOf: "]") { return }
        while true {
            _ = try value(depth: depth)
            if take(ifOneOf: "]") { return }
            guard try take() == "," else { throw Malformed() }
        }
    }

    private mutating func word(_ rest: String) throws {
        for character in rest {
            guard try take() == character else { throw Malformed() }
        }
    }

    private mutating func text() throws -> Text {
        var text: Text = []
        while true {
            guard position < bytes.count else { throw Malformed() }
            let byte = bytes[position]
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case 0..<0x20: throw Malformed()
            case UInt8(ascii: "\\"): text.append(try escape())
            default: text.append(byte < 0x80 ? Int(byte) : 0x10_0000 + Int(byte))
            }
        }
    }

    private mutating func escape() throws -> Int {
        switch try take() {
        case "\"": return 0x22
        case "\\": return 0x5C
        case "/": return 0x2F
        case "b": return 0x08
        case "f": return 0x0C
        case "n": return 0x0A
        case "r": return 0x0D
        case "t": return 0x09
        case "u":
            var unit = 0
            for _ in 0..<4 {
                guard let digit = try take().hexDigitValue else { throw Malformed() }
                unit = unit * 16 + digit
            }
            return unit
        default: throw Malformed()
        }
    }

    private mutating func number(_ first: Character) throws {
        var first = first
        if first == "-" { first = try take() }
        switch first {
        case "0": break
        case "1"..."9": while take(ifOneOf: "0123456789") {}
        default: throw Malformed()
        }
        if take(ifOneOf: ".") { try digits() }
        if take(ifOneOf: "eE") {
            _ = take(ifOneOf: "+-")
            try digits()
        }
    }

    private mutating func digits() throws {
        guard take(ifOneOf: "0123456789") else { throw Malformed() }
        while take(ifOneOf: "0123456789") {}
    }
}

extension [Int] {
    /// The units of an ASCII text.
    fileprivate init(_ text: String) {
        self = text.utf8.map { Int($0) }
    }
}
