import Testing

@testable import Relay

/// What is concluded from messages that come back, and from those that do not.
@Suite("The canary") struct CanaryTests {
    @Test("is lost after two misses in a row, and back with the next message")
    func misses() {
        let canary = Canary()
        #expect(!canary.missed() && !canary.isLost)
        #expect(!canary.delivered(after: .milliseconds(3)))
        #expect(!canary.missed() && !canary.isLost)
        #expect(canary.missed() && canary.isLost)
        #expect(!canary.missed() && canary.isLost)
        #expect(canary.delivered(after: .milliseconds(3)) && !canary.isLost)
        #expect(canary.findings.misses == 4 && canary.findings.latency.count == 2)
    }

    @Test("shows in the metrics where there is one")
    func metrics() {
        var reading = MetricsReading()
        #expect(!Metrics().prometheusText(reading).contains("canary"))
        let canary = Canary()
        _ = (canary.missed(), canary.missed())
        reading.canary = canary.findings
        let text = Metrics().prometheusText(reading)
        #expect(text.contains("status2_canary_lost 1\n"))
        #expect(text.contains("status2_canary_misses_total 2\n"))
        #expect(text.contains("status2_canary_latency_seconds_count 0\n"))
    }
}
