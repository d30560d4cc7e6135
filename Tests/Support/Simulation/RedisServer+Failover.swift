import RESP

@testable import Relay

/// Servers behind Sentinels: who is the master, and who says so.
struct Failover {
    /// The name by which the Sentinels know the master.
    static let service = "relay"
    /// Where the Sentinels answer.
    static let sentinels: ClosedRange<UInt16> = 26_379...26_381

    /// The port of the present master, and of the one before.
    private(set) var master = World.redisPort
    private(set) var former = World.redisPort
    /// Until when some of the Sentinels name the former one.
    private(set) var agreedAt: Int64 = 0

    /// What the daemon is told of where Redis is.
    static var address: RedisTarget.Address {
        .sentinel(
            SentinelService(
                name: service, sentinels: sentinels.map { .init(host: "sentinel.test", port: $0) }))
    }

    /// The other server becomes the master; some Sentinels learn of it later.
    mutating func change(at time: Int64, agreed: Nanoseconds) {
        former = master
        master = master == World.redisPort ? World.redisPort + 1 : World.redisPort
        agreedAt = time + agreed.count
    }

    /// The port that a Sentinel names: they agree after some time.
    func named(by port: UInt16, at time: Int64) -> UInt16 {
        time < agreedAt && port != Self.sentinels.upperBound ? former : master
    }
}

// What a Sentinel answers, and a server that is no master.
extension RedisServer {
    /// Another server becomes the master: the former one lets go of its clients, as the Sentinels ask
    /// it to.
    func failOver(agreed: Nanoseconds) {
        failover.change(at: world.clock, agreed: agreed)
        world.note(.failover, Int(failover.master), Int(agreed.milliseconds))
        dropAll()
    }

    /// Answers for a Sentinel or a replica; false where the command is the broker's to answer.
    func answersOtherwise(
        _ name: String, _ words: [[UInt8]], _ session: Session, _ reply: inout RESPEncoder
    ) -> Bool {
        let port = session.connection.port
        if Failover.sentinels.contains(port) {
            sentinelAnswers(name, words, at: port, &reply)
            return true
        }
        guard !world.plan.isCluster else { return nodeAnswers(name, words, session, &reply) }
        guard world.plan.faults.contains(.failover) else { return false }
        switch name {
        case "ROLE":
            reply.arrayHeader(3)
            reply.bulkString(port == failover.master ? "master" : "slave")
            reply.integer(0)
            reply.arrayHeader(0)
        case "HELLO" where port != failover.master:
            session.state.version = .resp3
            reply.version = .resp3
            reply.mapHeader(2)
            for text in ["proto", "3", "role", "replica"] { reply.bulkString(text) }
        default: return false
        }
        return true
    }

    private func sentinelAnswers(
        _ name: String, _ words: [[UInt8]], at port: UInt16, _ reply: inout RESPEncoder
    ) {
        guard name == "SENTINEL", words.count == 3, words[2] == Array(Failover.service.utf8) else {
            return world.fail("a Sentinel was asked \(name)")
        }
        reply.arrayHeader(2)
        reply.bulkString("redis.test")
        reply.bulkString(String(failover.named(by: port, at: world.clock)))
    }

    // MARK: - Who is subscribed to what

    /// Every channel that a client is subscribed to is one that an open page hears, and by as many
    /// clients as there must be.
    func checkTable() {
        let wanted = world.wantedSubscriptions { $0.state == .open }
        var found = world.channels.map { _ in 0 }
        var kept = found
        for session in livingSessions {
            for name in session.state.channels {
                guard let channel = world.channel(named: name) else { continue }
                // Redis has refused to end it: the daemon keeps it, and passes nothing on.
                if session.keeps.contains(channel.index) { kept[channel.index] += 1 }
                found[channel.index] += 1
            }
        }
        // The former connection of a page that has come back is served until its silence is judged.
        let most = world.subscriptionsOfHeldConnections
        for index in wanted.indices
        where found[index] < wanted[index]
            || found[index] - kept[index] > max(wanted[index], most[index])
                + world.keptSubscriptions(of: world.channels[index])
        {
            return world.fail(
                "\(found[index]) clients of Redis are subscribed to channel \(index), and"
                    + " \(wanted[index]) must be")
        }
    }
}
