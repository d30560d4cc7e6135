import Logging

// A cluster: which node each link goes to, and what follows when that changes. One link of the process
// asks where the slots are; its answers go to all loops.
extension LinkShell where S: ~Copyable {
    /// The node that a link is to dial: for a channel the master of its slot. Nil outside a cluster, and
    /// where nobody is known to serve the slot.
    private func node(for id: SlotID) -> RedisEndpoint? {
        if case .subscription(let channel) = entries[id].machine.purpose {
            return cluster.master(of: channel)
        }
        return entries[id].node
    }

    /// Puts a link into the queue of the dial gate. One that asks for all does not wait behind thousands
    /// that dial a server which is not there.
    mutating func enqueue(_ id: SlotID, _ context: borrowing LoopContext<S>) {
        if context.isCluster { entries[id].machine.node = node(for: id) }
        gate.enqueue(id, isAhead: entries[id].machine.isProbe)
    }

    /// The nodes of a cluster that a link dials until one answers.
    mutating func nodes(
        for id: SlotID, _ context: borrowing LoopContext<S>
    ) -> [RedisEndpoint] {
        guard case .cluster(let seeds) = context.settings.redis.address else { return [] }
        if entries[id].machine.purpose == .topology { return cluster.nodesToAsk(seeds) }
        return entries[id].node.map { [$0] } ?? []
    }

    /// The dial to a node is decided: a link that was held for it may have its turn.
    mutating func endNodeDial(_ id: SlotID) {
        guard let node = entries[id].node else { return }
        for held in cluster.dials.ended(at: node) where contains(held) { gate.enqueue(held) }
    }

    /// Since when messages of a link may be missing: since the last question went out that was answered.
    /// In a cluster a node may have been the slot's master in its own eyes alone: nothing younger than
    /// what two answers about the topology have said is sure (I11).
    func lossBegan(on id: SlotID, _ context: borrowing LoopContext<S>) -> BootTime {
        let confirmedAt = entries[id].confirmedAt
        return context.isCluster ? min(confirmedAt, cluster.confirmedAt) : confirmedAt
    }

    // MARK: - Topology

    /// Asks for the topology, soon: in this loop, or by the one that has the link for that.
    mutating func wantTopology(_ context: inout LoopContext<S>) {
        guard context.isCluster else { return }
        guard context.place.isFirst else {
            if !cluster.isAwaited { context.place.share.post(.topologyWanted, to: 0) }
            cluster.isAwaited = true
            return
        }
        guard let probe, contains(probe) else { return }
        entries[probe].machine.inquiry?.want(at: context.loop.now)
        arm(probe, &context)
    }

    /// A node has told where the slots are.
    mutating func mapped(by id: SlotID, _ context: inout LoopContext<S>) {
        guard let told = entries[id].machine.inquiry?.takeTopology() else { return }
        context.metrics.clusterTopologies += 1
        let askedAt = entries[id].askedAt
        learn(told.topology, askedAt: askedAt, isSure: told.isSure, &context)
        if cluster.isUnsettled {
            // Whether it is so is known by another answer.
            entries[id].machine.inquiry?.want(at: context.loop.now + ClusterView.settlingTime)
            arm(id, &context)
        }
        context.tellLoops(.topology(told.topology, askedAt: askedAt, isSure: told.isSure))
    }

    /// Takes up where the slots are.
    mutating func learn(
        _ topology: ClusterTopology, askedAt: BootTime, isSure: Bool,
        _ context: inout LoopContext<S>
    ) {
        if context.place.isFirst, isSure == cluster.isDown { logState(isSure, context) }
        let news = cluster.learn(
            topology, askedAt: askedAt, isSure: isSure, now: context.loop.now)
        if news.isNew {
            if context.place.isFirst { logTopology(context) }
            matchProbes(&context)
        }
        if news.isNew || news.isSettled {
            for id in ids where contains(id) { follow(id, isSure: news.isSettled, &context) }
        }
        tell(.mapped(news))
    }

    private func logState(_ isSure: Bool, _ context: borrowing LoopContext<S>) {
        guard !isSure else { return context.log.redis.info("cluster is up") }
        context.log.redis.warning(
            "cluster is down", metadata: ["error": "\(LinkFailure.clusterDown)"])
    }

