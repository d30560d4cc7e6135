// Telling browsers of messages that they have missed.
extension Relay where S: ~Copyable {
    /// Tells a browser that messages between `since` and now are lost or may be; where notices are
    /// not wanted nothing is sent.
    mutating func notifyOfGap(_ id: SlotID, reason: GapReason, since: BootTime) {
        guard tellsOfLosses(id) else { return }
        let (from, to) = unixMilliseconds(since: since)
        let frame = StatusFrame.gap(reason, fromMilliseconds: from, toMilliseconds: to)
        loop.queue(frame, on: &clients[id].socket)
        metrics.gapNotices += 1
    }

    /// Tells a browser that messages do not come since `since`, and that a gap notice will follow.
    mutating func notifyOfOutage(_ id: SlotID, since: BootTime) {
        guard tellsOfLosses(id) else { return }
        let frame = StatusFrame.outage(sinceMilliseconds: unixMilliseconds(since: since).from)
        loop.queue(frame, on: &clients[id].socket)
        metrics.outageNotices += 1
    }

    /// Whether a browser wants to be told: where all are, and whoever can resume.
    private func tellsOfLosses(_ id: SlotID) -> Bool {
        clients.contains(id) && clients[id].machine.takesMessages
            && (settings.gapNotices || clients[id].resume != nil)
    }

    /// The time from `since` until now in Unix time, under every setting that the wall clock had.
    mutating func unixMilliseconds(since: BootTime) -> (from: Int64, to: Int64) {
        wallClock.note(unixTime: loop.sys.unixTime(), at: loop.boot)
        return wallClock.milliseconds(from: since, to: loop.boot)
    }
}
