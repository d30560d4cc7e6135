/// Puts a value together from its tokens, node by node, with an explicit stack of what is open.
struct RESPBuilder: Sendable {
    /// An aggregate whose elements are not all there.
    private struct Frame: Sendable {
        let node: Int
        /// The values that are still due; for a streamed aggregate the values that there are.
        var values: Int
        let isStreamed: Bool
    }

    /// What one more value has led to.
    enum Progress {
        /// The value at the top is not whole.
        case open
        /// An attribute of the value at the top is whole.
        case attribute
        /// The value at the top is whole.
        case whole
    }

    /// The most nodes and bytes of a value that is copied rather than moved.
    private static let keptNodes = 64
    private static let keptBytes = 2048

    private var nodes: [RESPValue.Node] = []
    private var text: [UInt8] = []
    private var stack: [Frame] = []

    /// Whether the last thing was an attribute, so that a value must follow.
    private(set) var awaitsValue = false

    /// The number of open aggregates.
    var depth: Int { stack.count }

    /// Whether nothing of a value is there.
    var isEmpty: Bool { nodes.isEmpty }

    /// The number of values in the innermost open aggregate if it is streamed, else nil.
    var streamedValues: Int? {
        guard let top = stack.last, top.isStreamed else { return nil }
        return top.values
    }

    /// The kind of the innermost open aggregate.
    var openKind: RESPKind? { stack.last.map { nodes[$0.node].kind } }

    /// Adds a value that is whole in itself and has no text.
    mutating func scalar(_ kind: RESPKind, _ number: Int) -> Progress {
        append(kind, number: number)
        return closeFull()
    }

    /// Adds a value with a text that lies in `bytes`.
    mutating func line(_ kind: RESPKind, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Progress {
        awaitsValue = false
        nodes.append(
            RESPValue.Node(kind: kind, span: 1, number: text.count, length: range.count))
        ByteAccess.append(bytes, range, to: &text)
        return closeFull()
    }

    /// Starts a value whose text comes in parts.
    mutating func openText(_ kind: RESPKind) {
        append(kind, number: text.count)
    }

    /// Adds a part to the text that was started last.
    mutating func appendText(_ bytes: Span<UInt8>, _ range: Range<Int>) {
        ByteAccess.append(bytes, range, to: &text)
        nodes[nodes.count - 1].length += range.count
    }

    /// The length of the text that was started last.
    var textLength: Int { nodes.last?.length ?? 0 }

    /// The length of the text that was started last, if it should start with a format and does not.
    var lengthOfVerbatimStringWithoutFormat: Int? {
        guard let node = nodes.last, node.kind == .verbatimString else { return nil }
        return text[node.number + 3] == UInt8(ascii: ":") ? nil : node.length
    }

    /// Ends the text that was started last.
    mutating func closeText() -> Progress { closeFull() }

    /// Starts an aggregate of so many elements, which take so many values.
    mutating func open(_ kind: RESPKind, elements: Int, values: Int) -> Progress {
        append(kind, number: elements)
        stack.append(Frame(node: nodes.count - 1, values: values, isStreamed: false))
        return values == 0 ? close() : .open
    }

    /// Starts an aggregate of a number of elements that is not known.
    mutating func openStreamed(_ kind: RESPKind) {
        append(kind, number: 0)
        stack.append(Frame(node: nodes.count - 1, values: 0, isStreamed: true))
    }

    /// Ends the innermost streamed aggregate.
    mutating func closeStreamed() -> Progress {
        guard let top = stack.last else { return .open }
        nodes[top.node].number = nodes[top.node].kind.isPaired ? top.values / 2 : top.values
        return close()
    }

    /// Takes the value out and makes room for the next one.
    ///
    /// A small value is copied into storage of its own size, so that the room for the next one need
    /// not grow again; a large one takes the storage along.
    mutating func take() -> RESPValue {
        awaitsValue = false
        if nodes.count <= Self.keptNodes && text.count <= Self.keptBytes {
            // `Array(nodes)` would share the storage, which is larger.
            var copy: [UInt8] = []
            copy.reserveCapacity(text.count)
            ByteAccess.append(text.span, text.indices, to: &copy)
            let value = RESPValue(nodes: nodes.map { $0 }, text: copy)
            nodes.removeAll(keepingCapacity: true)
            text.removeAll(keepingCapacity: true)
            return value
        }
        let value = RESPValue(nodes: nodes, text: text)
        nodes = []
        text = []
        return value
    }

    /// Gives back the room that earlier values took; nothing of a value may be there.
    mutating func releaseStorage() {
        nodes = []
        text = []
        stack = []
    }

    private mutating func append(_ kind: RESPKind, number: Int) {
        awaitsValue = false
        nodes.append(RESPValue.Node(kind: kind, span: 1, number: number, length: 0))
    }

    /// Counts a whole value and ends every aggregate which that fills.
    private mutating func closeFull() -> Progress {
        while let last = stack.indices.last {
            if stack[last].isStreamed {
                stack[last].values += 1
                return .open
            }
            stack[last].values -= 1
            if stack[last].values > 0 { return .open }
            let node = stack[last].node
            stack.removeLast()
            nodes[node].span = nodes.count - node
            if nodes[node].kind == .attribute { return attribute() }
        }
        return .whole
    }

    /// Ends the innermost aggregate and every other one which that fills.
    private mutating func close() -> Progress {
        guard let top = stack.popLast() else { return .open }
        nodes[top.node].span = nodes.count - top.node
        return nodes[top.node].kind == .attribute ? attribute() : closeFull()
    }

    /// An attribute is no element of the aggregate that it stands in.
    private mutating func attribute() -> Progress {
        awaitsValue = true
        return stack.isEmpty ? .attribute : .open
    }
}
