import Testing

@testable import Relay

@Suite struct LoadVerdictTests {
    /// A run of ten pages in which a thousand messages came within a millisecond.
    private static func result(
        _ scenario: LoadOptions.Scenario = .steady, _ change: (inout LoadResult) -> Void = { _ in }
    ) throws -> LoadResult {
        var options = LoadOptions(target: try #require(LoadTarget("ws://h:1")))
        options.scenario = scenario
        var tally = LoadTally()
        tally.delivered = 1000
        tally.due = 1000
        for _ in 0..<1000 { tally.latency.record(.milliseconds(1)) }
        var result = LoadResult(options: options, tally: tally)
        change(&result)
        return result
    }

    private static func failures(
        _ result: LoadResult, _ change: (inout LoadThresholds) -> Void = { _ in }
    ) -> Int {
        var thresholds = LoadThresholds()
        change(&thresholds)
        return thresholds.failures(of: result).count
    }

    @Test func aRunWithoutFaultPasses() throws {
        #expect(Self.failures(try Self.result()) == 0)
    }

    @Test func oneMessageIsEnoughToFail() throws {
        #expect(Self.failures(try Self.result { $0.lost = 1 }) == 1)
        #expect(Self.failures(try Self.result { $0.missed = 1 }) == 1)
        #expect(Self.failures(try Self.result { $0.tally.repeated = 1 }) == 1)
        #expect(Self.failures(try Self.result { $0.tally.reordered = 1 }) == 1)
    }

    @Test func whatAnOutageTookIsExcusedWhereItWasBroughtAbout() throws {
        #expect(Self.failures(try Self.result(.reconnect) { $0.missed = 5 }) == 0)
        #expect(Self.failures(try Self.result(.reconnect) { $0.lost = 1 }) == 1)
    }

    @Test func pagesWithoutAStreamAndSilenceFail() throws {
        #expect(Self.failures(try Self.result { $0.absentPages = 1 }) == 1)
        #expect(Self.failures(try Self.result { $0.tally.delivered = 0 }) == 1)
    }

    @Test func whatWasNotPublishedFailsUnlessRedisWasToBeGone() throws {
        #expect(Self.failures(try Self.result { $0.tally.unpublished = 80 }) == 1)
        #expect(Self.failures(try Self.result(.reconnect) { $0.tally.unpublished = 80 }) == 0)
    }

    @Test func lossMayBeANumberOrAShare() throws {
        let result = try Self.result { $0.lost = 3 }
        #expect(Self.failures(result) { $0.loss = .count(3) } == 0)
        #expect(Self.failures(result) { $0.loss = .count(2) } == 1)
        #expect(Self.failures(result) { $0.loss = .share(0.003) } == 0)
        #expect(Self.failures(result) { $0.loss = .share(0.002) } == 1)
        #expect(LoadThresholds.Loss("0.1%") == .share(0.001))
        #expect(LoadThresholds.Loss("7") == .count(7))
        for text in ["", "-1", "x", "101%", "%", "nan%"] {
            #expect(LoadThresholds.Loss(text) == nil)
        }
    }

    @Test func everyTimeHasItsTarget() throws {
        let result = try Self.result {
            for _ in 0..<60 { $0.tally.latency.record(.milliseconds(80)) }
            $0.tally.noteHeartbeat(.milliseconds(120), lag: .zero)
            $0.tally.ends = 2
            $0.tally.returns.record(.seconds(20))
        }
        #expect(Self.failures(result) == 0)
        #expect(Self.failures(result) { $0.p95 = .milliseconds(50) } == 1)
        #expect(Self.failures(result) { $0.p95 = .milliseconds(80) } == 0)
        #expect(Self.failures(result) { $0.heartbeatLateness = .milliseconds(100) } == 1)
        #expect(Self.failures(result) { $0.heartbeatLateness = .milliseconds(120) } == 0)
        #expect(Self.failures(result) { $0.reconnects = 1 } == 1)
        #expect(Self.failures(result) { $0.reconnects = 2 } == 0)
        #expect(Self.failures(result) { $0.returnTime = .seconds(19) } == 1)
        #expect(Self.failures(result) { $0.returnTime = .seconds(20) } == 0)
    }

    @Test func whatTheToolItselfSleptThroughIsNoLateHeartbeatUnlessItSleepsAlways() throws {
        let starved = try Self.result {
            $0.tally.noteHeartbeat(.milliseconds(180), lag: .milliseconds(170))
        }
        #expect(Self.failures(starved) { $0.heartbeatLateness = .milliseconds(100) } == 0)
        let slow = try Self.result {
            for _ in 0..<100 { $0.tally.loopLag.record(.milliseconds(170)) }
        }
        #expect(Self.failures(slow) { $0.heartbeatLateness = .milliseconds(100) } == 1)
    }

    @Test func theReportsSayWhatFailed() throws {
        let result = try Self.result { $0.lost = 1 }
        let report = LoadReport(result: result)
        #expect(report.table.contains("FAILED: 1 messages were lost, 0 may be"))
        #expect(report.json.contains(#""lost":1"#))
        #expect(report.json.contains(#""failures":["1 messages were lost, 0 may be"]"#))
        #expect(LoadReport(result: try Self.result()).table.hasSuffix("passed\n"))
    }

    @Test func numbersAreRoundedAgainstTheRelay() {
        #expect(LoadText.milliseconds(.milliseconds(50)) == "50.00")
        #expect(LoadText.milliseconds(Nanoseconds(50_000_001)) == "50.01")
        #expect(LoadText.milliseconds(Nanoseconds(70_000)) == "0.07")
        #expect(LoadText.perSecond(299, in: .seconds(2)) == "149.5")
    }

    // MARK: - Options

    @Test func urlsOfRelaysAreRead() throws {
        let target = try #require(LoadTarget("ws://relay.test:9002/services/status/"))
        #expect(target.authority == "relay.test:9002")
        #expect(target.prefix == "/services/status")
        #expect(LoadTarget("ws://[::1]")?.authority == "[::1]:80")
        for text in ["", "wss://h", "http://h", "ws://", "ws://h:0", "ws://h:x", "ws://h/a b"] {
            #expect(LoadTarget(text) == nil)
        }
    }

    @Test func urlsOfRedisThatCannotBeSpokenToAreRefusedWithoutQuotingThem() {
        for url in ["rediss://u:secret@h", "redis+sentinel://h/m", "u:secret@h"] {
            let (target, complaint) = LoadOptions.redis(url)
            #expect(target == nil && complaint?.contains("secret") == false)
        }
    }

    @Test func oneInTenReadsSlowlyWhereThatIsAskedFor() throws {
        let slow = try Self.result(.slowReaders).options
        #expect((0..<100).count { slow.isSlow($0) } == 10)
        #expect((0..<100).count { (try? Self.result().options.isSlow($0)) == true } == 0)
    }
}
