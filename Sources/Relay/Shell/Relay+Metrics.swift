import Logging
import WSFrame

// What is looked at when somebody asks for the metrics: nothing of it costs anything before. The loop
// that is asked asks the others in turn, and answers when all have left their figures.
extension Relay where S: ~Copyable {
    /// Answers `/metrics`, once all loops have left their figures or ``MetricsGathering/limit`` is
    /// over.
    mutating func serveMetrics(to asker: MetricsGathering.Asker, as format: MetricsFormat) {
        gathering.askers.append((asker, format))
        // What follows the request waits in the kernel.
        if case .client(let id) = asker { loop.markDirty(&clients[id].socket) }
        guard gathering.missing.isEmpty else { return }
        let others = place.others.filter { !place.share.loops[$0].hasEnded }
        guard !others.isEmpty else { return answerMetrics() }
        gathering.begin(others)
        for other in others { place.share.post(.report(to: place.index), to: other) }
        loop.arm(gatherTimer, at: loop.now + MetricsGathering.limit)
    }

    /// Leaves the figures of this loop for another that was asked for the metrics.
    mutating func report(to asker: Int) {
        leaveReport()
        place.share.post(.reported(by: place.index), to: asker)
    }

    /// Leaves the figures of this loop as they are now.
    mutating func leaveReport() {
        let report = LoopReport(metrics: metrics, reading: read(), turns: place.state.turns)
        place.share.leave(report, of: place.index)
    }

    /// The figures of a loop have come.
    mutating func gathered(from other: Int) {
        if gathering.received(from: other) { answerMetrics() }
    }

    /// Answers all who asked with what there is.
    mutating func answerMetrics() {
        let (askers, missing) = gathering.end()
        guard !askers.isEmpty else { return }
        let (metrics, reading) = figures(unanswered: missing.count)
        for (asker, format) in askers {
            let headers = [
                HTTPHeader("Content-Type", format.contentType), HTTPHeader("Vary", "Accept"),
            ]
            let text = metrics.prometheusText(reading, as: format)
            let response = HTTPResponse(status: 200, headers: headers, body: Array(text.utf8))
            switch asker {
            case .client(let id):
                guard clients.contains(id), clients[id].machine.isPaused else { continue }
                respond(response, to: id)
            case .admin(let id): answer(id, response)
            }
        }
    }

    /// The figures of all loops; `unanswered` of them have only their former ones.
    private mutating func figures(unanswered: Int) -> (Metrics, MetricsReading) {
        leaveReport()
        let reports = place.share.lastReports
        var metrics = Metrics()
        var reading = processReading()
        for report in reports {
            metrics.add(report.metrics)
            reading.add(report.reading)
        }
        reading.loops = reports.map {
            LoopFigures(connections: $0.metrics.connectionsActive, turns: $0.turns)
        }
        reading.unansweredLoops = unanswered
        return (metrics, reading)
    }

    /// What is told of the process as a whole.
    private func processReading() -> MetricsReading {
        var reading = MetricsReading()
        reading.release = options.release
        reading.isReady = phase == .serving && unreadiness.isEmpty
        reading.isOriginCheckDisabled = router.isOriginCheckDisabled
        reading.connectionLimit = options.connectionLimit
        reading.memoryBudget = settings.memoryBudget
        reading.logLinesDropped = options.droppedLogLines()
        reading.traceLinesDropped = options.droppedTraceLines() + admin.droppedLines
        reading.process = options.processUsage()
        reading.canary = options.canary?.findings
        reading.stalledLoops = watch.stalled
        return reading
    }

    /// What is told of this loop.
    private mutating func read() -> MetricsReading {
        var reading = MetricsReading()
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
        reading.resumeBytes = hub.resumeBytes
        reading.resumeKept = hub.keptCount
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
