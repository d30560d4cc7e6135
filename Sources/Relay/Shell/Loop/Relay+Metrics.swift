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
        if case .client(let id) = asker { clients.wake(id, &context) }
        guard gathering.missing.isEmpty else { return }
        let others = place.others.filter { !place.share.loops[$0].hasEnded }
        guard !others.isEmpty else { return answerMetrics() }
        gathering.begin(others)
        for other in others { place.share.post(.report(to: place.index), to: other) }
        context.loop.arm(gatherTimer, at: context.loop.now + MetricsGathering.limit)
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
                guard clients.contains(id), clients.connections[id].machine.isPaused else {
                    continue
                }
                clients.respond(response, to: id, &context)
            case .admin(let id): admin.answer(id, response, &context)
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
        reading.release = context.options.release
        reading.isReady = phase == .serving && unreadiness.isEmpty
        reading.isOriginCheckDisabled = router.isOriginCheckDisabled
        reading.connectionLimit = context.options.connectionLimit
        reading.memoryBudget = settings.memoryBudget
        reading.logLinesDropped = context.options.droppedLogLines()
        reading.traceLinesDropped = context.options.droppedTraceLines() + admin.droppedLines
        reading.process = context.options.processUsage()
        reading.canary = context.options.canary?.findings
        reading.stalledLoops = watch.stalled
        return reading
    }

    /// What is told of this context.loop.
    private mutating func read() -> MetricsReading {
        var reading = MetricsReading()
        reading.bufferedBytes = context.loop.bufferedBytes
        reading.armedTimers = context.loop.wheel.armedCount
        reading.stoodStill = context.loop.stoodStill
        for id in clients.ids {
            reading.queuedMessages += clients.connections[id].socket.output.messageCount
            reading.queuedBytes += clients.connections[id].socket.output.count
            clients.checkLedger(of: id, &context)
        }
        for id in links.ids where !links.entries[id].machine.isProbe {
            if links.entries[id].machine.isLive {
                reading.liveLinks += 1
            } else {
                reading.pendingLinks += 1
            }
        }
        reading.resumeBytes = hub.resumeBytes
        reading.resumeKept = hub.keptCount
        for id in hub.ids {
            if hub[id].state == .acknowledged {
                reading.liveSubscriptions += 1
            } else if hub[id].isWanted {
                reading.pendingSubscriptions += 1
            }
            guard hub[id].outageSince != .never else { continue }
            reading.ongoingOutage =
                reading.ongoingOutage + (context.loop.boot - hub[id].outageSince)
        }
        return reading
    }
}
