@testable import Relay
@testable import Simulation
import Testing

/// What `/metrics` prints.
@Suite struct MetricsTests {
    private func value(_ series: String, in text: String) -> String? {
        text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
            .map { String($0.dropFirst(series.count + 1)) }
    }

    @Test func everySeriesHasItsHelpAndItsType() {
        var metrics = Metrics()
        metrics.connectionsEnded = ["client_closed": 3]
        let text = metrics.prometheusText(MetricsReading())
        let names = text.split(separator: "\n").filter { !$0.hasPrefix("#") }
            .map { String($0.prefix { $0 != " " && $0 != "{" }) }
            .map { $0.replacing(/_seconds_(bucket|sum|count)$/, with: "_seconds") }
        #expect(names.count > 25)
        for name in names {
            #expect(text.contains("# HELP \(name) "))
            #expect(text.contains("# TYPE \(name) "))
        }
    }

    @Test func spansArePrintedInSeconds() {
        var metrics = Metrics()
        metrics.redisOutage = .milliseconds(1_050)
        var reading = MetricsReading()
        reading.ongoingOutage = .seconds(2)
        let text = metrics.prometheusText(reading)
        #expect(value("status2_redis_outage_seconds_total", in: text) == "3.050000")
    }

    @Test func labelsComeInTheirOrder() {
        var metrics = Metrics()
        metrics.redisReconnectsByCause = ["timeout": 2, "closed": 1, "reset": 3]
        let lines = metrics.prometheusText(MetricsReading()).split(separator: "\n")
            .filter { $0.hasPrefix("status2_redis_reconnects_by_cause_total{") }
        #expect(
            lines.map { $0.drop { $0 != "{" } } == [
                #"{cause="closed"} 1"#, #"{cause="reset"} 3"#, #"{cause="timeout"} 2"#,
            ])
    }

    @Test func theDaemonsStateIsReadWhenItIsAskedFor() {
        let daemon = SimulatedDaemon { $0.metricsEnabled = true }
        _ = daemon.open("/run:a")
        let slow = daemon.open("/run:b")
        slow.read()
        slow.connection.capacity = 0
        daemon.redis.publish("run:b", "waits")
        daemon.settle()
        let text = daemon.get("/metrics").body
        #expect(value("status2_messages_queued", in: text) == "1")
        #expect(
            value("status2_queued_bytes", in: text)
                == "\(#"{"type":"status","data":"waits"}"#.utf8.count + 2)")
        #expect(value("status2_buffered_bytes", in: text) == "4096")
        #expect(value(#"status2_redis_links{state="live"}"#, in: text) == "2")
        #expect(value(#"status2_redis_subscriptions{state="live"}"#, in: text) == "2")
        #expect(value(#"status2_redis_subscriptions{state="pending"}"#, in: text) == "0")
        #expect(value("status2_ready", in: text) == "1")
        // Two pages with their links, the probe, the connection that asks, and the upkeep.
        #expect(value("status2_timers", in: text) == "7")
        daemon.redis.kill()
        daemon.settle()
        let later = daemon.get("/metrics").body
        #expect(value(#"status2_redis_links{state="pending"}"#, in: later) == "2")
        #expect(value(#"status2_redis_subscriptions{state="live"}"#, in: later) == "0")
        #expect(value(#"status2_redis_subscriptions{state="pending"}"#, in: later) == "2")
        #expect(value("status2_ready", in: later) == "0")
    }

    @Test func reconnectsAreCountedByTheirCauseBesideTheContractsName() {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.redis.kill()
        daemon.advance(.seconds(5))
        #expect(daemon.metrics.redisReconnects == 1)
        #expect(daemon.metrics.redisReconnectsByCause == ["reset": 1])
        #expect(daemon.metrics.redisLinkFailures == ["reset": 2])
    }

    @Test func theRoundTripOfTheHeartbeatIsMeasured() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.advance(.milliseconds(35))
        page.say(#"{"type":"pong"}"#)
        daemon.settle()
        page.sendClose(1000)
        daemon.advance(.seconds(3))
        let line = daemon.log.lines("client disconnected").last ?? ""
        #expect(line.contains(#""heartbeat_rtt_ms":35"#))
    }
}
