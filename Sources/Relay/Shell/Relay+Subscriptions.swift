import DequeModule
import Logging
import RESP

// Pages and their subscriptions: what the hub decides, done on links and sockets.
extension Relay where S: ~Copyable {
    // MARK: - Pages come and go

    /// A page wants to hear its channel.
    mutating func subscribe(_ client: SlotID, to channel: ChannelName) {
        let membership = hub.subscribe(
            client, to: channel.bytes, resuming: epochAskedFor(by: client))
        let id = membership.subscription
        if clients[client].resume != nil { beginStream(of: id) }
        clients[client].subscription = id
        clients[client].place = UInt32(membership.place)
        guard !membership.isLive else { return subscribed(client) }
        if hub[id].link == nil { hub[id].link = link(for: id) }
        tell(id)
    }

    /// The link that is to carry a new subscription: the placement.
    private mutating func link(for id: SlotID) -> SlotID {
        switch hub.mode {
        case .dedicated:
            return openLink(.subscription(channel: hub[id].channel), carries: .one(id))
        case .shared:
            if let sharedLink, links.contains(sharedLink) { return sharedLink }
            let link = openLink(.shared, carries: .many)
            sharedLink = link
            return link
        }
    }

    /// A page needs its subscription no more; `end` says whether it may come back.
    mutating func unsubscribe(_ client: SlotID, because end: ClientEnd? = nil) {
        guard let id = clients[client].subscription.take() else { return }
        if let link = hub[id].link { clients[client].lastLink = links[link].number }
        if let moved = hub.leave(id, at: Int(clients[client].place)) {
            clients[moved].place = clients[client].place
        }
        guard hub[id].pages.isEmpty else { return }
        if mayComeBack(client, after: end) {
            return hub.keep(id, until: loop.now + settings.resumeWindow)
        }
        endSubscription(id)
    }

    /// Nobody wants the subscription any more.
    mutating func endSubscription(_ id: SlotID) {
        endOutage(id)
        guard hub.mode == .dedicated else { return tell(id) }
        if let link = hub[id].link { closeLink(link) }
        hub.remove(id)
        loop.heldBytes = hub.resumeBytes
    }

    /// A page takes no more messages, and will leave. Over its own link Redis is asked to send none,
    /// and those that it has sent already are counted as dropped; a shared link goes on.
    mutating func endSubscription(of client: SlotID) {
        guard hub.mode == .dedicated, let id = clients[client].subscription,
            let link = hub[id].link
        else { return unsubscribe(client) }
        encoder.removeAll()
        guard links[link].machine.unsubscribe(now: loop.now, output: &encoder) else {
            return unsubscribe(client)
        }
        sendEncoded(on: link)
        if links.contains(link) { arm(link: link) }
    }

    // MARK: - Redis is told

    /// Has the shared link tell Redis what is wanted of a subscription, at the end of the turn.
    mutating func tell(_ id: SlotID) {
        guard hub.mode == .shared, hub.contains(id), let link = hub[id].link, hub.enqueue(id)
        else { return }
        links[link].requests.append(id)
        loop.markDirty(&links[link].socket)
    }

    /// Sends what waits, as far as the link takes it.
    mutating func sendRequests(on link: SlotID) {
        encoder.removeAll()
        while links[link].machine.takesRequests, let id = links[link].requests.popFirst() {
            guard hub.contains(id), hub[id].link == link else { continue }
            switch hub.next(id) {
            case .none: break
            case .subscribe(let channel):
                links[link].machine.subscribe(
                    id, to: channel, now: loop.now, output: &encoder)
            case .unsubscribe(let channel):
                links[link].machine.unsubscribe(
                    id, from: channel, now: loop.now, output: &encoder)
            }
        }
        sendEncoded(on: link, isQuestion: false)
        if links.contains(link) { arm(link: link) }
    }

    // MARK: - Redis answers

    /// The subscriptions that a link carries.
    func carried(by link: SlotID) -> [SlotID] {
        switch links[link].carries {
        case .nothing: []
        case .one(let id): hub.contains(id) ? [id] : []
        case .many: hub.ids.filter { hub[$0].link == link }
        }
    }

    /// A shared link is live: all that it carries is asked for.
    mutating func sharedLinkIsLive(_ link: SlotID) {
        let subscriptions = carried(by: link)
        var metadata = metadata(of: link)
        metadata["channels"] = .stringConvertible(subscriptions.count)
        log.redis.info("redis link established", metadata: metadata)
        for id in subscriptions { tell(id) }
        // What has waited for the link is queued already.
        loop.markDirty(&links[link].socket)
    }

    /// Redis has acknowledged a subscription: its pages are live.
    mutating func established(_ id: SlotID, on link: SlotID) {
        let since = hub[id].outageSince
        if since != .never { hub[id].stream?.lost(since: since, until: loop.boot) }
        // After the loss of a shared link there would be one line for each of its channels at once.
        if hub.mode == .dedicated || since == .never {
            var metadata = metadata(of: link, id)
            if since != .never {
                metadata["outage_ms"] = .stringConvertible((loop.boot - since).milliseconds)
            }
            log.redis.info("redis subscription established", metadata: metadata)
        }
        endOutage(id)
        hub.beginDealing(id)
        for place in 0..<hub[id].pages.placeCount {
            let client = hub[id].pages[place]
            if since != .never { notifyOfGap(client, reason: .redisOutage, since: since) }
            subscribed(client)
            guard hub.contains(id) else { break }
        }
        endDealing()
        // All may have left while it was asked for.
        tell(id)
    }

