package import Fuzzing
import RESP

/// Values that are made by hand, and the encoder's own methods: the input is a script of what to make.
///
/// A value written whole is what its parts are when they are written one by one, it reads as itself,
/// and it tells what it was made of.
package enum BuiltValues {
    /// The most values of one script.
    private static let limit = 40

    private struct Maker {
        var script: ByteScript
        var made = 0
        var encoder: RESPEncoder
        /// The value before, and its bytes in RESP3.
        var before = RESPValue.null
        var bytesBefore = Array("_\r\n".utf8)
    }

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        var maker = Maker(script: ByteScript(bytes), encoder: RESPEncoder())
        maker.encoder.version = maker.script.byte() & 1 == 0 ? .resp3 : .resp2
        while !maker.script.isAtEnd, maker.made < limit {
            maker.encoder.removeAll()
            switch maker.script.byte() & 7 {
            case 0: try checkCommand(&maker)
            case 1: try checkLine(&maker)
            default: try checkValue(&maker)
            }
        }
    }

    private static func checkValue(_ maker: inout Maker) throws(PropertyFailure) {
        let value = try make(&maker, depth: 0)
        var whole = RESPEncoder(version: maker.encoder.version)
        whole.append(value)
        try PropertyFailure.unless(whole.bytes == maker.encoder.bytes, "in parts: \(value)")
        let read = WrittenValues.onlyValue(of: whole.bytes)
        try PropertyFailure.unless(
            whole.version == .resp3 ? read == value : read != nil,
            "read as \(read as Any): \(value)")
        try PropertyFailure.unless(
            value.maskingPasswords().kind == value.kind
                && value.description.utf8.allSatisfy { $0 >= 0x20 && $0 <= 0x7E },
            "shown: \(value)")
        try checkEquality(value, &maker)
    }

    /// Two values are equal where they are written the same.
    private static func checkEquality(
        _ value: RESPValue, _ maker: inout Maker
    ) throws(PropertyFailure) {
        var encoder = RESPEncoder()
        encoder.append(value)
        try PropertyFailure.unless(
            (value == maker.before) == (encoder.bytes == maker.bytesBefore),
            "equality: \(value), \(maker.before)")
        let numbers = [value.integer != nil, value.double != nil, value.boolean != nil]
        try PropertyFailure.unless(
            numbers.count { $0 } <= 1 && (value.value(forKey: "") == nil || value.count > 0),
            "of two kinds: \(value)")
        maker.before = value
        maker.bytesBefore = encoder.bytes
    }

    /// A line end in a simple string is written as a space; an error says where and what.
    private static func checkLine(_ maker: inout Maker) throws(PropertyFailure) {
        let text = String(decoding: maker.script.text(), as: UTF8.self)
        maker.encoder.simpleString(text)
        let line = text.utf8.map { $0 == 0x0D || $0 == 0x0A ? 0x20 : $0 }
        let read = WrittenValues.onlyValue(of: maker.encoder.bytes)
        let reasons = RESPError.Reason.allCases
        let offset = UInt64(maker.script.byte())
        let error = RESPError(reasons[Int(offset) % reasons.count], at: offset)
        try PropertyFailure.unless(
            read?.bytes.map { Array($0) } == line
                && error.description == "error at byte \(offset): \(error.reason)"
                && !error.reason.description.isEmpty,
            "\(read as Any): \(text), \(error)")
    }

    /// A command reads as the arguments that it was written with.
    private static func checkCommand(_ maker: inout Maker) throws(PropertyFailure) {
        let words = (0...maker.script.number(below: 4)).map { _ in Array(maker.script.text()) }
        maker.made += words.count
        let texts = words.map { String(decoding: $0, as: UTF8.self) }
        let isText = maker.script.byte() & 1 == 0
        if isText, texts.count == 2 {
            maker.encoder.command(texts[0], texts[1])
        } else if isText {
            maker.encoder.command(texts)
        } else {
            maker.encoder.command(bytes: words)
        }
        let outcome = CommandOutcome(parsing: maker.encoder.bytes)
        let expected = isText ? texts.map { Array($0.utf8) } : words
        try PropertyFailure.unless(
            outcome.commands == [expected] && outcome.error == nil, "command: \(expected)")
    }

    /// Makes a value, and writes the same by the encoder's own methods.
    private static func make(
        _ maker: inout Maker, depth: Int
    ) throws(PropertyFailure) -> RESPValue {
        maker.made += 1
        let kind = maker.script.number(below: 16)
        let isNested = depth < 4 && maker.made < limit
        switch kind {
        case 9 where isNested: return try aggregate(.array, &maker, depth)
        case 10 where isNested: return try aggregate(.set, &maker, depth)
        case 11 where isNested && depth == 0: return try aggregate(.push, &maker, depth)
        case 12 where isNested, 13 where isNested: return try map(&maker, depth)
        case 14 where isNested: return try attributed(&maker, depth)
        default: return try scalar(kind, &maker)
        }
    }

    private static func scalar(
        _ kind: Int, _ maker: inout Maker
    ) throws(PropertyFailure) -> RESPValue {
        let number = maker.script.word()
        switch kind {
        case 0:
            maker.encoder.integer(Int(number) - 0x8000)
            return try told(.integer(Int(number) - 0x8000)) { $0.integer == Int(number) - 0x8000 }
        case 1:
            maker.encoder.boolean(number & 1 == 0)
            return try told(.boolean(number & 1 == 0)) { $0.boolean == (number & 1 == 0) }
        case 2:
            let special = [.nan, .infinity, -.infinity, -0.0, Double(number), Double(number) / 7]
            let double = special[Int(number) % special.count]
            maker.encoder.double(double)
            return try told(.double(double)) { $0.double == double || double.isNaN }
        case 3:
            maker.encoder.bigNumber("-\(number)")
            return try told(.bigNumber("-\(number)")) { $0.string == "-\(number)" }
        case 4:
            maker.encoder.null()
            var array = RESPEncoder(version: maker.encoder.version)
            array.nullArray()
            return try told(.null) { null in
                null.isNull && null.bytes == nil && null.errorCode == nil
                    && WrittenValues.onlyValue(of: array.bytes) == null
            }
        default:
            return try text(kind, &maker)
        }
    }

    private static func text(
        _ kind: Int, _ maker: inout Maker
    ) throws(PropertyFailure) -> RESPValue {
        let bytes = Array(maker.script.text())
        let text = String(decoding: bytes, as: UTF8.self)
        let line = String(
            decoding: bytes.map { $0 == 0x0D || $0 == 0x0A ? 0x2E : $0 }, as: UTF8.self)
        switch kind {
        case 5:
            maker.encoder.simpleString(line)
            return try told(.simpleString(line)) { $0.string == line && !$0.isError }
        case 6:
            maker.encoder.simpleError(line)
            return try told(.simpleError(line)) { value in
                value.isError && line.utf8.starts(with: (value.errorCode ?? "-").utf8)
            }
        case 7:
            maker.encoder.bulkError(text)
            return try told(.bulkError(text)) { $0.isError && $0.string == text }
        case 8:
            let format = String(decoding: bytes.prefix(4).map { $0 & 0x7F }, as: UTF8.self)
            maker.encoder.verbatimString(text, format: format)
            return try told(.verbatimString(text, format: format)) { value in
                value.string == text && value.verbatimFormat?.utf8.count == 3
            }
        case 15:
            maker.encoder.bulkString(text)
            return try told(.bulkString(text)) { $0.string == text && $0.verbatimFormat == nil }
        default:
            maker.encoder.bulkString(bytes)
            return try told(.bulkString(bytes)) { $0.bytes.map { Array($0) } == bytes }
        }
    }

    /// The value itself, where it tells what it was made of.
    private static func told(
        _ value: RESPValue, _ isTold: (RESPValue) -> Bool
    ) throws(PropertyFailure) -> RESPValue {
        try PropertyFailure.unless(isTold(value), "does not tell what it is: \(value)")
        return value
    }

    private static func aggregate(
        _ kind: RESPKind, _ maker: inout Maker, _ depth: Int
    ) throws(PropertyFailure) -> RESPValue {
        let count = maker.script.number(below: 6)
        switch kind {
        case .set: maker.encoder.setHeader(count)
        case .push: maker.encoder.pushHeader(count)
        default: maker.encoder.arrayHeader(count)
        }
        let elements = try makeAll(count, &maker, depth)
        let value: RESPValue =
            switch kind {
            case .set: .set(elements)
            case .push: .push(elements)
            default: .array(elements)
            }
        return try told(value) { value in
            value.count == count && Array(value.children) == elements && value.kind == kind
        }
    }

    private static func map(
        _ maker: inout Maker, _ depth: Int
    ) throws(PropertyFailure) -> RESPValue {
        let count = maker.script.number(below: 4)
        maker.encoder.mapHeader(count)
        let pairs = try makePairs(count, &maker, depth)
        let value = RESPValue.map(pairs)
        for pair in pairs {
            guard let key = pair.0.bytes, let text = String(validating: key, as: UTF8.self) else {
                continue
            }
            let first = pairs.first { $0.0.bytes?.elementsEqual(key) == true }
            try PropertyFailure.unless(
                value.value(forKey: text) == first?.1, "value of \(text): \(value)")
        }
        return try told(value) { $0.count == count && $0.value(forKey: "none of them") == nil }
    }

    private static func attributed(
        _ maker: inout Maker, _ depth: Int
    ) throws(PropertyFailure) -> RESPValue {
        let count = maker.script.number(below: 3)
        var pairs: [(RESPValue, RESPValue)] = []
        if maker.encoder.attributeHeader(count) { pairs = try makePairs(count, &maker, depth) }
        let value = try make(&maker, depth: depth + 1)
        guard maker.encoder.version == .resp3 else { return value }
        let attributed = value.attributed(pairs)
        return try told(attributed) { whole in
            let all = Array(whole.attributes)
            return all.count == Array(value.attributes).count + 1 && all[0].kind == .attribute
                && all[0].count == count && whole != value
        }
    }

    private static func makePairs(
        _ count: Int, _ maker: inout Maker, _ depth: Int
    ) throws(PropertyFailure) -> [(RESPValue, RESPValue)] {
        let values = try makeAll(2 * count, &maker, depth)
        return (0..<count).map { (values[2 * $0], values[2 * $0 + 1]) }
    }

    private static func makeAll(
        _ count: Int, _ maker: inout Maker, _ depth: Int
    ) throws(PropertyFailure) -> [RESPValue] {
        var values: [RESPValue] = []
        for _ in 0..<count { values.append(try make(&maker, depth: depth + 1)) }
        return values
    }
}
