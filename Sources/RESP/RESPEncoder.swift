/// Writes values and commands as RESP2 or RESP3 into a buffer that can be used again.
///
/// Values which RESP2 does not have are written as Redis writes them to a client of RESP2: a null
/// as a null bulk string, a boolean as 1 or 0, a double, a big number and a verbatim string as bulk
/// strings, a map as an array of keys and values in turn, a set and a push as arrays, a bulk error
/// as a simple one. Attributes are left out.
public struct RESPEncoder: Sendable {
    /// What has been written since the buffer was last emptied.
    public private(set) var bytes: [UInt8] = []

    /// The version of the protocol that is written.
    public var version: RESPVersion

    /// Creates an encoder with an empty buffer.
    public init(version: RESPVersion = .resp3) {
        self.version = version
    }

    /// Empties the buffer.
    public mutating func removeAll(keepingCapacity: Bool = true) {
        bytes.removeAll(keepingCapacity: keepingCapacity)
    }

    // MARK: Commands

    /// Writes a command: an array of bulk strings.
    public mutating func command(_ arguments: String...) { command(arguments) }

    /// Writes a command: an array of bulk strings.
    public mutating func command(_ arguments: some Collection<String>) {
        arrayHeader(arguments.count)
        for argument in arguments { bulkString(argument) }
    }

    /// Writes a command whose arguments are bytes.
    public mutating func command(bytes arguments: some Collection<some Collection<UInt8>>) {
        arrayHeader(arguments.count)
        for argument in arguments { bulkString(argument) }
    }

    // MARK: Lines

    /// Writes a simple string; CR and LF in it become spaces.
    public mutating func simpleString(_ text: String) { line("+", text.utf8) }

    /// Writes a simple error such as `ERR unknown command`; CR and LF in it become spaces.
    public mutating func simpleError(_ text: String) { line("-", text.utf8) }

    /// Writes an integer.
    public mutating func integer(_ value: Int) { header(":", value) }

    /// Writes a null.
    public mutating func null() { raw(version == .resp3 ? "_\r\n" : "$-1\r\n") }

    /// Writes the null array of RESP2, or the null of RESP3.
    public mutating func nullArray() { raw(version == .resp3 ? "_\r\n" : "*-1\r\n") }

    /// Writes a boolean.
    public mutating func boolean(_ value: Bool) {
        switch version {
        case .resp3: raw(value ? "#t\r\n" : "#f\r\n")
        case .resp2: integer(value ? 1 : 0)
        }
    }

    /// Writes a double in as few digits as tell it from every other one.
    public mutating func double(_ value: Double) {
        var text: [UInt8] = []
        text.appendDouble(value)
        version == .resp3 ? line(",", text) : bulkString(text)
    }

    /// Writes a big number, given as an optional sign and decimal digits.
    ///
    /// Anything else is written all the same, and is malformed.
    public mutating func bigNumber(_ digits: String) {
        version == .resp3 ? line("(", digits.utf8) : bulkString(digits)
    }

    // MARK: Strings with a length

    /// Writes a bulk string.
    public mutating func bulkString(_ text: String) {
        header("$", text.utf8.count)
        bytes.append(contentsOf: text.utf8)
        lineEnd()
    }

    /// Writes a bulk string of any bytes.
    public mutating func bulkString(_ content: some Collection<UInt8>) {
        header("$", content.count)
        bytes.append(contentsOf: content)
        lineEnd()
    }

    /// Writes a bulk string of any bytes.
    public mutating func bulkString(_ content: [UInt8]) { bulkString(content.span) }

    /// Writes a bulk string of any bytes.
    public mutating func bulkString(_ content: Span<UInt8>) {
        header("$", content.count)
        ByteAccess.append(content, 0..<content.count, to: &bytes)
        lineEnd()
    }

    /// Writes a bulk error such as `SYNTAX invalid syntax`.
    public mutating func bulkError(_ text: String) { bulkError(text.utf8) }

