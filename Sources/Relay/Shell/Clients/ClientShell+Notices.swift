// Telling browsers of messages that they have missed.
extension ClientShell where S: ~Copyable {
    /// Tells a browser that messages between `since` and now are lost or may be; where notices are
    /// not wanted nothing is sent.
    mutating func notifyOfGap(
        _ id: SlotID, reason: GapReason, since: BootTime, _ context: inout LoopContext<S>
    ) {
        guard tellsOfLosses(id, context) else { return }
        let (from, to) = context.unixMilliseconds(since: since)
        queueGap(reason, from: from, to: to, on: id, &context)
    }

    /// Queues the notice that a page cannot have all of its stream.
    mutating func queueFailedResume(
        _ notice: [UInt8], on id: SlotID, _ context: inout LoopContext<S>
    ) {
        context.loop.queue(notice, on: &connections[id].socket)
        context.metrics.gapNotices += 1
    }

    /// Queues a gap notice with these times, in Unix milliseconds.
    mutating func queueGap(
        _ reason: GapReason, from: Int64, to: Int64, on id: SlotID,
        _ context: inout LoopContext<S>
    ) {
        let frame = StatusFrame.gap(reason, fromMilliseconds: from, toMilliseconds: to)
        context.loop.queue(frame, on: &connections[id].socket)
        context.metrics.gapNotices += 1
    }

    /// Tells a browser that messages do not come since `since`, and that a gap notice will follow.
    mutating func notifyOfOutage(
        _ id: SlotID, since: BootTime, _ context: inout LoopContext<S>
    ) {
        guard tellsOfLosses(id, context) else { return }
        let from = context.unixMilliseconds(since: since).from
        let frame = StatusFrame.outage(sinceMilliseconds: from)
        context.loop.queue(frame, on: &connections[id].socket)
        context.metrics.outageNotices += 1
    }

    /// Whether a browser wants to be told: where all are, and whoever can resume.
    private func tellsOfLosses(_ id: SlotID, _ context: borrowing LoopContext<S>) -> Bool {
        contains(id) && connections[id].machine.takesMessages
            && (context.settings.gapNotices || connections[id].resume != nil)
    }
}
