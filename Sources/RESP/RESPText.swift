/// Writes a value on one line, much as `redis-cli` shows it.
///
/// Strings stand in quotation marks with the escapes of `redis-cli`, other types have their names in
/// parentheses. Aggregates are `[1, 2]` for an array, `~[1, 2]` for a set, `>[1, 2]` for a push and
/// `{1 => 2}` for a map; an attribute is `|{1 => 2}` before its value.
public enum RESPText {
    /// Appends the line of a value to `output`, without a line end.
    ///
    /// Of each string at most `maximumStringBytes` bytes are written, and how many more there are.
    public static func append(
        _ value: RESPValue, to output: inout [UInt8], maximumStringBytes: Int = .max
    ) {
        var walk = TreeWalk(value)
        while let event = walk.next() {
            switch event {
            case .scalar(let node, let place):
                separate(place, &output)
                scalar(node, of: value, &output, maximumStringBytes)
            case .open(let node, let place):
                separate(place, &output)
                output.append(contentsOf: opening(node.kind).utf8)
            case .close(let kind):
                output.append(UInt8(ascii: kind.isPaired ? "}" : "]"))
                if kind == .attribute && !walk.isRoot { output.append(UInt8(ascii: " ")) }
            }
        }
    }

    private static func separate(_ place: TreeWalk.Place, _ output: inout [UInt8]) {
        switch place {
        case .first, .attributed: break
        case .next: output.append(contentsOf: ", ".utf8)
        case .afterKey: output.append(contentsOf: " => ".utf8)
        }
    }

    private static func opening(_ kind: RESPKind) -> String {
        switch kind {
        case .set: "~["
        case .push: ">["
        case .map: "{"
        case .attribute: "|{"
        default: "["
        }
    }

    private static func scalar(
        _ node: RESPValue.Node, of value: RESPValue, _ output: inout [UInt8], _ maximum: Int
    ) {
        func word(_ text: String) { output.append(contentsOf: text.utf8) }
        switch node.kind {
        case .integer:
            word("(integer) ")
            output.appendDecimal(node.number)
        case .null: word("(nil)")
        case .boolean: word(node.number != 0 ? "(true)" : "(false)")
        case .double:
            word("(double) ")
            output.appendDouble(Double(bitPattern: UInt64(bitPattern: Int64(node.number))))
        case .bigNumber:
            word("(big number) ")
            escape(value.content(of: node), &output, maximum)
        case .simpleString: escape(value.content(of: node), &output, maximum)
        case .simpleError, .bulkError:
            word("(error) ")
            escape(value.content(of: node), &output, maximum)
        case .verbatimString:
            word("(")
            escape(value.content(of: node).prefix(3), &output, maximum)
            word(") ")
            quote(value.content(of: node).dropFirst(4), &output, maximum)
        default: quote(value.content(of: node), &output, maximum)
        }
    }

    private static func quote(
        _ content: ArraySlice<UInt8>, _ output: inout [UInt8], _ maximum: Int
    ) {
        output.append(UInt8(ascii: "\""))
        escape(content.prefix(max(0, maximum)), &output, .max)
        output.append(UInt8(ascii: "\""))
        tell(content.count, maximum, &output)
    }

    /// Writes bytes with the escapes of `redis-cli`: what is not printable ASCII as `\xc3`.
    private static func escape(
        _ content: ArraySlice<UInt8>, _ output: inout [UInt8], _ maximum: Int
    ) {
        for byte in content.prefix(max(0, maximum)) {
            switch byte {
            case UInt8(ascii: "\\"), UInt8(ascii: "\""): output += [UInt8(ascii: "\\"), byte]
            case 0x0A: output += Array("\\n".utf8)
            case 0x0D: output += Array("\\r".utf8)
            case 0x09: output += Array("\\t".utf8)
            case 0x07: output += Array("\\a".utf8)
            case 0x08: output += Array("\\b".utf8)
            case 0x20...0x7E: output.append(byte)
            default:
                output += Array("\\x".utf8)
                output.appendHexadecimal(byte)
            }
        }
        tell(content.count, maximum, &output)
    }

    private static func tell(_ count: Int, _ maximum: Int, _ output: inout [UInt8]) {
        guard count > maximum else { return }
        output.append(contentsOf: "...(+".utf8)
        output.appendDecimal(count - max(0, maximum))
        output.append(contentsOf: " bytes)".utf8)
    }
}

extension RESPValue: CustomStringConvertible {
    /// The value on one line; see ``RESPText``. Passwords in it are not masked.
    public var description: String {
        var output: [UInt8] = []
        RESPText.append(self, to: &output)
        return String(decoding: output, as: UTF8.self)
    }
}
