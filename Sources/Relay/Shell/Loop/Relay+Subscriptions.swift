import Logging
import WSFrame

// Pages and their subscriptions: what the hub decides, done by the shells of clients and links.
extension Relay where S: ~Copyable {
    // MARK: - Pages come and go

    /// A page wants to hear its channel.
    mutating func subscribe(_ page: SlotID, to channel: ChannelName) {
        let membership = hub.subscribe(
            page, to: channel.bytes, resuming: epochAskedFor(by: page))
        let id = membership.subscription
        if clients.connections[page].resume != nil { join(page, streamOf: id) }
        clients.joined(page, id, at: membership.place)
        if !membership.isLive, hub[id].link == nil { place(id) }
        if let link = hub[id].link { clients.note(link: links.entries[link].number, of: page) }
        if membership.isLive { subscribed(page) } else { tell(id) }
    }

    /// A page has left.
    mutating func depart(_ departure: Departure) {
        let id = departure.subscription
        guard hub.contains(id) else { return }
        if let moved = hub.leave(id, at: departure.place) {
            clients.move(moved, to: departure.place)
        }
        leaveStream(departure)
        if !hub[id].isWanted { endSubscription(id) }
    }

    /// Nobody wants the subscription any more.
    mutating func endSubscription(_ id: SlotID) {
        endOutage(id)
        guard hub.mode == .dedicated else { return tell(id) }
        if let link = hub[id].link { close(link) }
        hub.remove(id)
    }

    /// A page takes no more messages, and will leave. Over its own link Redis is asked to send none,
    /// and those that it has sent already are counted as dropped; a link that others share goes on.
    mutating func endSubscription(ofPage page: SlotID) {
        guard hub.mode == .dedicated, let id = clients.connections[page].subscription,
            hub[id].pages.count == 1, let link = hub[id].link, links.unsubscribe(link, &context)
        else { return clients.leave(page) }
    }

    /// Closes a link, which carries nothing from now on.
    mutating func close(_ link: SlotID) {
        for subscription in carried(by: link) { hub[subscription].link = nil }
        links.close(link, &context)
    }

    /// The subscriptions that a link carries.
    func carried(by link: SlotID) -> [SlotID] {
        switch links.entries[link].carries {
        case .nothing: []
        case .one(let id): hub.contains(id) ? [id] : []
        case .many: hub.ids.filter { hub[$0].link == link }
        }
    }

    // MARK: - Redis is told

    /// Has the shared link tell Redis what is wanted of a subscription, at the end of the turn.
    mutating func tell(_ id: SlotID) {
        guard hub.mode == .shared, hub.contains(id) else { return }
        guard let link = hub[id].link else { return forgetUnplaced(id) }
        if hub.enqueue(id) { links.enqueue(id, on: link, &context) }
    }

    /// Sends what a link has for Redis, with what a shared one is to tell it.
    mutating func flushLink(_ link: SlotID) {
        guard links.contains(link) else { return }
        if links.hasRequests(link) { sendRequests(on: link) }
        if links.contains(link) { links.flush(link, &context) }
    }

    private mutating func sendRequests(on link: SlotID) {
        links.beginRequests()
        while let id = links.nextRequest(of: link) {
            guard hub.contains(id), hub[id].link == link else { continue }
            links.write(hub.next(id), for: id, on: link, context)
        }
        links.sendRequests(on: link, &context)
    }

    // MARK: - What happens on links

    mutating func handle(_ event: LinkEvent) {
        switch event {
        case .redisAnswers(let dials): redisAnswers(dials: dials)
        case .live(let link): isLive(link)
        case .acknowledged(let id, let link): acknowledged(id, on: link)
        case .ended(let id, let link): ended(id, on: link)
        case .mapped(let news): mapped(news)
        case .refused(let id, let failure, let link): refused(id, failure, on: link)
        case .lost(let link, let since):
            guard links.contains(link) else { return }
            for id in carried(by: link) { lost(id, since: since) }
        case .givenUp(let link):
            guard links.contains(link) else { return }
            let subscriptions = carried(by: link)
            close(link)
            for id in subscriptions { giveUp(subscription: id) }
        case .unsubscribed(let link): if links.contains(link) { close(link) }
        case .fatal(let line): context.phase = .stopped(fatal: line)
        }
    }

    /// Redis answers for the first time: pages are let in.
    private mutating func redisAnswers(dials: Int) {
        guard phase == .starting else { return }
        if dials > 1 {
            context.log.redis.info(
                "connected to redis after retry",
                metadata: ["attempts": .stringConvertible(dials)])
        }
        context.phase = .serving
        context.log.server.info("ready")
        context.tellLoops(.redisAnswers)
        acceptor.resume(&context)
        context.options.canary?.start()
        tellServiceOfStart()
    }

    private mutating func isLive(_ link: SlotID) {
        guard links.contains(link) else { return }
        switch links.entries[link].carries {
        case .nothing: break
        case .one(let id):
            guard hub.contains(id) else { return }
            hub.acknowledged(id)
            established(id, on: link)
        case .many: sharedLinkIsLive(link)
        }
    }

    /// A shared link is live: all that it carries is asked for.
    private mutating func sharedLinkIsLive(_ link: SlotID) {
        let subscriptions = carried(by: link)
        var metadata = links.metadata(of: link)
        metadata["channels"] = .stringConvertible(subscriptions.count)
        context.log.redis.info("redis link established", metadata: metadata)
        for id in subscriptions { tell(id) }
        // What has waited for the link is queued already.
        links.wake(link, &context)
    }

