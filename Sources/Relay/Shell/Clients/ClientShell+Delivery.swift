// A message into a browser's queue, and out of it.
extension ClientShell where S: ~Copyable {
    // MARK: - Delivering

    /// Queues one message's frame for a client; it leaves when the turn ends.
    mutating func deliver(
        _ frame: Span<UInt8>, to id: SlotID, _ context: inout LoopContext<S>
    ) {
        guard contains(id) else { return }
        noteReceived(by: id, &context)
        guard connections[id].machine.takesMessages else {
            return noteDropped(.closing, by: id, &context)
        }
        let queued = connections[id].socket.output.count
        guard
            queued == 0 || queued + frame.count <= Self.queueLimit
                || queued + frame.count <= Self.queueLimit + replayed(to: id)
        else {
            noteDropped(.slowClient, by: id, &context)
            return close(id, .slow(queuedBytes: queued), &context)
        }
        context.metrics.messagesForwarded += 1
        context.loop.queue(frame, on: &connections[id].socket)
        connections[id].socket.output.endMessage()
    }

    /// Bytes that its queue may hold beside those, for a page that has come back.
    private func replayed(to id: SlotID) -> Int { connections[id].resume?.replayed ?? 0 }

    /// A payload for the client was over the limit and has been skipped.
    mutating func skipOversized(
        by id: SlotID, since: BootTime, _ context: inout LoopContext<S>
    ) {
        guard contains(id) else { return }
        noteReceived(by: id, &context)
        noteDropped(.oversized, by: id, &context)
        notifyOfGap(id, reason: .oversizedPayload, since: since, &context)
    }

    private mutating func noteReceived(by id: SlotID, _ context: inout LoopContext<S>) {
        connections[id].ledger.received += 1
        context.metrics.ledger.received += 1
    }

    mutating func noteDropped(
        _ reason: DropReason, _ count: Int = 1, by id: SlotID, _ context: inout LoopContext<S>
    ) {
        connections[id].ledger.dropped[reason] += UInt64(count)
        context.metrics.ledger.dropped[reason] += UInt64(count)
    }

    // MARK: - Sending

    mutating func flush(_ id: SlotID, _ context: inout LoopContext<S>) {
        guard contains(id) else { return }
        connections[id].socket.isDirty = false
        let reads = connections[id].machine.wantsInput
        let queuedBytes = connections[id].socket.output.count
        let queuedMessages = connections[id].socket.output.messageCount
        let oldest = connections[id].socket.output.oldestQueuedAt
        connections[id].largestQueue = max(connections[id].largestQueue, queuedBytes)
        let outcome = context.loop.flush(&connections[id].socket, reads: reads)
        let sent = UInt64(queuedMessages - connections[id].socket.output.messageCount)
        connections[id].ledger.delivered += sent
        context.metrics.ledger.delivered += sent
        if oldest == context.loop.now {
            deliveredInTurn += sent
        } else {
            Self.noteLate(sent, since: oldest, &context)
        }
        switch outcome {
        case .failed(let error):
            context.metrics.writeErrors += 1
            close(id, .writeError(error), &context)
        case .blocked:
            arm(id, &context)
        case .drained:
            guard connections[id].machine.state == .finishing else { return }
            if connections[id].machine.isDone {
                close(id, connections[id].end ?? .vanished, &context)
            } else {
                context.loop.endSending(&connections[id].socket)
            }
        }
    }

    // MARK: - How long it took

    /// Counts the messages that left in the turn that read them.
    ///
    /// The clock is read once for all of them. The span begins when the kernel told of the turn's
    /// first bytes and ends behind its last write, so that no message took longer than is counted. The
    /// loop's time is used, so that standstills are left out: they are counted by themselves.
    mutating func noteDeliveries(_ context: inout LoopContext<S>) {
        guard deliveredInTurn > 0 else { return }
        let span = context.loop.sys.now() - context.loop.boot
        context.metrics.delivery.add(span, count: deliveredInTurn)
        deliveredInTurn = 0
    }

    /// Counts messages that had to wait for room in their socket; the oldest has waited since
    /// `oldest`, and the others count as old as it.
    private static func noteLate(
        _ count: UInt64, since oldest: Instant, _ context: inout LoopContext<S>
    ) {
        guard count > 0 else { return }
        let present = context.loop.now + (context.loop.sys.now() - context.loop.boot)
        context.metrics.delivery.add(present - oldest, count: count)
    }
}
