import Logging

// The end of a browser's connection, and what is left of it.
extension ClientShell where S: ~Copyable {
    /// The connection's last bytes are queued; its subscription is of no more use.
    mutating func finish(_ id: SlotID, _ end: ClientEnd, _ context: inout LoopContext<S>) {
        connections[id].end = end
        noteRefusal(id, end, &context)
        deactivate(id, &context)
        wake(id, &context)
        leave(id, because: end)
        arm(id, &context)
    }

    private mutating func deactivate(_ id: SlotID, _ context: inout LoopContext<S>) {
        guard connections[id].isActive else { return }
        connections[id].isActive = false
        context.metrics.connectionsActive -= 1
        context.place.share.removeWebSocket(of: context.place.index)
        if let address = connections[id].address { context.place.share.leave(address) }
    }

    /// Closes the connection and forgets it.
    mutating func close(_ id: SlotID, _ end: ClientEnd, _ context: inout LoopContext<S>) {
        if connections[id].end == nil { noteRefusal(id, end, &context) }
        let end = connections[id].end ?? end
        deactivate(id, &context)
        leave(id, because: end)
        let unsent = connections[id].socket.output.messageCount
        noteDropped(end.dropReason, unsent, by: id, &context)
        var reset = false
        switch end {
        case .slow, .memoryBudget:
            context.metrics.slowClients += 1
            reset = true
        default: break
        }
        if connections[id].machine.channel != nil {
            context.metrics.connectionsEnded[end.reason, default: 0] += 1
        }
        logEnd(of: id, end, unsent: unsent, context)
        noteClosed(id, end, unsent: unsent, &context)
        context.loop.release(&connections[id].socket, reset: reset)
        checkLedger(of: id, &context)
        connections.remove(id)
        context.place.share.removeConnection(of: context.place.index)
    }

    private func logEnd(
        of id: SlotID, _ end: ClientEnd, unsent: Int, _ context: borrowing LoopContext<S>
    ) {
        guard connections[id].machine.channel != nil else { return }
        var metadata = metadata(of: id)
        metadata["reason"] = "\(end.reason)"
        metadata["duration_ms"] = .stringConvertible(
            (context.loop.now - connections[id].openedAt).milliseconds)
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
        context.log.server.info("client disconnected", metadata: metadata)
    }

    /// What became of the client's messages; `unsent` of them were dropped with the connection.
    private func addLedger(of id: SlotID, unsent: Int, to metadata: inout Logger.Metadata) {
        let ledger = connections[id].ledger
        metadata["received"] = .stringConvertible(ledger.received)
        metadata["delivered"] = .stringConvertible(ledger.delivered)
        metadata["unsent"] = .stringConvertible(unsent)
        metadata["dropped"] = .stringConvertible(ledger.dropped.total)
        for reason in DropReason.allCases where ledger.dropped[reason] > 0 {
            metadata["dropped_\(reason.rawValue)"] = .stringConvertible(ledger.dropped[reason])
        }
        metadata["largest_queue_bytes"] = .stringConvertible(connections[id].largestQueue)
        if let roundTrip = connections[id].machine.heartbeatRoundTrip {
            metadata["heartbeat_rtt_ms"] = .stringConvertible(roundTrip.milliseconds)
        }
    }

    /// Keeps what is known of a WebSocket that ends, where there is an admin listener to show it.
    private mutating func noteClosed(
        _ id: SlotID, _ end: ClientEnd, unsent: Int, _ context: inout LoopContext<S>
    ) {
        guard context.settings.adminAddress != nil, let channel = connections[id].machine.channel
        else { return }
        let number = context.place.share.nextClosedNumber()
        var row = ClosedRow(
            place: DebugCursor(loop: context.place.index, number: number), channel: channel)
        row.closedAt = context.loop.sys.unixTime()
        row.address = connections[id].peer
        row.proxy = connections[id].proxy
        row.age = context.loop.now - connections[id].openedAt
        row.link = connections[id].lastLink
        row.reason = end.reason
        switch end {
        case .closedByClient(let code): row.code = code
        case .protocolError(let code, let reason):
            row.code = code
            row.error = reason
        case .writeError(let error): row.error = error.reason
        default: break
        }
        row.ledger = connections[id].ledger
        row.unsent = unsent
        row.largestQueue = connections[id].largestQueue
        row.heartbeatRoundTrip = connections[id].machine.heartbeatRoundTrip
        closed.append(row)
    }

    /// Sees to it that every message for a browser is accounted for (I9).
    func checkLedger(of id: SlotID, _ context: inout LoopContext<S>) {
        let ledger = connections[id].ledger
        let queued = connections[id].socket.output.messageCount
        guard !ledger.isBalanced(queued: queued) else { return }
        context.metrics.ledgerImbalances += 1
        var metadata = metadata(of: id)
        metadata["received"] = .stringConvertible(ledger.received)
        metadata["delivered"] = .stringConvertible(ledger.delivered)
        metadata["queued"] = .stringConvertible(queued)
        metadata["dropped"] = .stringConvertible(ledger.dropped.total)
        context.log.server.error("the ledger does not balance", metadata: metadata)
    }
}
