import Logging

// Subscriptions of shared links in a cluster: which node's link carries each, and what follows when its
// slot goes elsewhere.
extension Relay where S: ~Copyable {
    /// Gives a subscription its link: one of its own, or the one that it shares with others, in a cluster
    /// with those of its node. One that nobody is known to serve waits.
    mutating func place(_ id: SlotID) {
        let channel = hub[id].channel
        guard hub.mode == .shared else {
            hub[id].link = links.open(
                .subscription(channel: channel), carries: .one(id), &context)
            return
        }
        guard context.isCluster else {
            hub[id].link = links.sharedLink(to: nil, &context)
            return
        }
        guard let node = links.cluster.master(of: channel) else { return links.cluster.hold(id) }
        hub[id].link = links.sharedLink(to: node, &context)
    }

    /// Forgets a subscription that no node is known to serve, and no page waits for any more.
    mutating func forgetUnplaced(_ id: SlotID) {
        guard hub[id].state == .wanted, !hub[id].isWanted else { return }
        links.cluster.forget(id)
        hub.remove(id)
        context.loop.heldBytes = hub.resumeBytes
    }

    /// What is done once a second whether anything comes or not.
    mutating func lookAfterCluster() {
        guard context.isCluster else { return }
        links.lookAfterCluster(&context)
        placeWaiting()
    }

    /// A node has told where the slots are.
    mutating func mapped(_ news: ClusterView.News) {
        if news.isNew || news.isSettled, hub.mode == .shared {
            for id in hub.ids where hub.contains(id) { relocate(id, isSure: news.isSettled) }
        }
        for link in links.linksToFormerMasters() {
            // One that was asked for when the news came is looked at again when it has its answer.
            for id in carried(by: link) { relocate(id, isSure: !links.cluster.isUnsettled) }
            if carried(by: link).isEmpty { close(link) }
        }
        placeWaiting()
    }

    /// Asks for the subscriptions that have waited.
    private mutating func placeWaiting() {
        for id in links.cluster.takeWaiting(now: context.loop.now) {
            guard hub.contains(id), hub[id].link == nil else { continue }
            place(id)
            tell(id)
        }
    }

    /// A subscription goes to the link of its slot's node, where that is another than its own.
    ///
    /// While a command is open for it, its answer is waited for. One that is in force where the slot no
    /// longer is (a replica goes on relaying) is ended there first, as soon as that is sure.
    private mutating func relocate(_ id: SlotID, isSure: Bool) {
        guard let link = hub[id].link,
            let node = links.cluster.master(of: hub[id].channel),
            node != links.entries[link].node
        else { return }
        switch hub[id].state {
        case .requested, .ending: break
        case .wanted:
            hub[id].link = nil
            hub[id].isQueued = false
            place(id)
            tell(id)
        case .acknowledged where !isSure: break
        case .acknowledged:
            context.metrics.clusterMoves += 1
            beginOutage(id, since: links.lossBegan(on: link, context))
            hub.move(id)
            tell(id)
        }
    }

    /// A node has ended a subscription unasked: the slot is another's, and the topology will tell whose.
    mutating func slotWithdrawn(_ id: SlotID, on link: SlotID) {
        context.metrics.clusterMoves += 1
        lost(id, since: links.lossBegan(on: link, context))
        guard hub.contains(id) else { return }
        hub[id].link = nil
        links.cluster.hold(id)
        links.wantTopology(&context)
    }

    /// A node has refused a subscription, or the end of one, because of its slot.
    mutating func slotRefused(_ id: SlotID, _ failure: LinkFailure, on link: SlotID) {
        guard hub[id].link == link else { return }
        var isFollowed = false
        if case .moved(let redirection) = failure {
            isFollowed = links.redirected(link, redirection, &context)
            links.wantTopology(&context)
        }
        if hub[id].state == .ending {
            hub.ended(id)
            guard hub.contains(id) else { return }
        } else {
            guard hub.lost(id) != .gone else { return links.cluster.forget(id) }
        }
        hub[id].link = nil
        if isFollowed {
            place(id)
            return tell(id)
        }
        if case .moved = failure { return links.cluster.hold(id) }
        postpone(id, failure, on: link)
    }

    private mutating func postpone(_ id: SlotID, _ failure: LinkFailure, on link: SlotID) {
        let count = links.cluster.postpone(
            id, base: settings.redisRetryBase, maximum: settings.redisRetryMax,
            now: context.loop.now)
        context.metrics.redisLinkFailures[failure.cause, default: 0] += 1
        var outcome: Logger.Metadata = ["attempt": .stringConvertible(count)]
        if let channel = ChannelName(bytes: hub[id].channel) {
            outcome["run_id"] = "\(channel.runID)"
            outcome["channel"] = "\(channel.channel)"
        }
        let isOver = settings.redisMaxRetries > 0 && count >= settings.redisMaxRetries
        if isOver { outcome["given_up_after_attempts"] = .stringConvertible(count) }
        links.logFailure(link, "redis subscribe failed", failure, outcome, context)
        guard isOver else { return }
        links.cluster.forget(id)
        giveUp(subscription: id)
    }
}