    /// Redis has acknowledged what a shared link has asked for.
    private mutating func acknowledged(_ id: SlotID, on link: SlotID) {
        guard hub.contains(id), hub[id].link == link, hub.answered(id) else { return }
        links.cluster.forget(id)
        established(id, on: link)
    }

    /// Redis has ended a subscription of a shared link as it was asked to.
    private mutating func ended(_ id: SlotID, on link: SlotID) {
        guard hub.contains(id), hub[id].link == link else { return }
        hub.ended(id)
        guard hub.contains(id) else { return }
        // In a cluster it may be to be had elsewhere by now.
        hub[id].link = nil
        place(id)
        tell(id)
    }

    /// Redis has acknowledged a subscription: its pages are live.
    private mutating func established(_ id: SlotID, on link: SlotID) {
        let since = hub[id].outageSince
        if since != .never { hub[id].stream?.lost(since: since, until: context.loop.boot) }
        // After the loss of a shared link there would be one line for each of its channels at once.
        if hub.mode == .dedicated || since == .never {
            var metadata = metadata(of: link, id)
            if since != .never {
                metadata["outage_ms"] = .stringConvertible(
                    (context.loop.boot - since).milliseconds)
            }
            context.log.redis.info("redis subscription established", metadata: metadata)
        }
        endOutage(id)
        for place in 0..<hub[id].pages.count {
            let page = hub[id].pages[place]
            // A page that has come back hears of it with what else it has missed.
            if since != .never, !isComingBack(page) {
                clients.notifyOfGap(page, reason: .redisOutage, since: since, &context)
            }
            subscribed(page)
        }
        // All may have left while it was asked for.
        tell(id)
    }

    /// A page's subscription is acknowledged.
    private mutating func subscribed(_ page: SlotID) {
        guard clients.contains(page) else { return }
        let resumption = resumption(of: page)
        let isComplete = resumption?.isComplete ?? true
        let opens = clients.subscribed(
            page, at: resumption?.position,
            behind: isComplete ? [] : noticeOfFailedResume(of: page), &context)
        if let resumption { resume(page, resumption) }
        // Frames may have come in the same segment as the request; they waited for the `101`.
        if opens { _ = clients.goOn(page, &context) }
        if clients.contains(page) { clients.arm(page, &context) }
    }

    /// A page goes on without its subscription: from now on it may miss messages.
    mutating func opensUnsubscribed(_ page: SlotID) {
        if let id = clients.connections[page].subscription, hub.contains(id) {
            if hub[id].outageSince == .never { hub[id].outageSince = context.loop.boot }
            clients.notifyOfOutage(page, since: context.loop.boot, &context)
        }
        _ = clients.goOn(page, &context)
    }

    /// Redis refuses to begin, or to end, one subscription of a shared link.
    private mutating func refused(_ id: SlotID, _ failure: LinkFailure, on link: SlotID) {
        guard hub.contains(id), links.contains(link) else { return }
        if context.isCluster, failure.isOfSlot { return slotRefused(id, failure, on: link) }
        var outcome: Logger.Metadata = ["shared": .stringConvertible(true)]
        if let channel = ChannelName(bytes: hub[id].channel) {
            outcome["run_id"] = "\(channel.runID)"
            outcome["channel"] = "\(channel.channel)"
        }
        guard hub[id].state == .requested else {
            hub.keeps(id)
            links.logFailure(link, "redis unsubscribe failed", failure, outcome, context)
            // Those that have come meanwhile have it.
            if !hub[id].pages.isEmpty { established(id, on: link) }
            return
        }
        context.metrics.redisLinkFailures[failure.cause, default: 0] += 1
        links.logFailure(link, "redis subscribe failed", failure, outcome, context)
        giveUp(subscription: id)
    }

    /// Redis has ended a subscription of a shared link without being asked to.
    mutating func withdrawn(_ id: SlotID, on link: SlotID) {
        guard hub[id].link == link else { return }
        guard !context.isCluster else { return slotWithdrawn(id, on: link) }
        lost(id, since: links.entries[link].confirmedAt)
        tell(id)
    }

    /// A subscription is in force no more: its pages may miss messages since then.
    mutating func lost(_ id: SlotID, since: BootTime) {
        if hub.lost(id) == .outage { beginOutage(id, since: since) }
    }

    /// Tells the pages of a subscription that they may miss messages since then.
    mutating func beginOutage(_ id: SlotID, since: BootTime) {
        hub[id].outageSince = since
        for place in 0..<hub[id].pages.count {
            clients.notifyOfOutage(hub[id].pages[place], since: since, &context)
        }
    }

    /// A subscription is not to be had: its pages are sent away.
    mutating func giveUp(subscription id: SlotID) {
        endOutage(id)
        let pages = (0..<hub[id].pages.count).map { hub[id].pages[$0] }
        hub.remove(id)
        context.loop.heldBytes = hub.resumeBytes
        for page in pages where clients.contains(page) {
            clients.bereave(page)
            clients.closeWebSocket(
                page, code: WebSocketCloseCode.internalError, because: .redisGivenUp,
                sendsHangup: settings.sendsHangup, &context)
        }
    }

    private mutating func endOutage(_ id: SlotID) {
        guard hub[id].outageSince != .never else { return }
        let span = context.loop.boot - hub[id].outageSince
        context.metrics.redisOutage = context.metrics.redisOutage + span
        hub[id].outageSince = .never
    }

    /// What a line about a subscription names.
    func metadata(of link: SlotID, _ id: SlotID) -> Logger.Metadata {
        var metadata = links.metadata(of: link)
        if links.entries[link].carries == .many, let channel = ChannelName(bytes: hub[id].channel) {
            metadata["run_id"] = "\(channel.runID)"
            metadata["channel"] = "\(channel.channel)"
        }
        return metadata
    }
}
