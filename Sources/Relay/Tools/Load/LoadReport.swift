/// Numbers as people read them.
enum LoadText {
    /// A span in milliseconds with two decimals, rounded up, so that nothing looks better than it is.
    static func milliseconds(_ span: Nanoseconds) -> String {
        let hundredths = span.count / 10_000 + (span.count % 10_000 > 0 ? 1 : 0)
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest)"
    }

    /// A number of things in a span, a second; with one decimal.
    static func perSecond(_ count: UInt64, in span: Nanoseconds) -> String {
        guard span > .zero else { return "0.0" }
        let tenths = UInt64((Double(count) * 1e10 / Double(span.count)).rounded())
        return "\(tenths / 10).\(tenths % 10)"
    }

    static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}

/// What a run has shown, as a table or as JSON.
struct LoadReport {
    let result: LoadResult

    private static let percentiles: [(name: String, share: Double)] = [
        ("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p99.9", 0.999),
    ]

    /// The times that are told, by name.
    private var times: [(key: String, title: String, histogram: LatencyHistogram)] {
        let tally = result.tally
        return [
            ("latency", "latency", tally.latency),
            ("connecting", "dial to first ping", tally.connecting),
            ("returning", "back after a loss", tally.returns),
            ("heartbeat_lateness", "heartbeat lateness", tally.heartbeatLateness),
            ("heartbeat_excess", "  beyond the tool's", tally.heartbeatExcess),
            ("publish_lateness", "own: published late", tally.publishLateness),
            ("loop_lag", "own: loop woke late", tally.loopLag),
        ]
    }

    /// The counts that are told, by name.
    private var counts: [(key: String, title: String, count: UInt64)] {
        let tally = result.tally
        return [
            ("published", "published", tally.published),
            ("unpublished", "not published, Redis was gone", tally.unpublished),
            ("unanswered", "published, Redis went before it answered", tally.unanswered),
            ("unsubscribed", "published to too few subscribers", tally.unsubscribed),
            ("delivered", "delivered", tally.delivered),
            ("lost", "lost with a live subscription", result.lost),
            ("missed", "missed without one", result.missed),
            ("repeated", "repeated", tally.repeated),
            ("reordered", "out of order", tally.reordered),
            ("foreign", "of others", tally.foreign),
            ("pages", "pages", UInt64(result.options.sockets)),
            ("absent_pages", "pages without a stream at the end", UInt64(result.absentPages)),
            ("opened", "connections opened", tally.opened),
            ("failed_openings", "connections not opened", tally.failedOpenings),
            ("ended", "open connections ended", tally.ends),
            ("slow_ended", "slow readers disconnected", tally.slowEnds),
            ("pings", "heartbeats", tally.pings),
            ("hangups", "hangups", tally.hangups),
            ("gap_notices", "gap notices", tally.gaps),
            ("outage_notices", "outage notices", tally.outages),
        ]
    }

    /// The processor time of the tool for each message that it received.
    private var processorTimePerMessage: Nanoseconds {
        let delivered = Int64(clamping: result.tally.delivered)
        return delivered == 0 ? .zero : Nanoseconds(result.processorTime.count / delivered)
    }

    /// A table for people; what is zero is left out, but for what is asked first.
    var table: String {
        let width = 42
        var lines: [String] = []
        let always: Set = ["delivered", "lost", "repeated", "reordered", "ended"]
        for (key, title, count) in counts where count > 0 || always.contains(key) {
            var line = LoadText.padded(title, to: width) + "\(count)"
            if key == "published" || key == "delivered" {
                line += "  (\(LoadText.perSecond(count, in: result.measured)) a second)"
            }
            lines.append(line)
        }
        if result.tally.outageSpan > .zero {
            lines.append(
                LoadText.padded("from the first to the last of an outage", to: width)
                    + "\(LoadText.milliseconds(result.tally.outageSpan)) ms")
        }
        for (reason, count) in sortedReasons {
            lines.append(LoadText.padded("  \(reason)", to: width) + "\(count)")
        }
        lines.append(
            LoadText.padded("own: processor time a message", to: width)
                + "\(processorTimePerMessage.count / 1000) µs")
        let columns = Self.percentiles.map(\.name) + ["max"]
        lines.append("")
        lines.append(row("milliseconds", columns))
        for (_, title, histogram) in times where histogram.count > 0 {
            let values = Self.percentiles.map { histogram.percentile($0.share) } + [histogram.max]
            lines.append(row(title, values.map(LoadText.milliseconds)))
        }
        lines.append("")
        let failures = result.failures
        lines += failures.isEmpty ? ["passed"] : failures.map { "FAILED: \($0)" }
        return lines.joined(separator: "\n") + "\n"
    }

    private var sortedReasons: [(String, UInt64)] {
        result.tally.reasons.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
    }

    private func row(_ title: String, _ values: [String]) -> String {
        LoadText.padded(title, to: 22)
            + values.map { LoadText.padded($0, to: 11) }.joined()
    }

    /// One object for programs; spans are in milliseconds.
    var json: String {
        var text = JSONText()
        text.open("{")
        text.member("scenario", result.options.scenario.rawValue)
        text.key("measured_ms")
        text.raw(LoadText.milliseconds(result.measured))
        text.key("outage_ms")
        text.raw(LoadText.milliseconds(result.tally.outageSpan))
        for (key, _, count) in counts {
            text.key(key)
            text.raw("\(count)")
        }
        text.key("processor_us_per_message")
        text.raw("\(processorTimePerMessage.count / 1000)")
        text.key("reasons")
        text.open("{")
        for (reason, count) in sortedReasons {
            text.key(reason)
            text.raw("\(count)")
        }
        text.close("}")
        for (key, _, histogram) in times {
            text.key(key + "_ms")
            append(histogram, to: &text)
        }
        text.key("failures")
        text.open("[")
        for failure in result.failures {
            text.separate()
            text.string(failure)
        }
        text.close("]")
        text.close("}")
        return String(decoding: text.bytes, as: UTF8.self) + "\n"
    }

    private func append(_ histogram: LatencyHistogram, to text: inout JSONText) {
        text.open("{")
        text.key("count")
        text.raw("\(histogram.count)")
        for (name, share) in Self.percentiles {
            text.key(name)
            text.raw(LoadText.milliseconds(histogram.percentile(share)))
        }
        text.key("max")
        text.raw(LoadText.milliseconds(histogram.max))
        text.close("}")
    }
}
