import RESP

// The answer to `CLUSTER SLOTS`: for each range of slots its master and the replicas of that.
extension ClusterTopology {
    /// Most ranges of slots that are read: a cluster that is split up for good has fewer.
    static let rangeLimit = HashSlot.count
    /// The longest name of a host that is taken, in bytes (RFC 1035, section 2.3.4).
    static let hostLimit = 253

    /// Reads an answer; nil where it is none.
    ///
    /// - Parameter host: that of the node that has answered, which stands for itself by no name, or an
    ///   empty one, where it does not know what it is called.
    init?(slots reply: RESPValue, askedAt host: String) {
        guard reply.kind == .array, reply.count <= Self.rangeLimit else { return nil }
        self.init()
        for range in reply.children {
            var parts = range.children
            guard range.kind == .array, let first = parts.next()?.integer.flatMap(HashSlot.init),
                let last = parts.next()?.integer.flatMap(HashSlot.init), first <= last,
                let master = parts.next()
            else { return nil }
            let node: RedisEndpoint?
            switch Self.node(master, askedAt: host) {
            case .endpoint(let endpoint): node = endpoint
            case .unreachable: node = nil
            case .malformed: return nil
            }
            for number in first.number...last.number {
                guard let node, let slot = HashSlot(Int(number)) else { break }
                move(slot, to: node)
            }
            while let replica = parts.next() {
                if case .endpoint(let endpoint) = Self.node(replica, askedAt: host) {
                    add(endpoint)
                }
            }
        }
    }

    /// What is said of a node.
    private enum Node {
        case endpoint(RedisEndpoint)
        /// It has no port of the kind that is used: port 0.
        case unreachable
        case malformed
    }

    /// Reads host, port, id and, from Redis 7 on, further names.
    private static func node(_ value: RESPValue, askedAt host: String) -> Node {
        var parts = value.children
        guard value.kind == .array, let name = parts.next(), let port = parts.next()?.integer,
            let port = UInt16(exactly: port), name.isNull || name.string != nil
        else { return .malformed }
        guard port != 0 else { return .unreachable }
        _ = parts.next()
        var found = name.string ?? ""
        // A node that is to be called by a host name, and was given none.
        if found == "?" { found = parts.next().flatMap { Self.text($0, forKey: "ip") } ?? "" }
        if found.isEmpty { found = host }
        guard isHost(found) else { return .malformed }
        return .endpoint(RedisEndpoint(host: found, port: port))
    }

    /// A member of a map, or of the flat array that RESP2 has in its place.
    private static func text(_ members: RESPValue, forKey key: String) -> String? {
        if let value = members.value(forKey: key) { return value.string }
        var parts = members.children
        while let name = parts.next(), let value = parts.next() {
            if name.string == key { return value.string }
        }
        return nil
    }

    /// Whether the text may be looked up.
    static func isHost(_ text: String) -> Bool {
        (1...hostLimit).contains(text.utf8.count)
            && (text.utf8.allSatisfy(HostAndPort.isNameByte) || HostAndPort.isAddressV6(text))
    }
}
