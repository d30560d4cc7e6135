/// Which master of a cluster has which slots, as a node has told.
///
/// Nodes differ in what they know, and all of them lag behind: what a master itself says by a
/// ``ClusterRedirection`` is newer, and is noted by ``move(_:to:)`` until somebody is asked again.
struct ClusterTopology: Equatable, Sendable {
    /// Most nodes, replicas among them, that are taken from an answer.
    static let nodeLimit = 4096

    /// Stands for no master; there are fewer than ``nodeLimit``.
    private static let nobody = UInt16.max

    /// All nodes that were named, in the order of their naming.
    private(set) var nodes: [RedisEndpoint] = []
    /// For each slot the place of its master in ``nodes``.
    private var owners = [UInt16](repeating: nobody, count: HashSlot.count)
    /// Slots that have a master.
    private(set) var coveredCount = 0

    /// Makes the topology of a cluster whose slots are nobody's.
    init() {}

    /// Whether each slot has a master.
    var isComplete: Bool { coveredCount == HashSlot.count }

    /// The master of a slot; nil where nobody serves it.
    func master(of slot: HashSlot) -> RedisEndpoint? {
        let owner = owners[Int(slot.number)]
        return owner == Self.nobody ? nil : nodes[Int(owner)]
    }

    /// Those that have slots, in the order of ``nodes``.
    var masters: [RedisEndpoint] {
        var serves = [Bool](repeating: false, count: nodes.count)
        for owner in owners where owner != Self.nobody { serves[Int(owner)] = true }
        return nodes.indices.filter { serves[$0] }.map { nodes[$0] }
    }

    /// Notes a node; its place, or nil where there are too many.
    @discardableResult
    mutating func add(_ node: RedisEndpoint) -> Int? {
        if let place = nodes.firstIndex(of: node) { return place }
        guard nodes.count < Self.nodeLimit else { return nil }
        nodes.append(node)
        return nodes.count - 1
    }

    /// A slot is this node's; nothing where there are too many nodes.
    mutating func move(_ slot: HashSlot, to node: RedisEndpoint) {
        guard let place = add(node) else { return }
        let owner = owners[Int(slot.number)]
        if owner == Self.nobody { coveredCount += 1 }
        owners[Int(slot.number)] = UInt16(place)
    }
}
