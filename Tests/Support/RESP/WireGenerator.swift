/// Makes random streams that are RESP, or nearly.
package struct WireGenerator {
    private var random: SeededGenerator
    private var wire: [UInt8] = []

    package init(seed: UInt64) {
        random = SeededGenerator(seed: seed)
    }

    /// A stream of a few well-formed values, of every type and form.
    package mutating func stream() -> [UInt8] {
        wire = []
        for _ in 0..<Int.random(in: 1...4, using: &random) { value(depth: 0) }
        return wire
    }

    /// A well-formed stream with a few bytes changed, taken out, put in or cut off.
    package mutating func damagedStream() -> [UInt8] {
        var bytes = stream()
        let alphabet = Array("\r\n+-:_#,($!=*%~>|.;?0123456789amx\u{0}".utf8) + [0xFF]
        for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
            let index = Int.random(in: bytes.indices, using: &random)
            let byte = alphabet.randomElement(using: &random) ?? 0
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[index] = byte
            case 1: bytes.insert(byte, at: index)
            case 2: bytes.remove(at: index)
            default: bytes.removeLast(min(3, bytes.count))
            }
        }
        return bytes
    }

    private mutating func line(_ text: String) {
        wire += Array(text.utf8)
        wire += [13, 10]
    }

    private mutating func content(_ maximum: Int = 12) -> [UInt8] {
        let count = Int.random(in: 0...maximum, using: &random)
        return (0..<count).map { _ in
            Bool.random(using: &random)
                ? UInt8.random(in: 97...122, using: &random)
                : UInt8.random(in: 0...255, using: &random)
        }
    }

    private mutating func pick(_ texts: String...) -> String {
        texts.randomElement(using: &random) ?? ""
    }

    private mutating func value(depth: Int) {
        if Int.random(in: 0..<12, using: &random) == 0 { aggregate("|", depth) }
        switch Int.random(in: 0..<(depth > 3 ? 10 : 16), using: &random) {
        case 0: line("+" + pick("OK", "", "hello world", "PONG"))
        case 1: line("-" + pick("ERR no", "WRONGPASS invalid", "", "MOVED 1 a:1"))
        case 2: line(":" + pick("0", "-1", "+7", "9223372036854775807", "-9223372036854775808"))
        case 3: bulk("$", content(40))
        case 4: line(pick("_", "$-1", "*-1"))
        case 5: line(pick("#t", "#f"))
        case 6: line("," + pick("1.5", "-0", "inf", "-inf", "nan", "1e300", "3.14E-5", "10"))
        case 7: line("(" + pick("1", "-349289032840923850932485094385094382502438"))
        case 8: Bool.random(using: &random) ? bulk("!", content()) : streamedString()
        case 9: bulk("=", Array(pick("txt:", "mkd:").utf8) + content())
        case 10: aggregate("*", depth)
        case 11: aggregate("%", depth)
        case 12: aggregate("~", depth)
        case 13: streamed(depth)
        default: message(depth)
        }
    }

    private mutating func bulk(_ type: String, _ content: [UInt8]) {
        line("\(type)\(content.count)")
        wire += content
        wire += [13, 10]
    }

    private mutating func streamedString() {
        line("$?")
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let part = content()
            if !part.isEmpty { bulk(";", part) }
        }
        line(";0")
    }

    private mutating func aggregate(_ type: String, _ depth: Int) {
        let count = Int.random(in: 0...3, using: &random)
        line("\(type)\(count)")
        for _ in 0..<(type == "%" || type == "|" ? 2 * count : count) { value(depth: depth + 1) }
    }

    private mutating func streamed(_ depth: Int) {
        let type = pick("*", "%", "~")
        line("\(type)?")
        let count = Int.random(in: 0...3, using: &random)
        for _ in 0..<(type == "%" ? 2 * count : count) { value(depth: depth + 1) }
        line(".")
    }

    /// What a subscribed connection receives.
    private mutating func message(_ depth: Int) {
        line(depth == 0 ? pick(">3", "*3") : "*3")
        let kind = pick(
            "message", "message", "subscribe", "unsubscribe", "pong", "smessage", "smessage",
            "ssubscribe", "sunsubscribe")
        bulk("$", Array(kind.utf8))
        bulk("$", content())
        if kind.hasSuffix("message") { bulk("$", content(60)) } else { line(":1") }
    }
}
