/// What the daemon counts since its start.
struct Metrics: Equatable, Sendable {
    /// WebSockets whose upgrade was accepted and which are not closed.
    var connectionsActive = 0
    /// Messages queued for a browser.
    var messagesForwarded: UInt64 = 0
    /// Links to Redis that were made again after a failure.
    var redisReconnects: UInt64 = 0
    /// Connections on which writing to the browser failed.
    var writeErrors: UInt64 = 0
    /// Payloads over the limit, which were skipped.
    var payloadsOversized: UInt64 = 0
    /// Messages that came when their browser took no more.
    var messagesUndelivered: UInt64 = 0
    /// Ill-formed UTF-8 sequences that were replaced.
    var replacements: UInt64 = 0
    /// Text messages from browsers that were not JSON.
    var clientMessagesMalformed: UInt64 = 0
    /// Browsers disconnected because they took their bytes too slowly.
    var slowClients: UInt64 = 0
    /// Commands to Redis that were not answered in time.
    var redisTimeouts: UInt64 = 0
    /// Connections that ended without an upgrade, by reason; the reasons are few and fixed.
    var refusals: [String: UInt64] = [:]
    /// Accepts that failed for want of descriptors or memory.
    var acceptFailures: UInt64 = 0

    /// The Prometheus text exposition format, version 0.0.4.
    func prometheusText(
        isOriginCheckDisabled: Bool, logLinesDropped: UInt64, traceLinesDropped: UInt64
    ) -> String {
        var text = ""
        func add(_ name: String, _ type: String, _ help: String, _ value: some BinaryInteger) {
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n\(name) \(value)\n"
        }
        add(
            "status2_connections_active", "gauge", "WebSockets that are open.", connectionsActive)
        add(
            "status2_messages_forwarded_total", "counter",
            "Messages from Redis queued for a browser.", messagesForwarded)
        add(
            "status2_redis_reconnects_total", "counter",
            "Connections to Redis made again after a failure.", redisReconnects)
        add(
            "status2_write_errors_total", "counter",
            "Connections on which writing to the browser failed.", writeErrors)
        add(
            "status2_redis_timeouts_total", "counter",
            "Commands that Redis did not answer in time.", redisTimeouts)
        add(
            "status2_payloads_oversized_total", "counter",
            "Payloads from Redis over the size limit, skipped.", payloadsOversized)
        add(
            "status2_messages_undelivered_total", "counter",
            "Messages that came when their browser took no more.", messagesUndelivered)
        add(
            "status2_utf8_replacements_total", "counter",
            "Ill-formed UTF-8 sequences in payloads replaced by U+FFFD.", replacements)
        add(
            "status2_client_messages_malformed_total", "counter",
            "Text messages from browsers that were not JSON.", clientMessagesMalformed)
        add(
            "status2_slow_clients_total", "counter",
            "Browsers disconnected because they took their bytes too slowly.", slowClients)
        add(
            "status2_accept_failures_total", "counter",
            "Accepts that failed for want of descriptors or memory.", acceptFailures)
        add(
            "status2_log_lines_dropped_total", "counter",
            "Log lines dropped because standard output did not take them.", logLinesDropped)
        add(
            "status2_trace_lines_dropped_total", "counter",
            "Lines of the trace dropped because their receiver was too slow.", traceLinesDropped)
        add(
            "status2_origin_check_disabled", "gauge",
            "1 when every origin is accepted.", isOriginCheckDisabled ? 1 : 0)
        text += "# HELP status2_refusals_total Requests refused, by reason.\n"
        text += "# TYPE status2_refusals_total counter\n"
        for reason in refusals.keys.sorted() {
            text += "status2_refusals_total{reason=\"\(reason)\"} \(refusals[reason] ?? 0)\n"
        }
        return text
    }
}
