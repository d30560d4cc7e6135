import RESP

@testable import Relay

// What the nodes of a cluster answer, and what goes wrong in one.
extension RedisServer {
    /// From a master's end to the election of its replica.
    private static let election = (
        shortest: Nanoseconds.milliseconds(500), longest: Nanoseconds.seconds(16)
    )

    // MARK: - Changes

    /// A replica takes its master's place: it was asked to, or the master is gone, or it is cut off from
    /// the others and answers on.
    func failOverShard(agreed: Nanoseconds) {
        // Who sleeps over two of them finds all as it was, and cannot know that anything has happened.
        guard !world.isStandingStill else { return }
        let shard = world.faultDice.pick(0...Cluster.shardCount - 1)
        let election = world.faultDice.span(Self.election.shortest, Self.election.longest)
        switch world.faultDice.pick(0...3) {
        case 0:
            let agreedAt = world.clock + agreed.count
            cluster.handOver(shard: shard, laggards: drawLaggards(), agreedAt: agreedAt)
            let master = Int(cluster.layout.masters[shard])
            return world.note(.failover, master, Int(agreed.milliseconds))
        case 1: lose(shard, isSilent: false)
        case 2: lose(shard, isSilent: true)
        default:
            // It notices before the others agree that it is gone.
            let port = cluster.cutOffMaster(of: shard, notices: world.clock + election.count / 2)
            world.note(.cutOff, Int(port))
            for session in livingSessions where session.connection.port == port {
                noteBreak(of: session)
            }
        }
        world.plan(.redis, in: election, 2, cluster.number)
    }

    private func lose(_ shard: Int, isSilent: Bool) {
        let port = cluster.loseMaster(of: shard, isSilent: isSilent)
        world.note(.nodeAway, Int(port), isSilent ? 1 : 0)
        for session in livingSessions where session.connection.port == port {
            if isSilent {
                noteBreak(of: session)
            } else {
                drop(session, reset: true)
            }
        }
    }

    /// The replica of a master that is gone is elected, if that has not come back.
    func elect(_ number: Int) {
        guard number == cluster.number, let shard = cluster.headless else { return }
        // The new master tells all nodes at once: who has not heard of it a question later is cut off.
        let lag = Nanoseconds(world.plan.settings.redisPingInterval.count / 4)
        let agreed = world.faultDice.span(.milliseconds(1), lag)
        cluster.elect(laggards: drawLaggards(), agreedAt: world.clock + agreed.count)
        world.note(.failover, Int(cluster.layout.masters[shard]), Int(agreed.milliseconds))
    }

    /// The node that was away comes back, with none of its clients, or one that was cut off relays on as
    /// a replica.
    func endFailover() {
        for session in livingSessions where session.connection.port == cluster.cutOff?.port {
            noteBreak(of: session)
            for name in session.state.channels {
                world.channel(named: name)?.subscribedAt = world.clock
            }
        }
        if let away = cluster.away {
            for session in livingSessions where session.connection.port == away.port {
                drop(session, reset: true)
            }
        }
        cluster.endFailover()
    }

    /// A part of the slots goes to another shard: its former master ends the subscriptions of their
    /// channels.
    func moveSlots(agreed: Nanoseconds) {
        let part = world.faultDice.pick(0...Cluster.partCount - 1)
        let shard = world.faultDice.pick(0...Cluster.shardCount - 1)
        let origin = cluster.layout.shards[part]
        // Nobody moves slots from or to a master that is not there.
        guard shard != origin, cluster.away == nil, cluster.cutOff == nil else { return }
        world.note(.slotsMoved, part, shard)
        cluster.move(
            part: part, to: shard, laggards: drawLaggards(),
            agreedAt: world.clock + agreed.count)
        for session in livingSessions where Cluster.shard(of: session.connection.port) == origin {
            for name in session.state.channels where Cluster.part(of: HashSlot(of: name)) == part {
                guard let channel = world.channel(named: name) else { continue }
                session.keeps.remove(channel.index)
                channel.brokenAt = world.clock
                var reply = RESPEncoder(version: session.state.version)
                unsubscribe(name, session, &reply)
                world.send(reply.bytes, on: session.connection)
            }
        }
    }

