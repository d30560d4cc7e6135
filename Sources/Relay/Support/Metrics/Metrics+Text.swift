// The metrics as `/metrics` prints them. No metric is labelled by run or channel.
extension Metrics {
    /// All families, in Prometheus's text exposition format or as OpenMetrics.
    func prometheusText(
        _ reading: MetricsReading, as format: MetricsFormat = .prometheus
    ) -> String {
        var output = PrometheusText(format)
        addConnections(reading, to: &output)
        addMessages(reading, to: &output)
        addRedis(reading, to: &output)
        addLoops(reading, to: &output)
        addDaemon(reading, to: &output)
        return output.text
    }

    private func addConnections(_ reading: MetricsReading, to output: inout PrometheusText) {
        output.add(
            "status2_connections_active", .gauge, "WebSockets that are open.", connectionsActive)
        output.add(
            "status2_connection_limit", .gauge, "WebSockets that may be open at once.",
            reading.connectionLimit)
        output.add(
            "status2_connections_ended_total", .counter, "WebSockets that have ended, by reason.",
            by: "reason", connectionsEnded)
        output.add(
            "status2_refusals_total", .counter, "Requests refused, by reason.", by: "reason",
            refusals)
        output.add(
            "status2_accept_failures_total", .counter,
            "Accepts that failed for want of descriptors or memory.", acceptFailures)
        output.add(
            "status2_accept_pauses_total", .counter,
            "Pauses of accepting because connections came faster than they may.", acceptPauses)
        output.add(
            "status2_write_errors_total", .counter,
            "Connections on which writing to the browser failed.", writeErrors)
        output.add(
            "status2_slow_clients_total", .counter,
            "Browsers disconnected because they took their bytes too slowly.", slowClients)
        output.add(
            "status2_heartbeat_round_trip_seconds",
            "Time from a heartbeat to the browser's answer.", heartbeatRoundTrip)
        output.add(
            "status2_client_messages_malformed_total", .counter,
            "Text messages from browsers that were not JSON.", clientMessagesMalformed)
        output.add(
            "status2_origin_check_disabled", .gauge, "1 when every origin is accepted.",
            reading.isOriginCheckDisabled ? 1 : 0)
    }

    private func addMessages(_ reading: MetricsReading, to output: inout PrometheusText) {
        output.add(
            "status2_messages_received_total", .counter,
            "Messages that Redis sent for a browser.", ledger.received)
        output.add(
            "status2_messages_forwarded_total", .counter,
            "Messages from Redis queued for a browser.", messagesForwarded)
        output.add(
            "status2_messages_delivered_total", .counter,
            "Messages whose last byte the kernel has taken.", ledger.delivered)
        output.add(
            "status2_messages_dropped_total", .counter,
            "Messages that did not reach their browser, by reason.", by: "reason",
            DropReason.allCases.map { ($0.rawValue, ledger.dropped[$0]) })
        output.add(
            "status2_messages_queued", .gauge, "Messages that wait to be sent.",
            reading.queuedMessages)
        output.add(
            "status2_queued_bytes", .gauge, "Bytes that wait to be sent to browsers.",
            reading.queuedBytes)
        output.add(
            "status2_buffered_bytes", .gauge,
            "Bytes of memory that count towards the memory budget.", reading.bufferedBytes)
        output.add(
            "status2_memory_budget_bytes", .gauge,
            "Bytes of memory that connections may hold before one is disconnected.",
            reading.memoryBudget)
        output.add(
            "status2_delivery_seconds",
            "Time from the turn that read a message from Redis to its last byte in the socket.",
            delivery)
        output.add(
            "status2_ledger_imbalances_total", .counter,
            "Connections whose messages were not all accounted for: a defect.", ledgerImbalances)
        output.add(
            "status2_utf8_replacements_total", .counter,
            "Ill-formed UTF-8 sequences in payloads replaced by U+FFFD.", replacements)
        output.add(
            "status2_gap_notices_total", .counter, "Notices of lost messages sent to browsers.",
            gapNotices)
        output.add(
            "status2_resumes_total", .counter,
            "Pages that have come back to their stream, by what they got.", by: "outcome",
            [("complete", resumesComplete), ("gap", resumesFailed)])
        output.add(
            "status2_replayed_messages_total", .counter,
            "Messages that pages got when they came back.", messagesReplayed)
        output.add(
            "status2_resume_bytes", .gauge,
            "Bytes of messages held for pages that may come back.", reading.resumeBytes)
        output.add(
            "status2_resume_kept", .gauge,
            "Subscriptions without pages that are kept for some that may come back.",
            UInt64(reading.resumeKept))
        output.add(
            "status2_outage_notices_total", .counter,
            "Notices of an interrupted subscription sent to browsers.", outageNotices)
    }

