import Foundation
import Testing

@testable import Relay

/// What the formatter and the compiler cannot say about the sources.
@Suite struct TidyTests {
    private struct Source {
        let path: String
        let lines: [String]
    }

    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static func sources(
        _ folders: [String] = ["Sources", "Tests", "Fuzz", "Load"]
    ) -> [Source] {
        folders.flatMap { folder -> [Source] in
            let base = root.appendingPathComponent(folder)
            let names = FileManager.default.enumerator(atPath: base.path)?.allObjects ?? []
            return names.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.sorted()
                .compactMap { name in
                    let file = base.appendingPathComponent(name)
                    guard let text = try? String(contentsOf: file, encoding: .utf8) else {
                        return nil
                    }
                    return Source(
                        path: folder + "/" + name, lines: text.components(separatedBy: "\n"))
                }
        }
    }

    /// `path:line` of every line that contains one of the words.
    private static func places(_ words: [String], in sources: [Source]) -> [String] {
        sources.flatMap { source in
            source.lines.enumerated().filter { line in words.contains { line.element.contains($0) }
            }
            .map { "\(source.path):\($0.offset + 1)" }
        }
    }

    @Test func thereAreSourcesToLookAt() {
        #expect(Self.sources().count > 80)
    }

    @Test func filesStayShort() {
        let long = Self.sources().filter { $0.lines.count > 501 }
        #expect(long.map(\.path) == [])
    }

    @Test func nothingIsForcedUncheckedOrLeftUndone() {
        // In two halves, so that this file does not find itself.
        let banned = [
            "try" + "!", "as" + "! ", "@unchecked" + " Sendable", "nonisolated" + "(unsafe)",
            "TO" + "DO", "FIX" + "ME", "XX" + "X",
        ]
        #expect(Self.places(banned, in: Self.sources()) == [])
    }

    @Test func noTestSleeps() {
        let banned = ["Task" + ".sleep", "Thread" + ".sleep", "usleep" + "("]
        #expect(Self.places(banned, in: Self.sources(["Tests"])) == [])
    }

    @Test func theDaemonKnowsNoFoundation() {
        #expect(Self.places(["import Foundation"], in: Self.sources(["Sources"])) == [])
    }

    @Test func theKernelIsTouchedAtTheEdgeAlone() {
        let edges = ["Sources/Relay/Edges/Sys/", "Sources/Relay/Edges/TLS/", "Sources/Main/"]
        let found = Self.places(
            ["import Glibc", "import CLinux", "import COpenSSL"], in: Self.sources(["Sources"]))
        #expect(found.filter { place in !edges.contains { place.hasPrefix($0) } } == [])
    }

    @Test func machinesDoNotReachForTheWorld() {
        let machines = [
            "Machines", "Support/Time", "Support/Memory", "Support/Config", "Support/Metrics",
        ].map { "Sources/Relay/\($0)/" }
        let sources = Self.sources(["Sources"]).filter { source in
            machines.contains { source.path.hasPrefix($0) }
        }
        let world = ["LinuxSys", "any Sys", ": Sys ", "Resolver.", "WallClock", "SystemRandom"]
        #expect(Self.places(world, in: sources) == [])
        #expect(sources.count > 25)
    }

    /// What is in a shell's slab is changed by the shell; others look.
    @Test func shellsAreChangedByThemselvesAlone() {
        let change =
            #"^ *(clients\.connections|links\.entries)\[[^\]]*\][\w.?]* [-+]?= "#
            + #"|&(clients\.connections|links\.entries)\b|links\.attempts\["#
        let found = Self.sources(["Sources"]).flatMap { source in
            source.lines.indices.filter {
                source.lines[$0].range(of: change, options: .regularExpression) != nil
            }.map { "\(source.path):\($0 + 1)" }
        }
        #expect(found == [])
    }

    @Test func theCodecsKnowNeitherEachOtherNorTheRelay() {
        #expect(
            Self.places(["import WSFrame", "import Relay"], in: Self.sources(["Sources/RESP"]))
                == [])
        #expect(
            Self.places(["import RESP", "import Relay"], in: Self.sources(["Sources/WSFrame"]))
                == [])
    }

    @Test func unsafeCodeHasFewHomes() {
        let homes = [
            "Sources/RESP/ByteAccess.swift", "Sources/WSFrame/Masking.swift",
            "Sources/WSFrame/ByteRuns.swift", "Sources/Relay/Support/Memory/OutputQueue.swift",
            "Sources/Relay/Support/Memory/Slab.swift",
            "Sources/Relay/Edges/Sys/", "Sources/Relay/Edges/TLS/", "Sources/Main/",
        ]
        let found = Self.sources(["Sources"]).filter { source in
            source.lines.contains { line in
                line.range(of: #"\bunsafe\b"#, options: .regularExpression) != nil
                    && !line.trimmingCharacters(in: .whitespaces).hasPrefix("//")
            }
        }
        #expect(
            found.map(\.path).filter { path in !homes.contains { path.hasPrefix($0) } } == [])
    }

    /// The README's table of settings: name, default, what follows where a value is unreadable.
    private static func readmeSettings() throws -> [[String]] {
        let readme = try String(
            contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
        return readme.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|", omittingEmptySubsequences: false).map {
                $0.trimmingCharacters(in: CharacterSet(charactersIn: " `"))
            }
            return cells.count > 5 && cells[1].wholeMatch(of: /(STATUS|REDIS)_[A-Z_]+/) != nil
                ? Array(cells[1...3]) : nil
        }
    }

    @Test func theReadmeHasTheTableOfSettingsRowByRow() throws {
        let expected = SettingsTable.rows.map { row in
            [
                row.variable, row.defaultText.isEmpty ? "none" : row.defaultText,
                row.refusal == .fatal ? "ends the start" : "default",
            ]
        }
        let rows = try Self.readmeSettings()
        #expect(rows.filter { $0[0].hasPrefix("STATUS_") } == expected)
        let companions = rows.filter { $0[0].hasPrefix("REDIS_") }
        #expect(companions.map { $0[0] } == SettingsTable.companions.map(\.variable))
        #expect(companions.allSatisfy { $0[1...] == ["", "ends the start"] })
    }

    @Test func everyInvariantThatCodeCitesIsWrittenDown() throws {
        let document = try String(
            contentsOf: Self.root.appendingPathComponent("ARCHITECTURE.md"), encoding: .utf8)
        let cited = Self.sources(["Sources"]).flatMap { source in
            source.lines.flatMap { line in
                line.matches(of: /\(I([0-9]+)\)/).map { "**I\($0.output.1)**" }
            }
        }
        #expect(!cited.isEmpty)
        #expect(Set(cited).filter { !document.contains($0) } == [])
    }
}
