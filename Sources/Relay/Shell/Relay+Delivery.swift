import Logging

// What reaches a browser: its messages queued and sent, its end.
extension Relay where S: ~Copyable {
    // MARK: - Delivering

    /// Queues one message's frame for a client; it leaves when the turn ends.
    mutating func deliver(_ frame: Span<UInt8>, to id: SlotID) {
        guard clients.contains(id) else { return }
        noteReceived(by: id)
        guard clients[id].machine.takesMessages else { return noteDropped(.closing, by: id) }
        let queued = clients[id].socket.output.count
        guard queued == 0 || queued + frame.count <= Self.clientQueueLimit else {
            noteDropped(.slowClient, by: id)
            closeClient(id, .slow(queuedBytes: queued))
            return
        }
        metrics.messagesForwarded += 1
        loop.queue(frame, on: &clients[id].socket)
        clients[id].socket.output.endMessage()
        if loop.bufferedBytes > memoryAllowance { keepMemoryBudget() }
    }

    /// A payload for the client was over the limit and has been skipped.
    mutating func skipOversized(by id: SlotID, since: BootTime) {
        guard clients.contains(id) else { return }
        noteReceived(by: id)
        noteDropped(.oversized, by: id)
        notifyOfGap(id, reason: .oversizedPayload, since: since)
    }

    /// Disconnects the client with the most bytes waiting, until the memory budget is kept, or asks
    /// the loop that holds the most to do so.
    ///
    /// A queue that has only just been filled is sent first: its browser may well take it.
    mutating func keepMemoryBudget() {
        if isToShed() { shedStreams() }
        while isToShed(), let largest = clientHoldingMost() {
            flushClient(largest)
            guard loop.bufferedBytes > memoryAllowance else { return }
            guard clients.contains(largest), bytesHeld(by: largest) > 0 else { continue }
            closeClient(
                largest, .memoryBudget(queuedBytes: clients[largest].socket.output.count))
        }
    }

    /// Looks at all clients; it is asked only when the budget is used up.
    private func clientHoldingMost() -> SlotID? {
        let largest = clients.ids.map { (id: $0, held: bytesHeld(by: $0)) }
            .max { $0.held < $1.held }
        guard let largest, largest.held > 0 else { return nil }
        return largest.id
    }

    /// Bytes that wait for the client or have come for it incomplete.
    private func bytesHeld(by id: SlotID) -> Int {
        var held = clients[id].socket.output.count + clients[id].socket.input.count
        if hub.mode == .dedicated, let subscription = clients[id].subscription,
            let link = hub[subscription].link
        {
            held += links[link].socket.input.count
        }
        return held
    }

    mutating func noteReceived(by id: SlotID) {
        clients[id].ledger.received += 1
        metrics.ledger.received += 1
    }

    private mutating func noteDropped(_ reason: DropReason, _ count: Int = 1, by id: SlotID) {
        clients[id].ledger.dropped[reason] += UInt64(count)
        metrics.ledger.dropped[reason] += UInt64(count)
    }

    // MARK: - Sending

    mutating func flushClient(_ id: SlotID) {
        guard clients.contains(id) else { return }
        clients[id].socket.isDirty = false
        let reads = clients[id].machine.wantsInput
        let queuedBytes = clients[id].socket.output.count
        let queuedMessages = clients[id].socket.output.messageCount
        let oldest = clients[id].socket.output.oldestQueuedAt
        clients[id].largestQueue = max(clients[id].largestQueue, queuedBytes)
        let outcome = loop.flush(&clients[id].socket, reads: reads)
        let sent = UInt64(queuedMessages - clients[id].socket.output.messageCount)
        clients[id].ledger.delivered += sent
        metrics.ledger.delivered += sent
        if oldest == loop.now { deliveredInTurn += sent } else { noteLate(sent, since: oldest) }
        switch outcome {
        case .failed(let error):
            metrics.writeErrors += 1
            closeClient(id, .writeError(error))
        case .blocked:
            arm(client: id)
        case .drained:
            guard clients[id].machine.state == .finishing else { return }
            if clients[id].machine.isDone {
                closeClient(id, clients[id].end ?? .vanished)
            } else {
                loop.endSending(&clients[id].socket)
            }
        }
    }

    // MARK: - Ending

    /// The connection's last bytes are queued; its subscription is of no more use.
    mutating func finishClient(_ id: SlotID, _ end: ClientEnd) {
        clients[id].end = end
        noteRefusal(id, end)
        deactivate(id)
        loop.markDirty(&clients[id].socket)
        unsubscribe(id, because: end)
        arm(client: id)
    }

    private mutating func deactivate(_ id: SlotID) {
        guard clients[id].isActive else { return }
        clients[id].isActive = false
        metrics.connectionsActive -= 1
        place.share.removeWebSocket(of: place.index)
        leave(id)
    }

    /// Closes the connection and forgets it.
    mutating func closeClient(_ id: SlotID, _ end: ClientEnd) {
        if clients[id].end == nil { noteRefusal(id, end) }
        let end = clients[id].end ?? end
        deactivate(id)
        unsubscribe(id, because: end)
        let unsent = clients[id].socket.output.messageCount
        noteDropped(end.dropReason, unsent, by: id)
        var reset = false
        switch end {
        case .slow, .memoryBudget:
            metrics.slowClients += 1
            reset = true
        default: break
        }
        if clients[id].machine.channel != nil {
            metrics.connectionsEnded[end.reason, default: 0] += 1
        }
        logEnd(of: id, end, unsent: unsent)
        noteClosed(id, end, unsent: unsent)
        loop.release(&clients[id].socket, reset: reset)
        checkLedger(of: id)
        clients.remove(id)
        place.share.removeConnection(of: place.index)
    }

    private mutating func logEnd(of id: SlotID, _ end: ClientEnd, unsent: Int) {
        guard clients[id].machine.channel != nil else { return }
        var metadata = metadata(ofClient: id)
        metadata["reason"] = "\(end.reason)"
        metadata["duration_ms"] = .stringConvertible(
            (loop.now - clients[id].openedAt).milliseconds)
        addLedger(of: id, unsent: unsent, to: &metadata)
        switch end {
        case .closedByClient(let code): metadata["code"] = .stringConvertible(code)
        case .protocolError(let code, let reason):
            metadata["code"] = .stringConvertible(code)
            metadata["error"] = "\(reason)"
        case .slow(let queued), .memoryBudget(let queued):
            metadata["queued_bytes"] = .stringConvertible(queued)
        case .writeError(let error): metadata["error"] = "\(error.reason)"
        default: break
        }
        log.server.info("client disconnected", metadata: metadata)
    }

    /// What became of the client's messages; `unsent` of them were dropped with the connection.
    private func addLedger(of id: SlotID, unsent: Int, to metadata: inout Logger.Metadata) {
        let ledger = clients[id].ledger
        metadata["received"] = .stringConvertible(ledger.received)
        metadata["delivered"] = .stringConvertible(ledger.delivered)
        metadata["unsent"] = .stringConvertible(unsent)
        metadata["dropped"] = .stringConvertible(ledger.dropped.total)
        for reason in DropReason.allCases where ledger.dropped[reason] > 0 {
            metadata["dropped_\(reason.rawValue)"] = .stringConvertible(ledger.dropped[reason])
        }
        metadata["largest_queue_bytes"] = .stringConvertible(clients[id].largestQueue)
        if let roundTrip = clients[id].machine.heartbeatRoundTrip {
            metadata["heartbeat_rtt_ms"] = .stringConvertible(roundTrip.milliseconds)
        }
    }
}
