/// Writes a value as one line of JSON that tells its type.
///
/// A value is `{"type":"number","value":1}`, its type by the names of the RESP3 specification.
/// - Bytes that are not UTF-8 are `{"base64":"…"}`, a verbatim string is
///   `{"format":"txt","text":"…"}`, and a big number is a string.
/// - A double is a number, or one of the strings `inf`, `-inf` and `nan`.
/// - Maps and attributes are arrays of pairs.
/// - The attributes of a value are pairs too: `{"attributes":[…],"type":"number","value":1}`.
public enum RESPJSON {
    /// Appends the JSON of a value to `output`, without a line end.
    public static func append(_ value: RESPValue, to output: inout [UInt8]) {
        var walk = TreeWalk(value)
        while let event = walk.next() {
            switch event {
            case .scalar(let node, let place):
                separate(place, startsPair: walk.startsPair, &output)
                start(node.kind, place, &output)
                scalar(node, of: value, &output)
                output.append(UInt8(ascii: "}"))
                if walk.endsPair { output.append(UInt8(ascii: "]")) }
            case .open(let node, let place):
                separate(place, startsPair: walk.startsPair, &output)
                if node.kind != .attribute || walk.isRoot {
                    start(node.kind, place, &output)
                    output.append(UInt8(ascii: "["))
                } else if place != .attributed {
                    write(#"{"attributes":["#, &output)
                }
            case .close(let kind):
                if kind != .attribute || walk.isRoot {
                    write("]}", &output)
                    if walk.endsPair { output.append(UInt8(ascii: "]")) }
                } else if !walk.isBeforeAttribute {
                    write("],", &output)
                }
            }
        }
    }

    private static func write(_ text: String, _ output: inout [UInt8]) {
        output.append(contentsOf: text.utf8)
    }

    private static func separate(
        _ place: TreeWalk.Place, startsPair: Bool, _ output: inout [UInt8]
    ) {
        if place == .attributed { return }
        // The pairs of two attributes in a row go into one list.
        let continues = startsPair && output.last == UInt8(ascii: "]")
        if place != .first || continues { output.append(UInt8(ascii: ",")) }
        if startsPair { output.append(UInt8(ascii: "[")) }
    }

    private static func start(
        _ kind: RESPKind, _ place: TreeWalk.Place, _ output: inout [UInt8]
    ) {
        if place != .attributed { output.append(UInt8(ascii: "{")) }
        write(#""type":""#, &output)
        write(name(kind), &output)
        write(#"","value":"#, &output)
    }

    /// The name of a type in the RESP3 specification.
    private static func name(_ kind: RESPKind) -> String {
        switch kind {
        case .simpleString: "simple_string"
        case .simpleError: "simple_error"
        case .integer: "number"
        case .bulkString: "blob_string"
        case .null: "null"
        case .boolean: "boolean"
        case .double: "double"
        case .bigNumber: "big_number"
        case .bulkError: "blob_error"
        case .verbatimString: "verbatim_string"
        case .array: "array"
        case .map: "map"
        case .set: "set"
        case .push: "push"
        case .attribute: "attribute"
        }
    }

    private static func scalar(
        _ node: RESPValue.Node, of value: RESPValue, _ output: inout [UInt8]
    ) {
        switch node.kind {
        case .integer: output.appendDecimal(node.number)
        case .null: write("null", &output)
        case .boolean: write(node.number != 0 ? "true" : "false", &output)
        case .double:
            let number = Double(bitPattern: UInt64(bitPattern: Int64(node.number)))
            if !number.isFinite { output.append(UInt8(ascii: "\"")) }
            output.appendDouble(number)
            if !number.isFinite { output.append(UInt8(ascii: "\"")) }
        case .verbatimString:
            write(#"{"format":"#, &output)
            string(value.content(of: node).prefix(3), &output)
            write(#","text":"#, &output)
            string(value.content(of: node).dropFirst(4), &output)
            output.append(UInt8(ascii: "}"))
        default: string(value.content(of: node), &output)
        }
    }

    /// Writes a JSON string, or an object with base64 in it where the bytes are not UTF-8.
    private static func string(_ content: ArraySlice<UInt8>, _ output: inout [UInt8]) {
        guard String(validating: content, as: UTF8.self) != nil else {
            write(#"{"base64":""#, &output)
            base64(content, &output)
            write(#""}"#, &output)
            return
        }
        output.append(UInt8(ascii: "\""))
        for byte in content {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): output += [UInt8(ascii: "\\"), byte]
            case 0x0A: write(#"\n"#, &output)
            case 0x0D: write(#"\r"#, &output)
            case 0x09: write(#"\t"#, &output)
            case 0x00..<0x20:
                write(#"\u00"#, &output)
                output.appendHexadecimal(byte)
            default: output.append(byte)
            }
        }
        output.append(UInt8(ascii: "\""))
    }

    /// Writes base64 with padding (RFC 4648, section 4).
    private static func base64(_ content: ArraySlice<UInt8>, _ output: inout [UInt8]) {
        var index = content.startIndex
        while index < content.endIndex {
            let group = content[index..<min(index + 3, content.endIndex)]
            var bits: UInt32 = 0
            for byte in group { bits = bits << 8 | UInt32(byte) }
            bits <<= UInt32(8 * (3 - group.count))
            for place in 0..<4 {
                let digit = UInt8(truncatingIfNeeded: bits >> UInt32(18 - 6 * place)) & 0x3F
                output.append(place <= group.count ? base64Digit(digit) : UInt8(ascii: "="))
            }
            index += group.count
        }
    }

    private static func base64Digit(_ digit: UInt8) -> UInt8 {
        switch digit {
        case 0..<26: UInt8(ascii: "A") + digit
        case 26..<52: UInt8(ascii: "a") + (digit - 26)
        case 52..<62: UInt8(ascii: "0") + (digit - 52)
        case 62: UInt8(ascii: "+")
        default: UInt8(ascii: "/")
        }
    }
}