    private func addRedis(_ reading: MetricsReading, to output: inout PrometheusText) {
        output.add(
            "status2_redis_links", .gauge, "Subscription connections to Redis, by state.",
            by: "state",
            [("live", UInt64(reading.liveLinks)), ("pending", UInt64(reading.pendingLinks))])
        output.add(
            "status2_redis_subscriptions", .gauge,
            "Subscriptions, by state; on a shared link the pages that hear the same have one together.",
            by: "state",
            [
                ("live", UInt64(reading.liveSubscriptions)),
                ("pending", UInt64(reading.pendingSubscriptions)),
            ])
        output.add(
            "status2_redis_reconnects_total", .counter,
            "Connections to Redis made again after a failure.", redisReconnects)
        output.add(
            "status2_redis_reconnects_by_cause_total", .counter,
            "Connections to Redis made again, by the cause of the failure.", by: "cause",
            redisReconnectsByCause)
        output.add(
            "status2_redis_link_failures_total", .counter,
            "Connections to Redis that were lost or could not be made, by cause.", by: "cause",
            redisLinkFailures)
        output.add(
            "status2_redis_unexpected_replies_total", .counter,
            "Errors and messages from Redis that were wrong and ended no link, by kind.",
            by: "kind", redisRemarks)
        output.add(
            "status2_redis_timeouts_total", .counter,
            "Commands that Redis did not answer in time.", redisTimeouts)
        output.add(
            "status2_redis_round_trip_seconds",
            "Time from a command to Redis to its answer.", redisRoundTrip)
        output.add(
            "status2_redis_suspicions_total", .counter,
            "Times that a server was suspected and all its links were asked whether they live.",
            redisSuspicions)
        output.add(
            "status2_redis_cluster_topologies_total", .counter,
            "Answers of a cluster's nodes that said where the slots are.", clusterTopologies)
        output.add(
            "status2_redis_cluster_redirections_total", .counter,
            "Redirections to another node of a cluster (MOVED).", clusterRedirections)
        output.add(
            "status2_redis_cluster_moves_total", .counter,
            "Subscriptions that were in force at a node of a cluster and had to go to another.",
            clusterMoves)
        output.add(
            "status2_redis_tls_handshakes_total", .counter, "TLS handshakes with Redis, by kind.",
            by: "kind", [("full", tlsHandshakesFull), ("resumed", tlsHandshakesResumed)])
        output.add(
            "status2_redis_outage_seconds_total", .counter,
            "Time during which subscriptions were interrupted, summed over browsers.",
            seconds: redisOutage + reading.ongoingOutage)
    }

    private func addLoops(_ reading: MetricsReading, to output: inout PrometheusText) {
        let loops = reading.loops.enumerated().map { (String($0.offset), $0.element) }
        output.add(
            "status2_loop_connections", .gauge, "WebSockets that are open, by event loop.",
            by: "loop", loops.map { ($0.0, UInt64(clamping: $0.1.connections)) })
        output.add(
            "status2_loop_turns_total", .counter, "Turns of each event loop.", by: "loop",
            loops.map { ($0.0, $0.1.turns) })
        output.add(
            "status2_loops_stalled", .gauge, "Event loops that stand still.",
            reading.stalledLoops)
        output.add(
            "status2_loop_stalls_total", .counter,
            "Event loops that were found standing still by another.", loopStalls)
        output.add(
            "status2_loops_unanswered", .gauge,
            "Event loops that have not told their figures in time: their last known ones stand here.",
            reading.unansweredLoops)
    }

    private func addDaemon(_ reading: MetricsReading, to output: inout PrometheusText) {
        output.add(
            "status2_ready", .gauge, "1 while Redis answers and the daemon is not draining.",
            reading.isReady ? 1 : 0)
        if let canary = reading.canary {
            output.add(
                "status2_canary_latency_seconds",
                "Time from before the canary's message is published until it has come to its page.",
                canary.latency)
            output.add(
                "status2_canary_misses_total", .counter,
                "Messages of the canary that did not come in time.", canary.misses)
            output.add(
                "status2_canary_lost", .gauge,
                "1 while messages that Redis takes do not come back.", canary.isLost ? 1 : 0)
        }
        output.add(
            "status2_build_info", .gauge, "1, with the version of the daemon and its commit.",
            labels: [
                ("version", reading.release.version), ("revision", reading.release.revision),
            ])
        output.add(
            "status2_log_lines_dropped_total", .counter,
            "Log lines dropped because standard output did not take them.",
            reading.logLinesDropped)
        output.add(
            "status2_trace_lines_dropped_total", .counter,
            "Lines of the trace dropped because their receiver was too slow.",
            reading.traceLinesDropped)
        output.add(
            "status2_timers", .gauge, "Timers that are armed, at most one for each connection.",
            reading.armedTimers)
        output.add(
            "status2_loop_lag_seconds",
            "Time by which the event loop came late to a timer, standstills included.", loopLag)
        output.add(
            "status2_standstills_total", .counter,
            "Times that the daemon stood still: stopped, frozen, starved or suspended.", standstills
        )
        output.add(
            "status2_standstill_seconds_total", .counter,
            "Time that the daemon stood still.", seconds: reading.stoodStill)
        let process = reading.process
        output.add(
            "process_cpu_seconds_total", .counter, "Processor time of the process.",
            seconds: process.processorTime)
        output.add(
            "process_resident_memory_bytes", .gauge, "Resident memory of the process.",
            process.residentBytes)
        output.add(
            "process_open_fds", .gauge, "Open file descriptors.", process.openDescriptors)
        output.add(
            "process_max_fds", .gauge, "The limit of open file descriptors.",
            process.descriptorLimit)
        output.add(
            "process_start_time_seconds", .gauge, "Start of the process, in Unix time.",
            seconds: Nanoseconds(process.startedAtUnixTime))
    }
}
