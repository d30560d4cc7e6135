import Logging

// What reaches a browser: its messages queued and sent, its end.
extension Relay where S: ~Copyable {
    // MARK: - Delivering

    /// Queues one message's frame for a client; it leaves when the turn ends.
    mutating func deliver(_ frame: Span<UInt8>, to id: SlotID) {
        guard clients.contains(id), clients[id].machine.takesMessages else {
            metrics.messagesUndelivered += 1
            return
        }
        let queued = clients[id].socket.output.count
        guard queued == 0 || queued + frame.count <= Self.clientQueueLimit else {
            metrics.messagesUndelivered += 1
            closeClient(id, .slow(queuedBytes: queued))
            return
        }
        metrics.messagesForwarded += 1
        clients[id].messagesForwarded += 1
        loop.queue(frame, on: &clients[id].socket)
    }

    // MARK: - Sending

    mutating func flushClient(_ id: SlotID) {
        guard clients.contains(id) else { return }
        clients[id].socket.isDirty = false
        let reads = clients[id].machine.wantsInput
        switch loop.flush(&clients[id].socket, reads: reads) {
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
        deactivate(id)
        loop.markDirty(&clients[id].socket)
        releaseLink(of: id)
        arm(client: id)
    }

    private mutating func deactivate(_ id: SlotID) {
        guard clients[id].isActive else { return }
        clients[id].isActive = false
        metrics.connectionsActive -= 1
    }

    /// Closes the connection and forgets it.
    mutating func closeClient(_ id: SlotID, _ end: ClientEnd) {
        let end = clients[id].end ?? end
        deactivate(id)
        releaseLink(of: id)
        if case .slow = end { metrics.slowClients += 1 }
        logEnd(of: id, end)
        var reset = false
        if case .slow = end { reset = true }
        loop.release(&clients[id].socket, reset: reset)
        clients.remove(id)
    }

    private mutating func logEnd(of id: SlotID, _ end: ClientEnd) {
        if case .badRequest(let status, let reason) = end {
            metrics.refusals["bad_request", default: 0] += 1
            log.server.debug(
                "request refused",
                metadata: ["status": .stringConvertible(status), "reason": "\(reason)"])
        }
        guard clients[id].machine.channel != nil else { return }
        var metadata = metadata(ofClient: id)
        metadata["reason"] = "\(end.reason)"
        metadata["duration_ms"] = .stringConvertible(
            (loop.now - clients[id].openedAt).milliseconds)
        metadata["messages"] = .stringConvertible(clients[id].messagesForwarded)
        switch end {
        case .closedByClient(let code): metadata["code"] = .stringConvertible(code)
        case .protocolError(let code, let reason):
            metadata["code"] = .stringConvertible(code)
            metadata["error"] = "\(reason)"
        case .slow(let queued): metadata["queued_bytes"] = .stringConvertible(queued)
        case .writeError(let error): metadata["error"] = "\(error.reason)"
        default: break
        }
        log.server.info("client disconnected", metadata: metadata)
    }
}