    private func logTopology(_ context: borrowing LoopContext<S>) {
        var metadata: Logger.Metadata = [
            "masters": .stringConvertible(cluster.topology.masters.count),
            "nodes": .stringConvertible(cluster.topology.nodes.count),
        ]
        let missing = HashSlot.count - cluster.topology.coveredCount
        guard missing > 0 else {
            return context.log.redis.info("cluster topology", metadata: metadata)
        }
        metadata["slots_without_master"] = .stringConvertible(missing)
        context.log.redis.warning("cluster topology", metadata: metadata)
    }

    /// What is done once a second whether anything comes or not.
    mutating func lookAfterCluster(_ context: inout LoopContext<S>) {
        cluster.isAwaited = false
        for held in cluster.dials.releasable() where contains(held) { gate.enqueue(held) }
        if cluster.probes.isEmpty { matchProbes(&context) }
    }

    // MARK: - Probes

    /// Sees to it that each master has a link that tells whether it answers: those of the first loop tell
    /// for the process, and in the others they vouch for many links.
    private mutating func matchProbes(_ context: inout LoopContext<S>) {
        let interval = context.settings.redisPingInterval
        let isWanted =
            context.place.isFirst
            || !context.settings.gapNotices
                && LivenessCheck.patience(links: count, interval: interval) > interval
        guard isWanted else { return }
        let masters = cluster.topology.masters
        for probe in cluster.probes where contains(probe) {
            if let node = entries[probe].node, masters.contains(node) { continue }
            close(probe, &context)
        }
        var probes = cluster.probes.filter { contains($0) }
        for master in masters where !probes.contains(where: { entries[$0].node == master }) {
            probes.append(open(.probe, carries: .nothing, at: master, &context))
        }
        cluster.probes = probes
    }

    /// The links that tell whether servers answer.
    func probes(_ context: borrowing LoopContext<S>) -> [SlotID] {
        let probes = context.isCluster ? cluster.probes : probe.map { [$0] } ?? []
        return probes.filter { contains($0) }
    }

    /// Whether the cluster is up and each slot has a master that answers, as far as is known. One that
    /// has not been asked yet is given the time for it.
    func isClusterAnswering() -> Bool {
        guard isProbeAnswering, cluster.topology.isComplete, !cluster.isDown else { return false }
        return cluster.probes.allSatisfy {
            !contains($0) || entries[$0].machine.isAnswering
                || entries[$0].machine.failedAttempts == 0
        }
    }

    // MARK: - Links of their own

    /// A link follows its slot, where it waits for it or, as soon as that is sure, has been left behind.
    private mutating func follow(
        _ id: SlotID, isSure: Bool = false, _ context: inout LoopContext<S>
    ) {
        guard case .subscription = entries[id].machine.purpose, !entries[id].isDialing else {
            return
        }
        let node = node(for: id)
        guard node != entries[id].node else { return }
        switch entries[id].machine.state {
        case .waiting: entries[id].machine.node = node
        case .backingOff:
            guard node != nil, entries[id].machine.hasten(now: context.loop.now) else { return }
            enqueue(id, context)
            arm(id, &context)
        case .live where isSure && node != nil: failed(id, .slotLeft, &context)
        default: break
        }
    }

    /// Learns from the failure of a link where else its channel may be; the link has failed by now.
    mutating func noteFailureOfNode(
        _ failure: LinkFailure, of id: SlotID, _ context: inout LoopContext<S>
    ) {
        guard context.isCluster, !entries[id].machine.isProbe else { return }
        switch failure {
        case .slotLeft: context.metrics.clusterMoves += 1
        case .moved(let redirection): _ = redirected(id, redirection, &context)
        // Nothing more is known by asking.
        case .slotUnserved, .loading, .busy: return
        default: break
        }
        wantTopology(&context)
        follow(id, &context)
    }

    /// A link's node has named another for a slot; false where that is not to be followed at once.
    mutating func redirected(
        _ id: SlotID, _ redirection: ClusterRedirection, _ context: inout LoopContext<S>
    ) -> Bool {
        context.metrics.clusterRedirections += 1
        guard let origin = entries[id].node else { return false }
        return cluster.note(redirection, from: origin, now: context.loop.now)
    }
}

extension LoopContext where S: ~Copyable {
    /// Whether channels are spread over the masters of a cluster.
    var isCluster: Bool { settings.redis.isCluster }
}
