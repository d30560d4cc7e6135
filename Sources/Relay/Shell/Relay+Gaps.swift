// Telling browsers of messages that they have missed.
extension Relay where S: ~Copyable {
    /// Tells a browser that messages between `since` and now are lost or may be; where notices are
    /// not wanted nothing is sent.
    mutating func notifyOfGap(_ id: SlotID, reason: GapReason, since: Instant) {
        guard settings.gapNotices, clients.contains(id), clients[id].machine.takesMessages else {
            return
        }
        let now = loop.sys.unixTime() / 1_000_000
        let frame = StatusFrame.gap(
            reason, fromMilliseconds: now - (loop.now - since).milliseconds, toMilliseconds: now)
        loop.queue(frame, on: &clients[id].socket)
        metrics.gapNotices += 1
    }
}
