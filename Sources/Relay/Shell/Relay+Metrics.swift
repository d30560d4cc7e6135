import Logging
import WSFrame

// What is looked at when somebody asks for the metrics: nothing of it costs anything before.
extension Relay where S: ~Copyable {
    /// What `/metrics` answers.
    mutating func metricsResponse(as format: MetricsFormat) -> HTTPResponse {
        let reading = read()
        let headers = [
            HTTPHeader("Content-Type", format.contentType), HTTPHeader("Vary", "Accept"),
        ]
        let text = metrics.prometheusText(reading, as: format)
        return HTTPResponse(status: 200, headers: headers, body: Array(text.utf8))
    }

    private mutating func read() -> MetricsReading {
        var reading = MetricsReading()
        reading.version = options.version
        reading.isReady = phase == .serving && unreadiness.isEmpty
        reading.isOriginCheckDisabled = router.isOriginCheckDisabled
        reading.connectionLimit = options.connectionLimit
        reading.memoryBudget = settings.memoryBudget
        reading.logLinesDropped = options.droppedLogLines()
        reading.traceLinesDropped = options.droppedTraceLines()
        reading.process = options.processUsage()
        reading.bufferedBytes = loop.bufferedBytes
        reading.armedTimers = loop.wheel.armedCount
        reading.stoodStill = loop.stoodStill
        for id in clients.ids {
            reading.queuedMessages += clients[id].socket.output.messageCount
            reading.queuedBytes += clients[id].socket.output.count
            checkLedger(of: id)
        }
        for id in links.ids where links[id].machine.purpose != .probe {
            if links[id].machine.isLive {
                reading.liveLinks += 1
            } else {
                reading.pendingLinks += 1
            }
        }
        reading.subscriptions = hub.count
        for id in hub.ids where hub[id].outageSince != .never {
            reading.ongoingOutage = reading.ongoingOutage + (loop.boot - hub[id].outageSince)
        }
        return reading
    }

    /// Sees to it that every message for a browser is accounted for (I9).
    mutating func checkLedger(of id: SlotID) {
        let ledger = clients[id].ledger
        let queued = clients[id].socket.output.messageCount
        guard !ledger.isBalanced(queued: queued) else { return }
        metrics.ledgerImbalances += 1
        var metadata = metadata(ofClient: id)
        metadata["received"] = .stringConvertible(ledger.received)
        metadata["delivered"] = .stringConvertible(ledger.delivered)
        metadata["queued"] = .stringConvertible(queued)
        metadata["dropped"] = .stringConvertible(ledger.dropped.total)
        log.server.error("the ledger does not balance", metadata: metadata)
    }
}
