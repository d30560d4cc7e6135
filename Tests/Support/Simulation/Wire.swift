/// What a browser reads of the wire, written once more and independently of the daemon's codec.
enum Wire {
    struct Frame {
        let opcode: UInt8
        let payload: Range<Int>
        let end: Int
    }

    /// The index behind the empty line that ends a head.
    static func endOfHead(_ bytes: [UInt8]) -> Int? {
        guard bytes.count >= 4 else { return nil }
        for index in 3..<bytes.count
        where bytes[index] == 10 && bytes[index - 1] == 13 && bytes[index - 2] == 10
            && bytes[index - 3] == 13
        {
            return index + 1
        }
        return nil
    }

    /// The status of a response's first line, 0 where there is none.
    static func status(_ head: ArraySlice<UInt8>) -> Int {
        let line = head.prefix(12)
        guard line.count == 12 else { return 0 }
        return Int(String(decoding: line.suffix(3), as: UTF8.self)) ?? 0
    }

    /// The frame at `offset`, once it is whole; a server masks none and cuts none in pieces.
    static func frame(_ bytes: [UInt8], from offset: Int) -> Frame? {
        guard bytes.count >= offset + 2 else { return nil }
        var start = offset + 2
        var length = Int(bytes[offset + 1])
        if length == 126 {
            guard bytes.count >= offset + 4 else { return nil }
            length = Int(bytes[offset + 2]) << 8 | Int(bytes[offset + 3])
            start = offset + 4
        } else if length == 127 {
            guard bytes.count >= offset + 10 else { return nil }
            length = (offset + 2..<offset + 10).reduce(0) { $0 << 8 | Int(bytes[$1]) }
            start = offset + 10
        }
        guard length >= 0, bytes.count - start >= length else { return nil }
        let isPlain = bytes[offset] & 0xF0 == 0x80
        let opcode = isPlain ? bytes[offset] & 15 : 15
        return Frame(opcode: opcode, payload: start..<start + length, end: start + length)
    }

    /// The text behind `key` in a JSON text; nil where there is none.
    static func text(_ key: String, in text: ArraySlice<UInt8>) -> String? {
        let pattern = Array("\"\(key)\":\"".utf8)
        guard text.count >= pattern.count else { return nil }
        for start in text.startIndex...text.endIndex - pattern.count
        where text[start..<start + pattern.count].elementsEqual(pattern) {
            let value = text[(start + pattern.count)...].prefix { $0 != 0x22 }
            return String(decoding: value, as: UTF8.self)
        }
        return nil
    }

    /// The number behind `key` in a JSON text; nil where there is none.
    static func number(_ key: String, in text: ArraySlice<UInt8>) -> Int64? {
        let pattern = Array("\"\(key)\":".utf8)
        guard text.count >= pattern.count else { return nil }
        for start in text.startIndex...text.endIndex - pattern.count
        where text[start..<start + pattern.count].elementsEqual(pattern) {
            let digits = text[(start + pattern.count)...].prefix { (48...57).contains($0) }
            return Int64(String(decoding: digits, as: UTF8.self))
        }
        return nil
    }
}
