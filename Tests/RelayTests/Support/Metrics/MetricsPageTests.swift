import Foundation
import Testing

@testable import Relay

/// `docs/metrics.md` and `/metrics` have the same families, with the same types and helps.
@Suite struct MetricsPageTests {
    private struct Family: Hashable {
        let name: String
        let type: String
        let help: String
    }

    private static func served() -> [Family] {
        var reading = MetricsReading()
        // Its families are there where there is one.
        reading.canary = Canary.Findings()
        let text = Metrics().prometheusText(reading)
        var helps: [String: String] = [:]
        var families: [Family] = []
        for line in text.split(separator: "\n") where line.hasPrefix("# ") {
            let words = line.split(separator: " ", maxSplits: 3).map(String.init)
            if words[1] == "HELP" { helps[words[2]] = words[3] }
            if words[1] == "TYPE" {
                families.append(
                    Family(name: words[2], type: words[3], help: helps[words[2]] ?? ""))
            }
        }
        return families
    }

    /// The rows of the page's tables: `| `name` | type | help | … |`.
    private static func documented() throws -> [Family] {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let page = try String(
            contentsOf: root.appendingPathComponent("docs/metrics.md"), encoding: .utf8)
        return page.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: .whitespaces)
            }
            guard cells.count > 4, cells[1].wholeMatch(of: /`(status2|process)_[a-z0-9_]+`/) != nil
            else { return nil }
            return Family(
                name: cells[1].trimmingCharacters(in: CharacterSet(charactersIn: "`")),
                type: cells[2], help: cells[3])
        }
    }

    @Test func everyFamilyThatIsServedStandsInThePage() throws {
        let documented = Set(try Self.documented())
        #expect(Self.served().count > 35)
        #expect(Self.served().filter { !documented.contains($0) } == [])
    }

    @Test func everyFamilyOfThePageIsServedOnce() throws {
        let served = Set(Self.served())
        let documented = try Self.documented()
        #expect(documented.filter { !served.contains($0) } == [])
        #expect(Set(documented.map(\.name)).count == documented.count)
    }

    @Test func labelsAreNoRunsAndNoChannels() {
        let text = Metrics().prometheusText(MetricsReading())
        #expect(!text.contains("run_id") && !text.contains("channel"))
    }
}
