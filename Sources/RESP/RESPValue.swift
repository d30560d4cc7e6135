/// One value of RESP2 or RESP3, whole, with the attributes that stood before it.
///
/// The tree is stored flat: a list of nodes in the order of the wire, each with the number of nodes
/// that it spans, and one list of bytes that all texts share. Comparing, printing and releasing a
/// value are loops, whatever its depth. A child shares the storage of its parent.
///
/// Two values are equal when they have the same kinds, contents and attributes in the same order;
/// doubles are compared by their bits, so that `nan` equals itself and `0` is not `-0`.
public struct RESPValue: Sendable {
    /// One value in the flat list.
    struct Node: Sendable {
        var kind: RESPKind
        /// The number of nodes from this one to the last one inside it.
        var span: Int
        /// An integer, the bits of a double, 1 or 0 for a boolean, the start of a text in the list
        /// of bytes, or the number of elements (pairs, where paired).
        var number: Int
        /// The number of bytes of a text.
        var length: Int
    }

    let nodes: [Node]
    let text: [UInt8]
    /// The index of the first attribute, or of the value itself.
    let start: Int
    /// The index of the value itself.
    let index: Int

    /// A value whose first node, or that of its first attribute, is at `start`.
    init(nodes: [Node], text: [UInt8], start: Int = 0) {
        var index = start
        while nodes[index].kind == .attribute, index + nodes[index].span < nodes.count {
            index += nodes[index].span
        }
        self.init(nodes: nodes, text: text, start: start, index: index)
    }

    init(nodes: [Node], text: [UInt8], start: Int, index: Int) {
        self.nodes = nodes
        self.text = text
        self.start = start
        self.index = index
    }

    var node: Node { nodes[index] }
    var end: Int { index + node.span }

    /// The bytes of a text, a verbatim string's format included.
    func content(of node: Node) -> ArraySlice<UInt8> {
        text[node.number..<(node.number + node.length)]
    }

    /// The type of the value.
    public var kind: RESPKind { node.kind }

    /// Whether the value is a null of any form.
    public var isNull: Bool { kind == .null }

    /// Whether the value is a simple or a bulk error.
    public var isError: Bool { kind == .simpleError || kind == .bulkError }

    /// The value of an integer.
    public var integer: Int? { kind == .integer ? node.number : nil }

    /// The value of a double.
    public var double: Double? {
        kind == .double ? Double(bitPattern: UInt64(bitPattern: Int64(node.number))) : nil
    }

    /// The value of a boolean.
    public var boolean: Bool? { kind == .boolean ? node.number != 0 : nil }

    /// The content of a string, an error or a big number; a verbatim string's without its format.
    public var bytes: ArraySlice<UInt8>? {
        guard kind.isText else { return nil }
        let prefix = kind == .verbatimString ? 4 : 0
        return text[(node.number + prefix)..<(node.number + node.length)]
    }

    /// The content as text, each ill-formed sequence of UTF-8 replaced by U+FFFD.
    public var string: String? { bytes.map { String(decoding: $0, as: UTF8.self) } }

    /// The format of a verbatim string, three bytes such as `txt` or `mkd`.
    public var verbatimFormat: String? {
        guard kind == .verbatimString else { return nil }
        return String(decoding: text[node.number..<(node.number + 3)], as: UTF8.self)
    }

    /// The first word of an error, such as `WRONGPASS`.
    public var errorCode: String? {
        guard isError, let bytes else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// The number of elements of an aggregate, or of pairs of a map or an attribute; else 0.
    public var count: Int { kind.isAggregate ? node.number : 0 }

    /// The values inside an aggregate; the keys and values of a map or an attribute in turn.
    public var children: Children { Children(of: self) }

    /// The attributes that stand before the value, in the order of the wire.
    public var attributes: Attributes { Attributes(of: self) }

    /// The value behind a key of a map, or of an array of keys and values as RESP2 writes a map.
    ///
    /// The first match wins. It takes time in proportion to the number of nodes before it.
    public func value(forKey key: String) -> RESPValue? {
        guard kind == .map || kind == .array else { return nil }
        var iterator = children
        while let candidate = iterator.next(), let value = iterator.next() {
            if let bytes = candidate.bytes, bytes.elementsEqual(key.utf8) { return value }
        }
        return nil
    }

    /// The values inside an aggregate, each with its attributes.
    public struct Children: Sequence, IteratorProtocol, Sendable {
        private let parent: RESPValue
        private var position: Int

        init(of parent: RESPValue) {
            self.parent = parent
            position = parent.index + 1
        }

        /// The next value.
        public mutating func next() -> RESPValue? {
            guard position < parent.end else { return nil }
            let child = RESPValue(nodes: parent.nodes, text: parent.text, start: position)
            position = child.end
            return child
        }
    }

    /// The attributes before a value.
    public struct Attributes: Sequence, IteratorProtocol, Sendable {
        private let owner: RESPValue
        private var position: Int

        init(of owner: RESPValue) {
            self.owner = owner
            position = owner.start
        }

        /// The next attribute, a value of kind ``RESPKind/attribute``.
        public mutating func next() -> RESPValue? {
            guard position < owner.index else { return nil }
            let attribute = RESPValue(
                nodes: owner.nodes, text: owner.text, start: position, index: position)
            position = attribute.end
            return attribute
        }
    }
}

extension RESPValue: Equatable {
    /// Whether both values have the same kinds, contents and attributes in the same order.
    public static func == (left: RESPValue, right: RESPValue) -> Bool {
        let count = left.end - left.start
        guard right.end - right.start == count else { return false }
        for step in 0..<count {
            let a = left.nodes[left.start + step]
            let b = right.nodes[right.start + step]
            guard a.kind == b.kind, a.length == b.length else { return false }
            if a.kind.isText {
                guard left.content(of: a) == right.content(of: b) else { return false }
            } else if a.number != b.number {
                return false
            }
        }
        return true
    }
}
