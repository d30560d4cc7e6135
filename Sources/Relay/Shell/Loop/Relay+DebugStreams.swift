// What the debug pages show of pages that can resume, and of what is held for them.
extension Relay where S: ~Copyable {
    /// How a page resumes; nil for one that cannot.
    func resumeState(of client: SlotID) -> ConnectionResume? {
        guard let resume = clients.connections[client].resume else { return nil }
        var state = ConnectionResume(outcome: resume.outcome)
        guard let id = clients.connections[client].subscription, hub.contains(id),
            let stream = hub[id].stream
        else { return state }
        state.stream = cursor(of: id)
        if resume.hasBegun { state.position = stream.last }
        state.messages = stream.messageCount
        state.bytes = stream.byteCount
        return state
    }

    /// The streams that a query wants.
    func debugStreams(_ query: DebugQuery) -> DebugRows<StreamRow> {
        var found = DebugRows<StreamRow>()
        for id in hub.ids {
            guard let stream = hub[id].stream, isWanted(stream: id, query) else { continue }
            let cursor = cursor(of: id)
            found.add(cursor, query) { streamRow(of: id, stream, cursor) }
        }
        return found
    }

    private func isWanted(stream id: SlotID, _ query: DebugQuery) -> Bool {
        if let state = query.state, state != streamState(of: id).rawValue { return false }
        if let link = query.link, link != self.link(carrying: id).map({ links.entries[$0].number })
        {
            return false
        }
        return query.isChannel(ChannelName(bytes: hub[id].channel))
    }

    private func streamState(of id: SlotID) -> StreamRow.State {
        hub[id].keptUntil == nil ? .heard : .kept
    }

    private func streamRow(
        of id: SlotID, _ stream: ResumeStream, _ cursor: DebugCursor
    ) -> StreamRow {
        var row = StreamRow(place: cursor, channel: ChannelName(bytes: hub[id].channel))
        row.state = streamState(of: id)
        row.beganAt = stream.epoch.beganAt
        row.pages = hub[id].pages.count
        row.link = link(carrying: id).map { links.entries[$0].number }
        row.position = stream.last
        row.messages = stream.messageCount
        row.bytes = stream.byteCount
        row.losses = stream.losses.count
        if let until = hub[id].keptUntil {
            let kept = max(.zero, until - context.loop.now)
            row.kept = kept
            row.keptUntil = context.loop.sys.unixTime() &+ kept.count
        }
        return row
    }
}