    /// Writes a bulk error of any bytes.
    public mutating func bulkError(_ content: some Collection<UInt8>) {
        guard version == .resp3 else { return line("-", content) }
        header("!", content.count)
        bytes.append(contentsOf: content)
        lineEnd()
    }

    /// Writes a verbatim string; of the format the first three bytes count, spaces make up for
    /// missing ones.
    public mutating func verbatimString(_ text: String, format: String = "txt") {
        verbatimString(text.utf8, format: format)
    }

    /// Writes a verbatim string of any bytes.
    public mutating func verbatimString(
        _ content: some Collection<UInt8>, format: String = "txt"
    ) {
        guard version == .resp3 else { return bulkString(content) }
        header("=", content.count + 4)
        let name = Array((format + "   ").utf8.prefix(3))
        bytes.append(contentsOf: name)
        bytes.append(UInt8(ascii: ":"))
        bytes.append(contentsOf: content)
        lineEnd()
    }

    // MARK: Aggregates

    /// Writes the header of an array; its elements are to follow.
    public mutating func arrayHeader(_ count: Int) { header("*", count) }

    /// Writes the header of a push, or of an array in RESP2; its elements are to follow.
    public mutating func pushHeader(_ count: Int) { header(version == .resp3 ? ">" : "*", count) }

    /// Writes the header of a set, or of an array in RESP2; its elements are to follow.
    public mutating func setHeader(_ count: Int) { header(version == .resp3 ? "~" : "*", count) }

    /// Writes the header of a map of so many pairs, or of an array of twice as many elements in
    /// RESP2; keys and values are to follow in turn.
    public mutating func mapHeader(_ pairs: Int) {
        version == .resp3 ? header("%", pairs) : header("*", 2 * pairs)
    }

    /// Writes the header of an attribute of so many pairs; keys and values are to follow, then the
    /// value that it is about.
    ///
    /// - Returns: false in RESP2, where nothing is written and the pairs are to be left out.
    public mutating func attributeHeader(_ pairs: Int) -> Bool {
        if version == .resp3 { header("|", pairs) }
        return version == .resp3
    }

    // MARK: Values

    /// Writes a value with everything in it.
    public mutating func append(_ value: RESPValue) {
        var index = value.start
        while index < value.end {
            let node = value.nodes[index]
            if node.kind == .attribute && version == .resp2 {
                index += node.span
                continue
            }
            append(node, of: value)
            index += 1
        }
    }

    private mutating func append(_ node: RESPValue.Node, of value: RESPValue) {
        switch node.kind {
        case .integer: integer(node.number)
        case .null: null()
        case .boolean: boolean(node.number != 0)
        case .double: double(Double(bitPattern: UInt64(bitPattern: Int64(node.number))))
        case .array: arrayHeader(node.number)
        case .map: mapHeader(node.number)
        case .set: setHeader(node.number)
        case .push: pushHeader(node.number)
        case .attribute: header("|", node.number)
        case .simpleString: line("+", value.content(of: node))
        case .simpleError: line("-", value.content(of: node))
        case .bulkString: bulkString(value.content(of: node))
        case .bulkError: bulkError(value.content(of: node))
        case .bigNumber:
            let digits = value.content(of: node)
            version == .resp3 ? line("(", digits) : bulkString(digits)
        case .verbatimString:
            let content = value.content(of: node)
            guard version == .resp3 else { return bulkString(content.dropFirst(4)) }
            header("=", content.count)
            bytes.append(contentsOf: content)
            lineEnd()
        }
    }

    // MARK: Parts

    private mutating func raw(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func line(_ type: Unicode.Scalar, _ content: some Sequence<UInt8>) {
        bytes.append(UInt8(ascii: type))
        for byte in content { bytes.append(byte == 0x0D || byte == 0x0A ? 0x20 : byte) }
        lineEnd()
    }

    private mutating func header(_ type: Unicode.Scalar, _ number: Int) {
        bytes.append(UInt8(ascii: type))
        bytes.appendDecimal(number)
        lineEnd()
    }

    private mutating func lineEnd() {
        bytes.append(0x0D)
        bytes.append(0x0A)
    }
}
