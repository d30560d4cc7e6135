import DequeModule

/// Bounds how many connections to one node of a cluster are being made, so that a node which answers
/// nothing does not take all places of the dial gate from the links to the others.
struct NodeDials {
    private struct Node {
        let endpoint: RedisEndpoint
        var count = 0
        /// Links that wait for one of the connections to be decided.
        var held = Deque<SlotID>()
    }

    /// Connections to a node that are made at once, at most.
    let limit: Int
    private var nodes: [Node] = []

    /// A loop has its part of the gate's places, and one node a quarter of that.
    init(concurrency: Int, loops: Int) {
        limit = max(1, concurrency / (4 * max(1, loops)))
    }

    private func place(of node: RedisEndpoint) -> Int? {
        nodes.firstIndex { $0.endpoint == node }
    }

    /// Whether a link may dial the node now; else it is held until another's connection is decided.
    mutating func admits(_ link: SlotID, to node: RedisEndpoint) -> Bool {
        guard let place = place(of: node), nodes[place].count >= limit else { return true }
        nodes[place].held.append(link)
        return false
    }

    /// A link dials the node.
    mutating func began(at node: RedisEndpoint) {
        if let place = place(of: node) {
            nodes[place].count += 1
        } else {
            nodes.append(Node(endpoint: node, count: 1))
        }
    }

    /// A connection to the node is decided; the links that may dial now, which are no longer held.
    mutating func ended(at node: RedisEndpoint) -> [SlotID] {
        guard let place = place(of: node) else { return [] }
        nodes[place].count -= 1
        let link = nodes[place].held.popFirst()
        if nodes[place].count == 0, nodes[place].held.isEmpty { nodes.remove(at: place) }
        return link.map { [$0] } ?? []
    }

    /// The links that may dial though nothing has been decided: one that was told before may have gone.
    mutating func releasable() -> [SlotID] {
        var found: [SlotID] = []
        for place in nodes.indices {
            let room = min(max(0, limit - nodes[place].count), nodes[place].held.count)
            found += nodes[place].held.prefix(room)
            nodes[place].held.removeFirst(room)
        }
        nodes.removeAll { $0.count == 0 && $0.held.isEmpty }
        return found
    }
}
