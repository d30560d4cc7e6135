extension RESPValue {
    /// A null.
    public static let null = RESPValue(.null, 0)

    /// A simple string.
    public static func simpleString(_ text: String) -> RESPValue {
        RESPValue(.simpleString, Array(text.utf8))
    }

    /// A simple error.
    public static func simpleError(_ text: String) -> RESPValue {
        RESPValue(.simpleError, Array(text.utf8))
    }

    /// An integer.
    public static func integer(_ number: Int) -> RESPValue { RESPValue(.integer, number) }

    /// A boolean.
    public static func boolean(_ value: Bool) -> RESPValue { RESPValue(.boolean, value ? 1 : 0) }

    /// A double; every `nan` is made the same one.
    public static func double(_ value: Double) -> RESPValue {
        let bits = value.isNaN ? Double.nan.bitPattern : value.bitPattern
        return RESPValue(.double, Int(Int64(bitPattern: bits)))
    }

    /// A bulk string.
    public static func bulkString(_ text: String) -> RESPValue { bulkString(Array(text.utf8)) }

    /// A bulk string of any bytes.
    public static func bulkString(_ bytes: [UInt8]) -> RESPValue { RESPValue(.bulkString, bytes) }

    /// A bulk error.
    public static func bulkError(_ text: String) -> RESPValue {
        RESPValue(.bulkError, Array(text.utf8))
    }

    /// A big number, given as an optional sign and decimal digits.
    public static func bigNumber(_ digits: String) -> RESPValue {
        RESPValue(.bigNumber, Array(digits.utf8))
    }

    /// A verbatim string; of the format the first three bytes count, spaces make up for missing
    /// ones.
    public static func verbatimString(_ text: String, format: String = "txt") -> RESPValue {
        let name = (format + "   ").utf8.prefix(3)
        return RESPValue(.verbatimString, Array(name) + [UInt8(ascii: ":")] + Array(text.utf8))
    }

    /// An array.
    public static func array(_ elements: [RESPValue]) -> RESPValue {
        RESPValue(.array, count: elements.count, elements)
    }

    /// A set, its elements in the order of the wire.
    public static func set(_ elements: [RESPValue]) -> RESPValue {
        RESPValue(.set, count: elements.count, elements)
    }

    /// A push.
    public static func push(_ elements: [RESPValue]) -> RESPValue {
        RESPValue(.push, count: elements.count, elements)
    }

    /// A map, its pairs in the order of the wire.
    public static func map(_ pairs: [(RESPValue, RESPValue)]) -> RESPValue {
        RESPValue(.map, count: pairs.count, pairs.flatMap { [$0.0, $0.1] })
    }

    /// The same value with an attribute before those that it has.
    public func attributed(_ pairs: [(RESPValue, RESPValue)]) -> RESPValue {
        let attribute = RESPValue(
            .attribute, count: pairs.count, pairs.flatMap { [$0.0, $0.1] })
        var nodes = attribute.nodes
        var text = attribute.text
        append(to: &nodes, &text)
        return RESPValue(nodes: nodes, text: text)
    }

    private init(_ kind: RESPKind, _ number: Int) {
        self.init(nodes: [Node(kind: kind, span: 1, number: number, length: 0)], text: [])
    }

    private init(_ kind: RESPKind, _ text: [UInt8]) {
        self.init(nodes: [Node(kind: kind, span: 1, number: 0, length: text.count)], text: text)
    }

    private init(_ kind: RESPKind, count: Int, _ values: [RESPValue]) {
        var nodes = [Node(kind: kind, span: 1, number: count, length: 0)]
        var text: [UInt8] = []
        for value in values { value.append(to: &nodes, &text) }
        nodes[0].span = nodes.count
        self.init(nodes: nodes, text: text, start: 0, index: 0)
    }

    /// Appends the nodes and texts of this value and its attributes.
    private func append(to nodes: inout [Node], _ text: inout [UInt8]) {
        for position in start..<end {
            var node = self.nodes[position]
            if node.kind.isText {
                let content = content(of: node)
                node.number = text.count
                text.append(contentsOf: content)
            }
            nodes.append(node)
        }
    }
}
