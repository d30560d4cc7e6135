@testable import Relay

/// What a seed makes of a world: how large it is, what goes wrong in it, how the daemon is set up.
struct Plan {
    let seed: UInt64
    /// What may go wrong.
    var faults: FaultSet
    /// How many browsers there are.
    var pages: Int
    /// How many channels they share.
    var channels: Int
    /// How long things go wrong.
    var duration: Nanoseconds
    /// The mean time between two faults of a kind that comes and goes.
    var faultInterval: Nanoseconds
    /// The mean time between two messages of a channel.
    var messageInterval: Nanoseconds
    /// The mean length of a payload.
    var payloadLength: Int
    /// The chance of each small mischief of the kernel, where it is there at all.
    var mischief: Double
    /// The time that a packet takes.
    var latency: Nanoseconds
    var settings = Settings()
    /// Timers that the loop fires in a turn.
    var timerLimit = 4096
    /// Whether a script says what happens, and not the seed.
    var isScripted = false
    /// How many of the pages can resume: none in most worlds.
    var resumeShare = 0.0
    /// Whether Redis is a cluster.
    var isCluster = false
    /// WebSockets that may be open at once.
    var connectionLimit = 40_000

    /// What a person changes of it, or shrinking.
    struct Change {
        var pages: Int?
        var faults: FaultSet?
        var seconds: Int64?

        init() {}
    }

    init(seed: UInt64, change: Change = Change()) {
        self.seed = seed
        var dice = Dice(seed: seed, 1)
        faults = Self.drawFaults(&dice)
        // Most worlds are small, so that many of them fit into a minute; some are large.
        switch dice.pick(0...199) {
        case 0: pages = dice.chance(0.2) ? dice.pick(6000...20_000) : dice.pick(1000...6000)
        case 1...9: pages = dice.pick(100...400)
        case 10...79: pages = dice.pick(8...40)
        default: pages = dice.pick(1...8)
        }
        // One connection of the broker's may have 10,000 subscriptions.
        channels = min(9000, max(1, dice.chance(0.7) ? pages : pages / dice.pick(1...8)))
        let longest: Int64 = pages > 1000 ? 20 : pages > 60 ? 60 : 600
        duration = dice.span(.seconds(10), .seconds(longest))
        faultInterval = dice.span(.seconds(2), .seconds(60))
        messageInterval = dice.span(
            .milliseconds(pages > 6000 ? 15_000 : pages > 60 ? 2000 : 50), .seconds(20))
        payloadLength = dice.pick(of: [10, 60, 60, 300, 3000])
        mischief = dice.pick(of: [0.01, 0.05, 0.3])
        latency = dice.span(.milliseconds(0) + Nanoseconds(50_000), .milliseconds(80))
        drawSettings(&dice)
        if let changed = change.pages {
            pages = changed
            channels = min(channels, changed)
        }
        if let changed = change.faults {
            faults = changed
        }
        settings.redis.address = redisAddress
        if let seconds = change.seconds { duration = .seconds(seconds) }
        if !faults.contains(.latency) { latency = Nanoseconds(200_000) }
        if faults.contains(.oversizedPayload) {
            settings.maxPayloadSize = max(2 * payloadLength, 512)
        }
    }

    /// A sixth of the worlds is calm; the others draw how wild they are, then each fault.
    private static func drawFaults(_ dice: inout Dice) -> FaultSet {
        guard !dice.chance(1.0 / 6) else { return [] }
        let share = dice.pick(of: [0.08, 0.2, 0.2, 0.5])
        var faults: FaultSet = []
        for fault in Fault.allCases where fault != .resharding && dice.chance(share) {
            faults.insert(fault)
        }
        return faults
    }

    /// What the daemon is told of where Redis is.
    private var redisAddress: RedisTarget.Address {
        if isCluster { return Cluster.address }
        return faults.contains(.failover)
            ? Failover.address : .tcp(host: "redis.test", port: World.redisPort)
    }