    private func drawLaggards() -> Set<UInt16> {
        Set(Cluster.ports.filter { _ in world.faultDice.chance(0.5) })
    }

    // MARK: - Answers

    /// Whether a node takes connections.
    func isThere(_ port: UInt16) -> Bool { cluster.away?.port != port }

    /// Whether a node answers nothing.
    func isSilent(_ port: UInt16) -> Bool {
        cluster.away.map { $0.port == port && $0.isSilent } ?? false
    }

    /// Answers for a node of the cluster what the broker does not know; false where it is the broker's to
    /// answer.
    func nodeAnswers(
        _ name: String, _ words: [[UInt8]], _ session: Session, _ reply: inout RESPEncoder
    ) -> Bool {
        let port = session.connection.port
        let view = cluster.view(of: port, at: world.clock)
        switch (name, words.count) {
        case ("CLUSTER", 2): answerCluster(words[1], view, at: port, &reply)
        case ("ROLE", 1): answerRole(isMaster: view.isMaster(port), &reply)
        case ("HELLO", _):
            session.state.version = .resp3
            reply.version = .resp3
            reply.mapHeader(4)
            for text in ["proto", "3", "role", view.isMaster(port) ? "master" : "replica"] {
                reply.bulkString(text)
            }
            for text in ["mode", "cluster", "version", "7.0.0"] { reply.bulkString(text) }
        case ("SSUBSCRIBE", 2), ("SUNSUBSCRIBE", 2):
            let slot = HashSlot(of: words[1])
            if cluster.isFailing(port, at: world.clock) {
                reply.simpleError("CLUSTERDOWN The cluster is down")
            } else if view.shard(of: slot) != Cluster.shard(of: port) {
                let master = view.masters[view.shard(of: slot)]
                reply.simpleError("MOVED \(slot.number) \(Cluster.host):\(master)")
            } else if name == "SSUBSCRIBE" {
                subscribe(words[1], session, &reply)
            } else {
                world.channel(named: words[1])?.brokenAt = world.clock
                unsubscribe(words[1], session, &reply)
            }
        default: return false
        }
        return true
    }

    /// A node tells whether it is the master of its shard.
    func answerRole(isMaster: Bool, _ reply: inout RESPEncoder) {
        reply.arrayHeader(3)
        reply.bulkString(isMaster ? "master" : "slave")
        reply.integer(0)
        reply.arrayHeader(0)
    }

    private func answerCluster(
        _ question: [UInt8], _ view: Cluster.Layout, at port: UInt16, _ reply: inout RESPEncoder
    ) {
        switch String(decoding: question, as: UTF8.self) {
        case "SLOTS":
            reply.arrayHeader(Cluster.partCount)
            for part in 0..<Cluster.partCount {
                let slots = Cluster.slots(of: part)
                let master = view.masters[view.shards[part]]
                reply.arrayHeader(4)
                reply.integer(slots.first)
                reply.integer(slots.last)
                for node in [master, Cluster.partner(of: master)] {
                    reply.arrayHeader(3)
                    reply.bulkString(Cluster.host)
                    reply.integer(Int(node))
                    reply.bulkString("node\(node)")
                }
            }
        case "INFO":
            let isFailing = cluster.isFailing(port, at: world.clock)
            reply.bulkString("cluster_enabled:1\r\ncluster_state:\(isFailing ? "fail" : "ok")\r\n")
        default:
            world.fail("a node was asked CLUSTER \(String(decoding: question, as: UTF8.self))")
        }
    }

    // MARK: - Subscriptions

    private func subscribe(_ name: [UInt8], _ session: Session, _ reply: inout RESPEncoder) {
        let count = command("SUBSCRIBE", name, session)
        noteSubscription(to: name, session)
        answer("ssubscribe", name, count, &reply)
    }

    private func unsubscribe(_ name: [UInt8], _ session: Session, _ reply: inout RESPEncoder) {
        let count = command("UNSUBSCRIBE", name, session)
        answer("sunsubscribe", name, count, &reply)
    }

    private func answer(
        _ kind: String, _ name: [UInt8], _ count: Int, _ reply: inout RESPEncoder
    ) {
        reply.pushHeader(3)
        reply.bulkString(kind)
        reply.bulkString(name)
        reply.integer(count)
    }
}
