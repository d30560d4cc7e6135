import Logging

// The way of a message: from a link, through the hub, to its pages.
extension Relay where S: ~Copyable {
    /// The kernel tells of a link's socket: what comes is taken step by step.
    mutating func linkEvent(_ link: SlotID, readable: Bool, writable: Bool) {
        var buffer = take(&context.loop.readBuffer)
        if var reading = links.event(
            link, readable: readable, writable: writable, &buffer, &context)
        {
            reading: while true {
                switch links.next(&reading, &buffer, &context) {
                case .message(let channel, let payload):
                    if let id = subscription(buffer.span.extracting(channel), on: link) {
                        forward(buffer.span.extracting(payload), to: id)
                    }
                case .oversized(let channel, let length):
                    if let id = subscription(buffer.span.extracting(channel), on: link) {
                        skip(length: length, of: id, on: link)
                    }
                case .withdrawn(let channel):
                    if let id = hub.find(buffer.span.extracting(channel)) {
                        withdrawn(id, on: link)
                    }
                case .event: break
                case .end: break reading
                }
                settle()
            }
            if isOverBudget { keepMemoryBudget() }
        }
        context.loop.giveBack(&buffer)
    }

    /// The subscription whose message a link has received; nil for a message that nobody waits for.
    private mutating func subscription(_ name: Span<UInt8>, on link: SlotID) -> SlotID? {
        switch links.entries[link].carries {
        case .one(let id) where hub.contains(id):
            if name.isEqual(to: hub[id].channel) { return id }
        case .many:
            // While the end of a subscription is under way its last messages still come: a page that
            // has come meanwhile is not live yet (I2).
            if let id = hub.find(name) {
                return hub[id].state == .acknowledged && hub[id].link == link ? id : nil
            }
        default: break
        }
        if !name.isEqual(to: LinkPurpose.probeChannel) {
            links.remarked(link, .foreignMessage, &context)
        }
        return nil
    }

    /// Escapes and frames a payload once and queues it for every page of the subscription.
    private mutating func forward(_ payload: Span<UInt8>, to id: SlotID) {
        if let stream = hub[id].stream { return forward(payload, to: id, numberedBy: stream) }
        var storage = take(&frame)
        let built = StatusFrame.build(payload, in: &storage)
        context.metrics.replacements += UInt64(built.replacements)
        for place in 0..<hub[id].pages.count {
            deliver(storage.span.extracting(built.frame), to: hub[id].pages[place])
        }
        frame = storage
    }

    /// Takes a message up in its stream and queues it for every page of the subscription: with its
    /// position for those that can resume, and as ever for the others.
    private mutating func forward(
        _ payload: Span<UInt8>, to id: SlotID, numberedBy stream: ResumeStream
    ) {
        let position = hub.append(payload, to: stream, limit: settings.resumeChannelBytes)
        context.loop.heldBytes = hub.resumeBytes
        var numbered = take(&numberedFrame)
        let built = StatusFrame.build(payload, at: position, in: &numbered)
        context.metrics.replacements += UInt64(built.replacements)
        var plain = take(&frame)
        let builtPlain = StatusFrame.build(payload, in: &plain)
        for place in 0..<hub[id].pages.count {
            let page = hub[id].pages[place]
            if clients.contains(page), clients.connections[page].resume != nil {
                deliver(numbered.span.extracting(built.frame), to: page)
            } else {
                deliver(plain.span.extracting(builtPlain.frame), to: page)
            }
        }
        numberedFrame = numbered
        frame = plain
        if isOverBudget { keepMemoryBudget() }
    }

    /// Queues one message's frame for a page, and keeps the memory budget.
    mutating func deliver(_ frame: Span<UInt8>, to page: SlotID) {
        clients.deliver(frame, to: page, &context)
        if isOverBudget { keepMemoryBudget() }
    }

    /// A payload over the limit has been skipped.
    private mutating func skip(length: Int, of id: SlotID, on link: SlotID) {
        let since = links.entries[link].confirmedAt
        hub[id].stream?.lost(since: since, until: context.loop.boot)
        for place in 0..<hub[id].pages.count {
            clients.skipOversized(by: hub[id].pages[place], since: since, &context)
        }
        var metadata = metadata(of: link, id)
        metadata["bytes"] = .stringConvertible(length)
        context.log.redis.warning(
            "skipped a payload over STATUS_MAX_PAYLOAD_SIZE", metadata: metadata)
    }
}