    private mutating func drawSettings(_ dice: inout Dice) {
        settings.listenAddress = .tcp(host: "", port: World.port)
        settings.pingInterval = dice.pick(of: [.seconds(1), .seconds(5), .seconds(5), .seconds(20)])
        settings.pongTimeout =
            settings.pingInterval * dice.pick(2...4) + dice.span(.seconds(3), .seconds(60))
        settings.writeTimeout = dice.pick(of: [.seconds(2), .seconds(2), .seconds(5)])
        settings.redisRequestTimeout = dice.pick(
            of: [.seconds(1), .seconds(1), .milliseconds(500), .seconds(3)])
        settings.redisPingInterval = dice.pick(of: [.seconds(5), .seconds(1), .seconds(5)])
        settings.redisMaxRetries = dice.pick(of: [0, 0, 5, 5, 3])
        settings.redisRetryBase = dice.pick(of: [.seconds(1), .seconds(1), .milliseconds(200)])
        settings.redisRetryMax = dice.pick(of: [.seconds(30), .seconds(4), .seconds(10)])
        settings.redisDialConcurrency = dice.pick(of: [64, 64, 1, 4])
        settings.redisDialRate = dice.pick(of: [500, 500, 50, 2000])
        settings.gapNotices = dice.chance(0.8)
        settings.drainDelay = dice.pick(of: [.zero, .zero, .seconds(3)])
        settings.drainWindow = dice.pick(of: [.zero, .zero, .seconds(5)])
        settings.shutdownTimeout = dice.pick(of: [.seconds(15), .seconds(3)])
        settings.acceptRate = dice.pick(of: [1000, 1000, 0, 50])
        settings.memoryBudget = dice.pick(of: [256 << 20, 256 << 20, 256 << 20, 4 << 20])
        // A page holds a block of memory for the last byte that its kernel has not taken.
        settings.memoryBudget = max(settings.memoryBudget, pages * 8192)
        settings.metricsEnabled = true
        // Dice of its own: what else the seed makes of the world stays as it was.
        var placement = Dice(seed: seed, 6)
        settings.redisSubscriptions = placement.chance(0.4) ? .shared : .dedicated
        if pages > 1, placement.chance(0.3) { settings.loops = placement.pick(2...4) }
        drawResume()
        drawCluster()
        if pages > 1000 {
            settings.redisDialRate = 2000
            settings.acceptRate = 0
        }
        // A few timers stand for the thousands of a large daemon.
        timerLimit = dice.pick(of: [4096, 4096, 64, 4, 1])
        if pages > 60 { timerLimit = max(timerLimit, 64) }
    }

    /// Whether pages can resume, for how long, and how much is held for them: dice of its own, again.
    private mutating func drawResume() {
        var dice = Dice(seed: seed, 7)
        guard dice.chance(0.4) else { return }
        resumeShare = dice.pick(of: [0.3, 0.7, 1])
        settings.resumeWindow = dice.pick(
            of: pages > 60
                ? [.seconds(5), .seconds(1)]
                : [.seconds(30), .seconds(30), .seconds(120), .seconds(5), .seconds(1), .zero])
        settings.resumeChannelBytes = dice.pick(of: [256 << 10, 256 << 10, 4096, 300])
    }

    /// Whether Redis is a cluster, and whether slots move in it: dice of its own, again.
    private mutating func drawCluster() {
        var dice = Dice(seed: seed, 9)
        isCluster = dice.chance(0.2)
        guard isCluster else { return }
        settings.redis.database = 0
        if !faults.isEmpty, dice.chance(0.5) { faults.insert(.resharding) }
    }

    /// The production configuration: what an operator has who sets nothing.
    static func production(seed: UInt64, pages: Int, hours: Int64) -> Plan {
        var plan = Plan(seed: seed)
        plan.faults = []
        plan.pages = pages
        plan.channels = pages
        plan.duration = .seconds(3600 * hours)
        plan.messageInterval = .seconds(20)
        plan.payloadLength = 200
        plan.latency = .milliseconds(1)
        plan.resumeShare = 0
        let drawn = plan.settings
        plan.settings = Settings()
        plan.settings.listenAddress = drawn.listenAddress
        plan.isCluster = false
        plan.settings.redis = drawn.redis
        plan.settings.redis.address = plan.redisAddress
        return plan
    }

    /// How many event loops the daemon has.
    var loops: Int { max(1, settings.loops) }

    /// The longest that a page that wants to be subscribed may take once nothing goes wrong.
    var recoveryLimit: Nanoseconds {
        let settings = settings
        let backoff = settings.redisRetryMax + settings.redisRequestTimeout
        let dials = Nanoseconds.seconds(
            Int64(pages / max(1, settings.redisDialRate)) + Int64(pages * 2 / 1000))
        // The gate holds each dial for as long as its greeting takes.
        let turns = Int64(pages / max(1, settings.redisDialConcurrency) + 2)
        let gate = latency * (12 * turns) + .milliseconds(100) * turns
        // Of a cluster's nodes one has a quarter of the gate's places; then answers have to agree.
        let cluster = isCluster ? gate * 4 + settings.redisPingInterval * 3 + .seconds(2) : .zero
        let accepts = Nanoseconds.seconds(
            settings.acceptRate == 0 ? 0 : Int64(2 * pages / settings.acceptRate))
        let stale = settings.pongTimeout + RedisLink.dialLimit + RedisLink.lookUpLimit
        // A page whose connection has ended on a dead way learns of it when its kernel asks.
        let deaf = faults.contains(.browserPathDead) ? World.peerKeepAlive : .zero
        return backoff + backoff + dials + gate + cluster + accepts + stale
            + deaf + .seconds(15 + 15 + 10)
    }
}
