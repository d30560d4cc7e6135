// Telling browsers of messages that they have missed.
extension Relay where S: ~Copyable {
    /// Tells a browser that messages between `since` and now are lost or may be; where notices are
    /// not wanted nothing is sent.
    mutating func notifyOfGap(_ id: SlotID, reason: GapReason, since: BootTime) {
        guard settings.gapNotices, clients.contains(id), clients[id].machine.takesMessages else {
            return
        }
        let (from, to) = unixMilliseconds(since: since)
        let frame = StatusFrame.gap(reason, fromMilliseconds: from, toMilliseconds: to)
        loop.queue(frame, on: &clients[id].socket)
        metrics.gapNotices += 1
    }

    /// Tells a browser that messages do not come since `since`, and that a gap notice will follow.
    mutating func notifyOfOutage(_ id: SlotID, since: BootTime) {
        guard settings.gapNotices, clients.contains(id), clients[id].machine.takesMessages else {
            return
        }
        let frame = StatusFrame.outage(sinceMilliseconds: unixMilliseconds(since: since).from)
        loop.queue(frame, on: &clients[id].socket)
        metrics.outageNotices += 1
    }

    /// The time from `since` until now in Unix time, under every setting that the wall clock had.
    private mutating func unixMilliseconds(since: BootTime) -> (from: Int64, to: Int64) {
        wallClock.note(unixTime: loop.sys.unixTime(), at: loop.boot)
        return wallClock.milliseconds(from: since, to: loop.boot)
    }
}
