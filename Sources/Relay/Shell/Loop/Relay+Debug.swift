// What the debug pages show of this context.loop. Each function is asked once a request and looks at
// everything; what it gives back is a value, which can go to another context.loop.
extension Relay where S: ~Copyable {
    /// What this loop answers to a question.
    func debugAnswer(to question: DebugQuestion) -> DebugAnswer {
        switch question {
        case .connections(let query): return .connections(debugConnections(query))
        case .closed(let query): return .closed(clients.closed.rows(query))
        case .links(let query): return .links(debugLinks(query))
        case .streams(let query): return .streams(debugStreams(query))
        case .loops:
            var rows = DebugRows<LoopRow>()
            let row = debugLoop()
            rows.add(row.place, DebugQuery()) { row }
            return .loops(rows)
        }
    }

    /// The browsers' connections that a query wants.
    func debugConnections(_ query: DebugQuery) -> DebugRows<ConnectionRow> {
        var found = DebugRows<ConnectionRow>()
        for id in clients.ids where isWanted(client: id, query) {
            let cursor = cursor(of: id)
            found.add(cursor, query) { connectionRow(of: id, cursor) }
        }
        return found
    }

    private func isWanted(client id: SlotID, _ query: DebugQuery) -> Bool {
        guard query.isChannel(clients.connections[id].machine.channel),
            query.isAddress(clients.connections[id].peer)
        else {
            return false
        }
        if let state = query.state, state != "\(clients.connections[id].machine.state)" {
            return false
        }
        if let link = query.link, link != self.link(of: id).map({ links.entries[$0].number }) {
            return false
        }
        guard let late = query.late else { return true }
        return oldest(of: id).map { $0 > late } ?? false
    }

    private func connectionRow(of id: SlotID, _ cursor: DebugCursor) -> ConnectionRow {
        var row = ConnectionRow(place: cursor)
        row.channel = clients.connections[id].machine.channel
        row.state = "\(clients.connections[id].machine.state)"
        row.address = clients.connections[id].peer
        row.proxy = clients.connections[id].proxy
        row.age = context.loop.now - clients.connections[id].openedAt
        if let link = link(of: id) {
            row.link = links.entries[link].number
            row.linkState = "\(links.entries[link].machine.state)"
            row.redisRoundTrip = links.entries[link].roundTrip
        }
        row.ledger = clients.connections[id].ledger
        row.queuedMessages = clients.connections[id].socket.output.messageCount
        row.queuedBytes = clients.connections[id].socket.output.count
        row.largestQueue = clients.connections[id].largestQueue
        row.oldest = oldest(of: id)
        row.heartbeatRoundTrip = clients.connections[id].machine.heartbeatRoundTrip
        row.resume = resumeState(of: id)
        return row
    }

    /// How long the oldest byte for a browser has waited.
    private func oldest(of id: SlotID) -> Nanoseconds? {
        let queuedAt = clients.connections[id].socket.output.oldestQueuedAt
        return queuedAt == .never ? nil : context.loop.now - queuedAt
    }

    /// The link that carries a page's subscription.
    func link(of page: SlotID) -> SlotID? {
        guard let subscription = clients.connections[page].subscription else { return nil }
        return link(carrying: subscription)
    }

    /// The link that carries a subscription, where there is one.
    func link(carrying subscription: SlotID) -> SlotID? {
        guard hub.contains(subscription), let link = hub[subscription].link, links.contains(link)
        else { return nil }
        return link
    }

    func cursor(of id: SlotID) -> DebugCursor {
        DebugCursor(loop: place.index, number: UInt64(id.index))
    }

    /// The links that a query wants.
    func debugLinks(_ query: DebugQuery) -> DebugRows<LinkRow> {
        var found = DebugRows<LinkRow>()
        for id in links.ids where isWanted(link: id, query) {
            let cursor = cursor(of: id)
            found.add(cursor, query) { linkRow(of: id, cursor) }
        }
        return found
    }

    private func isWanted(link id: SlotID, _ query: DebugQuery) -> Bool {
        if let number = query.link, number != links.entries[id].number { return false }
        if let state = query.state, state != "\(links.entries[id].machine.state)" { return false }
        let server = links.entries[id].machine.server.map { "\($0)" } ?? ""
        guard query.address == .anything || query.isAddress(server) else { return false }
        if let quiet = query.quiet, !(silence(of: id).map { $0 > quiet } ?? false) { return false }
        guard query.run != .anything || query.channel != .anything else { return true }
        return carried(by: id).contains { query.isChannel(ChannelName(bytes: hub[$0].channel)) }
    }

    private func linkRow(of id: SlotID, _ cursor: DebugCursor) -> LinkRow {
        var row = LinkRow(place: cursor)
        let subscriptions = carried(by: id)
        row.number = links.entries[id].number
        row.isProbe = links.entries[id].machine.isProbe
        row.channels = subscriptions.prefix(LinkRow.channelLimit).map {
            String(decoding: hub[$0].channel, as: UTF8.self)
        }
        row.channelCount = subscriptions.count
        row.receivers = subscriptions.reduce(0) { $0 + hub[$1].pages.count }
        row.state = "\(links.entries[id].machine.state)"
        row.server = links.entries[id].machine.server.map { "\($0)" }
        row.isTLS = links.entries[id].tls != nil
        row.dials = links.entries[id].machine.dials
        row.failedAttempts = links.entries[id].machine.failedAttempts
        row.lastCause = links.entries[id].lastCause
        row.quiet = silence(of: id)
        row.isAsking = links.entries[id].machine.isAsking
        row.roundTrip = links.entries[id].roundTrip
        row.outage = subscriptions.map { hub[$0].outageSince }.min()
            .flatMap { $0 == .never ? nil : context.loop.boot - $0 }
        row.unparsedBytes = links.entries[id].socket.input.count
        row.queuedBytes = links.entries[id].socket.output.count
        return row
    }

    /// How long nothing has come over a link.
    private func silence(of id: SlotID) -> Nanoseconds? {
        links.entries[id].heardAt == .never ? nil : context.loop.now - links.entries[id].heardAt
    }

    /// This context.loop.
    func debugLoop() -> LoopRow {
        var row = LoopRow(place: DebugCursor(loop: place.index, number: 0))
        row.connections = clients.count
        row.webSockets = metrics.connectionsActive
        row.links = links.count
        row.liveLinks = links.ids.count { links.entries[$0].machine.isLive }
        row.turns = place.state.turns
        row.timers = context.loop.wheel.armedCount
        row.bufferedBytes = context.loop.bufferedBytes
        row.standstills = metrics.standstills
        row.stoodStill = context.loop.stoodStill
        row.received = metrics.ledger.received
        row.delivered = metrics.ledger.delivered
        row.lag = metrics.loopLag
        row.delivery = metrics.delivery
        row.closed = clients.closed.total
        return row
    }
}
