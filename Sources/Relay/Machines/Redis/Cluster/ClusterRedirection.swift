/// `MOVED slot host:port`: the slot is another node's, which is to be asked from now on.
struct ClusterRedirection: Equatable, Sendable {
    let slot: HashSlot
    /// The node's name or address without brackets; empty where it is that of the node that has said it.
    private let host: String
    private let port: UInt16

    /// Reads the text of an error; nil where it is none of these.
    ///
    /// An IPv6 address stands without brackets before its port, as Redis writes it, or with them.
    init?(_ reply: String) {
        let words = reply.split(separator: " ")
        guard words.count >= 3, words[0] == "MOVED", let number = Self.number(words[1]),
            let slot = HashSlot(number),
            let colon = words[2].utf8.lastIndex(of: UInt8(ascii: ":")),
            let port = Self.number(words[2][words[2].utf8.index(after: colon)...]),
            let port = UInt16(exactly: port), port != 0
        else { return nil }
        var host = String(words[2][..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard host.isEmpty || host == "?" || ClusterTopology.isHost(host) else { return nil }
        (self.slot, self.host, self.port) = (slot, host, port)
    }

    private static func number(_ text: Substring) -> Int? {
        let isDigits = text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return (1...5).contains(text.utf8.count) && isDigits ? Int(text) : nil
    }

    /// The node that is to be asked, where `origin` is the one that has said so; nil where it has no name
    /// yet, so that only the topology tells.
    func target(from origin: RedisEndpoint) -> RedisEndpoint? {
        host == "?" ? nil : RedisEndpoint(host: host.isEmpty ? origin.host : host, port: port)
    }
}