    /// Redis refuses to begin, or to end, one subscription of a shared link.
    mutating func refused(_ id: SlotID, _ failure: LinkFailure, on link: SlotID) {
        guard hub.contains(id) else { return }
        var outcome: Logger.Metadata = ["shared": .stringConvertible(true)]
        if let channel = ChannelName(bytes: hub[id].channel) {
            outcome["run_id"] = "\(channel.runID)"
            outcome["channel"] = "\(channel.channel)"
        }
        guard hub[id].state == .requested else {
            hub.keeps(id)
            logFailure(link, "redis unsubscribe failed", failure, outcome)
            // Those that have come meanwhile have it.
            if !hub[id].pages.isEmpty { established(id, on: link) }
            return
        }
        metrics.redisLinkFailures[failure.cause, default: 0] += 1
        logFailure(link, "redis subscribe failed", failure, outcome)
        giveUp(subscription: id)
    }

    /// Redis has ended a subscription of a shared link without being asked to.
    mutating func withdrawn(_ id: SlotID, on link: SlotID) {
        guard hub[id].link == link else { return }
        lost(id, on: link)
        tell(id)
    }

    /// A subscription is in force no more.
    ///
    /// Messages may be missing since the last question that was answered: what was published then may
    /// have been under way, in a socket or in Redis's memory, at any time since (I11).
    mutating func lost(_ id: SlotID, on link: SlotID) {
        guard hub.lost(id) == .outage else { return }
        let since = links[link].confirmedAt
        hub[id].outageSince = since
        for place in 0..<hub[id].pages.placeCount {
            notifyOfOutage(hub[id].pages[place], since: since)
        }
    }

    /// A subscription is not to be had: its pages are sent away.
    mutating func giveUp(subscription id: SlotID) {
        endOutage(id)
        let pages = (0..<hub[id].pages.placeCount).map { hub[id].pages[$0] }
        hub.remove(id)
        loop.heldBytes = hub.resumeBytes
        for client in pages where clients.contains(client) {
            clients[client].subscription = nil
            giveUp(on: client)
        }
    }

    private mutating func endOutage(_ id: SlotID) {
        guard hub[id].outageSince != .never else { return }
        metrics.redisOutage = metrics.redisOutage + (loop.boot - hub[id].outageSince)
        hub[id].outageSince = .never
    }

    // MARK: - Messages

    /// The subscription whose message a link has received; nil for a message that nobody waits for.
    mutating func subscription(_ name: Span<UInt8>, on link: SlotID) -> SlotID? {
        switch links[link].carries {
        case .one(let id) where hub.contains(id):
            if name.isEqual(to: hub[id].channel) { return id }
        case .many:
            // While the end of a subscription is under way its last messages still come: a page that
            // has come meanwhile is not live yet (I2).
            if let id = hub.find(name) { return hub[id].state == .acknowledged ? id : nil }
        default: break
        }
        if !name.isEqual(to: LinkPurpose.probeChannel) { linkRemarked(link, .foreignMessage) }
        return nil
    }

    /// Escapes and frames a payload once and queues it for every page of the subscription.
    mutating func forward(_ payload: Span<UInt8>, to id: SlotID) {
        if let stream = hub[id].stream { return forward(payload, to: id, numberedBy: stream) }
        var storage = take(&frame)
        let built = StatusFrame.build(payload, in: &storage)
        metrics.replacements += UInt64(built.replacements)
        hub.beginDealing(id)
        var place = 0
        while hub.contains(id), place < hub[id].pages.placeCount {
            deliver(storage.span.extracting(built.frame), to: hub[id].pages[place])
            place += 1
        }
        endDealing()
        frame = storage
    }

    /// A payload over the limit has been skipped.
    mutating func skip(length: Int, of id: SlotID, on link: SlotID) {
        let since = links[link].confirmedAt
        hub[id].stream?.lost(since: since, until: loop.boot)
        for place in 0..<hub[id].pages.placeCount {
            skipOversized(by: hub[id].pages[place], since: since)
        }
        var metadata = metadata(of: link, id)
        metadata["bytes"] = .stringConvertible(length)
        log.redis.warning(
            "skipped a payload over STATUS_MAX_PAYLOAD_SIZE", metadata: metadata)
    }

    /// Pages that have moved learn their places.
    mutating func endDealing() {
        for (page, place) in hub.endDealing() { clients[page].place = UInt32(place) }
    }

    /// What a line about a subscription names.
    private func metadata(of link: SlotID, _ id: SlotID) -> Logger.Metadata {
        var metadata = metadata(of: link)
        if links[link].carries == .many, let channel = ChannelName(bytes: hub[id].channel) {
            metadata["run_id"] = "\(channel.runID)"
            metadata["channel"] = "\(channel.channel)"
        }
        return metadata
    }
}
