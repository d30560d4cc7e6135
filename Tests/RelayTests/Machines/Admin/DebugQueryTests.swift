@testable import Relay
import Testing

/// The query of a debug page.
@Suite struct DebugQueryTests {
    private static let all = Set(DebugQuery.Parameter.allCases)

    private func reason(_ text: String?, allowed: Set<DebugQuery.Parameter> = all) -> String? {
        do throws(InvalidValue) {
            _ = try DebugQuery(text, allowed: allowed)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func nothingAskedForIsEverythingUpToTheStandardLimit() throws {
        #expect(try DebugQuery(nil, allowed: Self.all) == DebugQuery())
        #expect(try DebugQuery("", allowed: Self.all).limit == 100)
    }

    @Test func everyParameterIsRead() throws {
        let query = try DebugQuery(
            "run=run%3B1&channel=st*&state=open&address=10.0.0.*&reason=slow_client&link=7"
                + "&late=50ms&quiet=1m&limit=1000&cursor=3.17", allowed: Self.all,
            states: ["open", "closing"])
        #expect(query.run == .exactly(Array("run;1".utf8)))
        #expect(query.channel.matches("status".utf8) && !query.channel.matches("log".utf8))
        #expect(query.state == "open" && query.reason == "slow_client" && query.link == 7)
        #expect(query.late == .milliseconds(50) && query.quiet == .seconds(60))
        #expect(query.limit == 1000)
        #expect(query.cursor == DebugCursor(loop: 3, number: 17))
    }

    @Test(arguments: [
        "limit=0", "limit=1001", "limit=-1", "limit=x", "limit=", "cursor=1", "cursor=-1.2",
        "cursor=1.2.3", "cursor=a.b", "run=%", "run=[a", "run=%FF", "late=5", "late=soon",
        "link=-1",
        "run", "=x", "unknown=1", "run=a&run=b", "Run=a",
    ])
    func whatCannotBeReadIsRefused(text: String) {
        #expect(reason(text) != nil)
    }

    @Test func aPageRefusesWhatItDoesNotHave() {
        #expect(
            reason("quiet=1s", allowed: [.run, .limit])?.contains("there are run, limit") == true)
        let many = (0..<40).map { "a\($0)=1" }.joined(separator: "&")
        #expect(reason(many) == "too many parameters")
    }

    @Test func addressesAreFoundWithAndWithoutTheirPort() throws {
        for pattern in ["10.0.0.1", "10.0.0.1:5000", "10.0.*"] {
            let query = try DebugQuery("address=\(pattern)", allowed: Self.all)
            #expect(query.isAddress("10.0.0.1:5000"))
            #expect(!query.isAddress("10.1.0.1:5000"))
        }
        #expect(try DebugQuery("address=%3A%3A1", allowed: Self.all).isAddress("[::1]:80"))
        #expect(try DebugQuery("address=unix", allowed: Self.all).isAddress("unix"))
        #expect(DebugQuery().isAddress("anything"))
    }
}

/// The debug pages' answers.
@Suite struct DebugRowsTests {
    private struct Row: DebugRow {
        let place: DebugCursor
        func append(to json: inout JSONText) { json.member("id", place.description) }
    }

    private func rows(_ loop: Int, _ count: Int, _ query: DebugQuery) -> DebugRows<Row> {
        var rows = DebugRows<Row>()
        for number in 0..<count {
            let place = DebugCursor(loop: loop, number: UInt64(number))
            rows.add(place, query) { Row(place: place) }
        }
        return rows
    }

    private func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    @Test func nothingIsAnEmptyList() {
        #expect(
            text(DebugRows<Row>().json("rows", DebugQuery())) == #"{"matched":0,"rows":[]}"# + "\n")
    }

    @Test func aLoopLeavesOneMoreThanTheLimitAndCountsAll() {
        var query = DebugQuery()
        query.limit = 3
        let rows = rows(0, 10, query)
        #expect(rows.rows.count == 4)
        #expect(rows.matched == 10)
        #expect(
            text(rows.json("rows", query)) == """
                {"matched":10,"next":"0.2","rows":[
                {"id":"0.0"},
                {"id":"0.1"},
                {"id":"0.2"}]}

                """)
    }

    /// From page to page, over all loops, each row once.
    @Test(arguments: [1, 2, 3, 7, 100])
    func theCursorLeadsThroughAllLoops(limit: Int) {
        var query = DebugQuery()
        query.limit = limit
        var seen: [String] = []
        for _ in 0..<50 {
            var merged = rows(2, 4, query)
            merged.add(rows(0, 5, query))
            merged.add(rows(1, 0, query))
            let answer = text(merged.json("rows", query))
            #expect(answer.hasPrefix(#"{"matched":9,"#))
            seen += answer.matches(of: /"id":"([0-9.]+)"/).map { String($0.output.1) }
            guard let next = answer.firstMatch(of: /"next":"([0-9.]+)"/) else { break }
            query.cursor = DebugCursor(String(next.output.1))
        }
        #expect(
            seen == ["0.0", "0.1", "0.2", "0.3", "0.4", "2.0", "2.1", "2.2", "2.3"])
    }

    @Test func loopsThatHaveNotAnsweredAreNamed() {
        let answer = text(rows(0, 1, DebugQuery()).json("rows", DebugQuery(), missing: [1, 3]))
        #expect(answer.contains(#""loops_missing":"1,3""#))
    }
}

/// The WebSockets that have ended last.
@Suite struct ClosedRingTests {
    private func row(_ number: UInt64, run: String = "run", reason: String = "client_closed") throws
        -> ClosedRow
    {
        let name = try #require(ChannelName(bytes: Array("\(run):status".utf8)))
        var row = ClosedRow(place: DebugCursor(loop: 0, number: number), channel: name)
        row.reason = reason
        row.address = "10.0.0.1:\(number)"
        return row
    }

    @Test func theLastThousandAreKeptTheNewestFirst() throws {
        var ring = ClosedRing()
        for number in 1...2500 { ring.append(try row(UInt64(number))) }
        #expect(ring.total == 2500)
        var query = DebugQuery()
        query.limit = 1000
        let rows = ring.rows(query)
        #expect(rows.matched == 1000)
        #expect(rows.rows.map(\.place.number) == (1501...2500).reversed().map { UInt64($0) })
    }

    @Test func theCursorLeadsBackInTime() throws {
        var ring = ClosedRing()
        for number in 1...7 { ring.append(try row(UInt64(number))) }
        var query = DebugQuery()
        query.limit = 3
        query.cursor = DebugCursor(loop: 0, number: 5)
        #expect(ring.rows(query).rows.map(\.place.number) == [4, 3, 2, 1])
    }

    @Test func filtersLookAtRunReasonAndAddress() throws {
        var ring = ClosedRing()
        ring.append(try row(1, run: "a"))
        ring.append(try row(2, run: "b", reason: "slow_client"))
        func found(_ text: String) throws -> [UInt64] {
            ring.rows(try DebugQuery(text, allowed: [.run, .channel, .reason, .address]))
                .rows.map(\.place.number)
        }
        #expect(try found("run=a") == [1])
        #expect(try found("run=*") == [2, 1])
        #expect(try found("reason=slow_client") == [2])
        #expect(try found("address=10.0.0.1:1") == [1])
        #expect(try found("channel=other") == [])
    }
}
