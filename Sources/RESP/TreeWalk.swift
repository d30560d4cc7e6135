/// Walks through a value and everything in it, in the order of the wire, with an explicit stack.
struct TreeWalk {
    /// What a node follows, and so what separates the two.
    enum Place {
        /// Nothing: it is the first thing in its aggregate, or the value at the top.
        case first
        /// Another element, or a whole pair.
        case next
        /// The key of its pair.
        case afterKey
        /// An attribute, which is about this.
        case attributed
    }

    enum Event {
        case scalar(RESPValue.Node, Place)
        case open(RESPValue.Node, Place)
        /// The end of an aggregate of a kind.
        case close(RESPKind)
    }

    private struct Frame {
        let kind: RESPKind
        let position: Int
        var due: Int
        var seen = 0
    }

    private let value: RESPValue
    private var index: Int
    private var stack: [Frame] = []
    private var isAttributed = false

    /// Whether the last event belongs to the value at the top itself.
    private(set) var isRoot = false

    /// Whether the last event started a pair of a map or an attribute.
    private(set) var startsPair = false

    /// Whether the last event ended a pair of a map or an attribute.
    private(set) var endsPair = false

    init(_ value: RESPValue) {
        self.value = value
        index = value.start
    }

    /// Whether an attribute comes next, with nothing in between.
    var isBeforeAttribute: Bool {
        index < value.end && value.nodes[index].kind == .attribute && stack.last?.due != 0
    }

    mutating func next() -> Event? {
        startsPair = false
        endsPair = false
        if let top = stack.last, top.due == 0 {
            stack.removeLast()
            isRoot = top.position == value.index
            if top.kind == .attribute && !isRoot { isAttributed = true } else { count() }
            return .close(top.kind)
        }
        guard index < value.end else { return nil }
        let node = value.nodes[index]
        let place = place
        isRoot = index == value.index
        isAttributed = false
        if let top = stack.last, place != .attributed {
            startsPair = top.kind.isPaired && top.seen.isMultiple(of: 2)
        }
        if node.kind.isAggregate {
            let values = node.kind.isPaired ? 2 * node.number : node.number
            stack.append(Frame(kind: node.kind, position: index, due: values))
        } else {
            count()
        }
        index += 1
        return node.kind.isAggregate ? .open(node, place) : .scalar(node, place)
    }

    private var place: Place {
        if isAttributed { return .attributed }
        guard let top = stack.last, top.seen > 0 else { return .first }
        return top.kind.isPaired && !top.seen.isMultiple(of: 2) ? .afterKey : .next
    }

    /// Counts a whole value in the aggregate around it.
    private mutating func count() {
        guard let last = stack.indices.last else { return }
        stack[last].due -= 1
        stack[last].seen += 1
        endsPair = stack[last].kind.isPaired && stack[last].seen.isMultiple(of: 2)
    }
}
