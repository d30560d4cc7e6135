@testable import Relay
@testable import Simulation
import Testing

/// The trace of a running daemon.
@Suite struct TraceSwitchTests {
    static func tracing(_ change: (inout TraceOptions) -> Void = { _ in }) -> TraceOptions {
        var options = TraceOptions()
        options.isOn = true
        change(&options)
        return options
    }

    static func signal(_ daemon: SimulatedDaemon) {
        daemon.world.signals.append(HostProcess.traceSignal)
        daemon.settle()
    }

    @Test func everyLinkIsTracedFromItsGreetingOn() {
        let daemon = SimulatedDaemon(trace: Self.tracing())
        #expect(
            daemon.traced.takeLines() == [
                #"link=1 out ["HELLO", "3", "SETNAME", "status2"]"#,
                #"link=1 in {"proto" => (integer) 3, "role" => "master"}"#,
                #"link=1 out ["SELECT", "2"]"#, #"link=1 out ["SUBSCRIBE", "status2:probe"]"#,
                "link=1 in OK", #"link=1 in >["subscribe", "status2:probe", (integer) 1]"#,
            ])
        let page = daemon.open("/run:status")
        _ = daemon.traced.takeText()
        daemon.redis.publish("run:status", "hello")
        daemon.settle()
        #expect(page.statuses == ["hello"])
        #expect(
            daemon.traced.takeLines() == [#"link=2 in >["message", "run:status", "hello"]"#])
    }

    @Test("no password is in any form", arguments: TraceOptions.Format.allCases)
    func masking(_ format: TraceOptions.Format) {
        for isOld in [false, true] {
            let daemon = SimulatedDaemon(
                {
                    $0.redis.username = "me"
                    $0.redis.password = Secret("s3cr3t")
                }, trace: Self.tracing { $0.format = format })
            daemon.redis.isOld = isOld
            daemon.redis.errors =
                isOld
                ? ["HELLO": "ERR unknown command 'HELLO', with args beginning with: 's3cr3t'"] : [:]
            _ = daemon.open("/run:status")
            let text = daemon.traced.takeText()
            #expect(text.contains(format == .hex ? TraceTests.hexadecimal("***") : "***"))
            #expect(!text.contains("s3cr3t"))
            #expect(!text.contains(TraceTests.hexadecimal("s3cr3t")))
            #expect(daemon.redis.subscribers.count == 1)
        }
    }

    @Test func filtersLeaveOtherLinksOut() {
        let byLink = SimulatedDaemon(trace: Self.tracing { $0.link = 3 })
        let byChannel = SimulatedDaemon(
            trace: Self.tracing { _ = $0.restrict(toChannels: "b*:status") })
        for daemon in [byLink, byChannel] {
            _ = daemon.open("/a:status")
            _ = daemon.open("/b1:status")
            daemon.redis.publish("a:status", "no")
            daemon.redis.publish("b1:status", "yes")
            daemon.settle()
            let lines = daemon.traced.takeLines()
            #expect(lines.last == #"link=3 in >["message", "b1:status", "yes"]"#)
            #expect(lines.allSatisfy { $0.hasPrefix("link=3 ") })
        }
    }

    @Test func theSignalSwitchesItOnAndOff() {
        let daemon = SimulatedDaemon()
        let page = daemon.open("/run:status")
        daemon.redis.publish("run:status", "before")
        daemon.settle()
        #expect(daemon.traced.takeText().isEmpty)
        Self.signal(daemon)
        daemon.redis.publish("run:status", "during")
        daemon.settle()
        #expect(
            daemon.traced.takeLines() == [#"link=2 in >["message", "run:status", "during"]"#])
        Self.signal(daemon)
        daemon.redis.publish("run:status", "after")
        daemon.settle()
        #expect(daemon.traced.takeText().isEmpty)
        #expect(page.statuses == ["before", "during", "after"])
        #expect(daemon.log.lines("trace switched on").count == 1)
        #expect(daemon.log.lines("trace switched off").count == 1)
        #expect(daemon.phase == .serving)
    }

    @Test("switched on at any byte it shows whole values only")
    func switchedOnAmidAValue() {
        let daemon = SimulatedDaemon { $0.maxPayloadSize = 8 }
        _ = daemon.open("/run:status")
        let connection = daemon.redis.subscribers[0].connection
        // The second payload is over the limit, so that the link skips it as it comes.
        daemon.redis.publish("run:status", "first")
        daemon.redis.publish("run:status", "a payload over the limit")
        daemon.redis.publish("run:status", "last")
        let bytes = connection.toDaemon
        for cut in 0...bytes.count {
            connection.toDaemon = Array(bytes[..<cut])
            daemon.settle()
            Self.signal(daemon)
            connection.toDaemon = Array(bytes[cut...])
            daemon.settle()
            daemon.redis.publish("run:status", "end")
            daemon.settle()
            Self.signal(daemon)
            let lines = daemon.traced.takeLines()
            #expect(lines.last == #"link=2 in >["message", "run:status", "end"]"#)
            #expect(
                lines.dropLast().allSatisfy {
                    $0.hasSuffix(#", "first"]"#) || $0.hasSuffix(#"over the limit"]"#)
                        || $0.hasSuffix(#", "last"]"#) || $0.hasSuffix("bytes not shown)")
                })
        }
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test func aTraceThatNobodyTakesDropsLinesAndDelaysNoMessage() {
        let daemon = SimulatedDaemon(trace: Self.tracing(), traceCapacity: 2000)
        let page = daemon.open("/run:status")
        for number in 0..<500 { daemon.redis.publish("run:status", "\(number)") }
        daemon.settle()
        #expect(page.statuses.count == 500)
        let dropped = daemon.traced.dropped
        #expect(dropped > 400)
        let lines = daemon.traced.takeLines()
        #expect(lines.last == "(\(dropped) lines dropped)")
        #expect(UInt64(lines.count - 1) + dropped == 500 + 12)
    }

    @Test func aLinkThatIsMadeAgainKeepsItsNumber() {
        let daemon = SimulatedDaemon(trace: Self.tracing { $0.link = 2 })
        _ = daemon.open("/run:status")
        daemon.redis.subscribers[0].connection.toDaemon += Array(">3\r\n$7\r\nmess".utf8)
        daemon.settle()
        _ = daemon.traced.takeText()
        daemon.redis.kill()
        daemon.advance(.seconds(10))
        let lines = daemon.traced.takeLines()
        #expect(lines.first == "link=2 in (12 bytes not shown)")
        #expect(lines.dropFirst().first == #"link=2 out ["HELLO", "3", "SETNAME", "status2"]"#)
        #expect(lines.allSatisfy { $0.hasPrefix("link=2 ") })
    }
}
