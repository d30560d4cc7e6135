@testable import Relay

/// Three masters with a replica each in the place of the one Redis: who has which slots, and which of
/// the nodes know of it.
struct Cluster {
    /// What a node takes for true.
    struct Layout: Equatable {
        /// The port of each shard's master; its other node is the replica.
        fileprivate(set) var masters: [UInt16] = (0..<Cluster.shardCount).map {
            Cluster.ports.lowerBound + UInt16($0)
        }
        /// The shard of each part of the slots.
        fileprivate(set) var shards = (0..<Cluster.partCount).map { $0 % Cluster.shardCount }

        func shard(of slot: HashSlot) -> Int { shards[Cluster.part(of: slot)] }

        func isMaster(_ port: UInt16) -> Bool { masters.contains(port) }
    }

    static let shardCount = 3
    /// Where its nodes answer: the first three are masters in the beginning.
    static let ports: ClosedRange<UInt16> = 7001...7006
    static let host = "redis.test"
    /// Slots move in parts of their whole number.
    static let partCount = 12

    /// How things are: whoever publishes goes by it.
    private(set) var layout = Layout()
    /// How they were before the last change, and the nodes that go by it still, until when.
    private var former = Layout()
    private var laggards: Set<UInt16> = []
    private var agreedAt: Int64 = 0
    /// A node that is away: it refuses connections or, where it is silent, answers nothing.
    private(set) var away: (port: UInt16, isSilent: Bool)?
    /// A node that the others do not reach: it goes by what it knew, and notices it in time.
    private(set) var cutOff: (port: UInt16, layout: Layout, notices: Int64)?
    /// A shard whose master is gone, and whose replica has not taken its place.
    private(set) var headless: Int?
    /// What tells the present fail-over from former ones.
    private(set) var number = 0

    /// What the daemon is told of where it is.
    static var address: RedisTarget.Address {
        .cluster(
            ClusterSeeds(
                nodes: ports.prefix(shardCount).map { RedisEndpoint(host: host, port: $0) }))
    }

    static func part(of slot: HashSlot) -> Int { Int(slot.number) * partCount / HashSlot.count }

    /// The slots of a part: the first and the last.
    static func slots(of part: Int) -> (first: Int, last: Int) {
        let first = { (part: Int) in (part * HashSlot.count + partCount - 1) / partCount }
        return (first(part), first(part + 1) - 1)
    }

    /// The shard that a node is of, always.
    static func shard(of port: UInt16) -> Int { Int(port - ports.lowerBound) % shardCount }

    /// The other node of its shard.
    static func partner(of port: UInt16) -> UInt16 {
        let count = UInt16(shardCount)
        return port - ports.lowerBound < count ? port + count : port - count
    }

    /// What a node takes for true now.
    func view(of port: UInt16, at time: Int64) -> Layout {
        if let cutOff, cutOff.port == port { return cutOff.layout }
        return laggards.contains(port) && time < agreedAt ? former : layout
    }

    /// Whether a node passes on what is published for its shard: its master, and a replica over the bus.
    func relays(_ port: UInt16, _ channel: Channel) -> Bool {
        Self.shard(of: port) == layout.shard(of: HashSlot(of: channel.name)) && isReached(port)
    }

    /// Whether a node is there for the others.
    private func isReached(_ port: UInt16) -> Bool { away?.port != port && cutOff?.port != port }

    /// Whether somebody takes what is published for a channel.
    func takesPublications(of channel: Channel) -> Bool {
        headless != layout.shard(of: HashSlot(of: channel.name))
    }

    /// Whether a node has noticed that it does not reach the others.
    func isFailing(_ port: UInt16, at time: Int64) -> Bool {
        cutOff.map { $0.port == port && time >= $0.notices } ?? false
    }

    // MARK: - Changes

    /// The replica takes its master's place at once, which becomes its replica: `CLUSTER FAILOVER`.
    mutating func handOver(shard: Int, laggards: Set<UInt16>, agreedAt: Int64) {
        number += 1
        promote(shard, laggards, agreedAt)
    }

    /// A master is gone; returns it.
    mutating func loseMaster(of shard: Int, isSilent: Bool) -> UInt16 {
        number += 1
        headless = shard
        let port = layout.masters[shard]
        away = (port, isSilent)
        return port
    }

    /// A master is cut off from the others, and will notice that.
    mutating func cutOffMaster(of shard: Int, notices: Int64) -> UInt16 {
        number += 1
        headless = shard
        let port = layout.masters[shard]
        cutOff = (port, layout, notices)
        return port
    }

    /// The replica takes the place of a master that is gone or cut off.
    mutating func elect(laggards: Set<UInt16>, agreedAt: Int64) {
        guard let shard = headless else { return }
        headless = nil
        promote(shard, laggards, agreedAt)
    }

    private mutating func promote(_ shard: Int, _ laggards: Set<UInt16>, _ agreedAt: Int64) {
        former = layout
        layout.masters[shard] = Self.partner(of: layout.masters[shard])
        // The two that it is about know of it.
        self.laggards = laggards.filter { Self.shard(of: $0) != shard }
        self.agreedAt = agreedAt
    }

    /// Slots go to another shard.
    mutating func move(part: Int, to shard: Int, laggards: Set<UInt16>, agreedAt: Int64) {
        former = layout
        let origin = layout.shards[part]
        layout.shards[part] = shard
        self.laggards = laggards.filter { ![shard, origin].contains(Self.shard(of: $0)) }
        self.agreedAt = agreedAt
    }

    /// The fail-over is over: whoever was away or cut off is a part of the cluster again.
    mutating func endFailover() {
        number += 1
        away = nil
        cutOff = nil
        headless = nil
    }

    /// All know the same.
    mutating func heal() {
        endFailover()
        laggards = []
    }
}
