@testable import Relay
import Testing
import WSFrame

/// Which form of the metrics a request gets, and how the two differ.
@Suite struct MetricsFormatTests {
    private func format(_ accept: String...) -> MetricsFormat {
        MetricsFormat(HTTPHeaders(accept.map { HTTPHeader("Accept", $0) }))
    }

    @Test(arguments: [
        // Prometheus 2.42 and 3.4.
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;"
            + "q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
            + "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;"
            + "escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
        "application/openmetrics-text", "Application/OpenMetrics-Text ; Version=\"1.0.0\"",
        "text/plain;q=0.5, application/openmetrics-text;q=0.5",
    ])
    func openMetricsIsServedToWhoAsksForIt(accept: String) {
        #expect(format(accept) == .openMetrics)
    }

    @Test(arguments: [
        "", "*/*", "text/plain", "text/html,*/*;q=0.8", "application/*",
        "application/openmetrics-text;q=0", "application/openmetrics-text;q=0.000",
        "application/openmetrics-text;q=0.4,text/plain",
        "application/openmetrics-text;version=2.0.0", "application/openmetrics-text;q=nonsense",
        "application/openmetrics-text;q=1.5555", "application/openmetrics", ";;;=,q=1",
    ])
    func everybodyElseGetsTheTextForm(accept: String) {
        #expect(format(accept) == .prometheus)
    }

    @Test func headersAreReadAsOneList() {
        #expect(MetricsFormat(HTTPHeaders()) == .prometheus)
        #expect(format("text/plain;q=0.5", "application/openmetrics-text") == .openMetrics)
    }

    @Test func openMetricsNamesCountersWithoutTheirSuffixAndEnds() {
        var metrics = Metrics()
        metrics.refusals = ["origin": 2]
        let text = metrics.prometheusText(MetricsReading(), as: .openMetrics)
        #expect(text.contains("# TYPE status2_refusals counter\n"))
        #expect(text.contains("\nstatus2_refusals_total{reason=\"origin\"} 2\n"))
        #expect(text.contains("# UNIT status2_redis_outage_seconds seconds\n"))
        #expect(text.contains("# UNIT process_resident_memory_bytes bytes\n"))
        #expect(!text.contains("# TYPE status2_refusals_total"))
        #expect(text.hasSuffix("\n# EOF\n"))
        // The classic form has no line that is new to it.
        let classic = metrics.prometheusText(MetricsReading())
        #expect(!classic.contains("# UNIT") && !classic.contains("# EOF"))
        #expect(classic.contains("# TYPE status2_refusals_total counter\n"))
    }

    @Test func theRequestDecides() {
        let daemon = SimulatedDaemon { $0.metricsEnabled = true }
        let classic = daemon.get("/metrics")
        #expect(classic.head.contains("Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n"))
        #expect(classic.head.contains("Vary: Accept\r\n"))
        let open = daemon.get("/metrics", headers: ["Accept: application/openmetrics-text"])
        let type = "application/openmetrics-text; version=1.0.0; charset=utf-8"
        #expect(open.head.contains("Content-Type: \(type)\r\n"))
        #expect(open.body.hasSuffix("# EOF\n"))
    }
}
