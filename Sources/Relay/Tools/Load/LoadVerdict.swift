/// What must hold of a run; what is nil is not asked.
public struct LoadThresholds: Equatable, Sendable {
    /// How many messages may be lost.
    public enum Loss: Equatable, Sendable {
        /// So many.
        case count(UInt64)
        /// This share of what was to be delivered, 0 to 1.
        case share(Double)

        /// Reads `5` or `0.1%`; nil where it is neither.
        public init?(_ text: String) {
            if text.hasSuffix("%") {
                guard let percent = Double(text.dropLast()), (0...100).contains(percent) else {
                    return nil
                }
                self = .share(percent / 100)
            } else {
                guard let count = UInt64(text) else { return nil }
                self = .count(count)
            }
        }
    }

    /// The longest latency of 95 in 100 messages, from the intended time of sending to receipt.
    public var p95: Nanoseconds?
    /// Messages that may be lost; repetition and a wrong order are never allowed.
    public var loss = Loss.count(0)
    /// How late a heartbeat may be, beyond what the tool itself was late to read it.
    public var heartbeatLateness: Nanoseconds?
    /// How many open connections may end unasked.
    public var reconnects: UInt64?
    /// How long a page may be without its stream, from the end of its connection on.
    public var returnTime: Nanoseconds?

    /// Asks for what a relay promises: no message lost, repeated or out of order.
    public init() {}

    /// What does not hold, a line each.
    func failures(of result: LoadResult) -> [String] {
        var failures: [String] = []
        let expected = result.tally.delivered + result.lost + result.missed
        let allowed =
            switch loss {
            case .count(let count): count
            case .share(let share): UInt64(share * Double(expected))
            }
        if result.countedLoss > allowed {
            failures.append("\(result.countedLoss) messages were lost, \(allowed) may be")
        }
        if result.tally.repeated > 0 {
            failures.append("\(result.tally.repeated) messages came again")
        }
        if result.tally.reordered > 0 {
            failures.append("\(result.tally.reordered) messages came out of order")
        }
        if result.absentPages > 0 {
            failures.append("\(result.absentPages) pages have no stream at the end")
        }
        if result.tally.isIdle(result.options) {
            failures.append("there was not one message")
        }
        // What was not sent cannot be lost: only where Redis was to be gone is that as it should be.
        if result.tally.unpublished > 0, !result.options.excusesOutages {
            let reason = result.tally.redisComplaint ?? "no connection"
            failures.append("\(result.tally.unpublished) messages were not published: \(reason)")
        }
        failures += lateness(of: result)
        return failures
    }

    private func lateness(of result: LoadResult) -> [String] {
        var failures: [String] = []
        let tally = result.tally
        if let p95, tally.latency.percentile(0.95) > p95 {
            failures.append(
                "p95 is \(LoadText.milliseconds(tally.latency.percentile(0.95))) ms, over"
                    + " \(LoadText.milliseconds(p95)) ms")
        }
        if let heartbeatLateness, tally.heartbeatExcess.max > heartbeatLateness {
            failures.append(
                "a heartbeat was \(LoadText.milliseconds(tally.heartbeatExcess.max)) ms late,"
                    + " over \(LoadText.milliseconds(heartbeatLateness)) ms")
        }
        // A tool that is always late would take everything off.
        if let heartbeatLateness, tally.loopLag.percentile(0.99) > heartbeatLateness {
            failures.append("the tool itself was too slow to tell heartbeats that are late")
        }
        if let reconnects, tally.ends > reconnects {
            failures.append("\(tally.ends) open connections ended, \(reconnects) may")
        }
        if let returnTime, tally.returns.max > returnTime {
            failures.append(
                "a page was back after \(LoadText.milliseconds(tally.returns.max)) ms, over"
                    + " \(LoadText.milliseconds(returnTime)) ms")
        }
        return failures
    }
}
