/// The links that subscriptions share: one, or in a cluster one to each master that has channels.
struct SharedLinks {
    private var links: [(node: RedisEndpoint?, link: SlotID)] = []

    /// All of them, in the order of their making.
    var all: [(node: RedisEndpoint?, link: SlotID)] { links }

    /// The link to a node; there is no node outside a cluster.
    func link(to node: RedisEndpoint?) -> SlotID? {
        links.first { $0.node == node }?.link
    }

    /// Takes a link to a node up.
    mutating func insert(_ link: SlotID, to node: RedisEndpoint?) {
        links.append((node, link))
    }

    /// Forgets a link, if it is one of these.
    mutating func remove(_ link: SlotID) {
        links.removeAll { $0.link == link }
    }
}
