import Foundation
import Testing

/// The examples of the libraries' documentation are those that the tests run.
@Suite struct DocumentationTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    /// The lines between two others, without the indentation of the first of them.
    private static func lines(
        of path: String, from first: String, to last: String
    ) throws -> [String] {
        let text = try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8)
        let lines = text.components(separatedBy: "\n")
        let start = try #require(
            lines.firstIndex { $0.trimmingCharacters(in: .whitespaces) == first })
        let found = lines[(start + 1)...].prefix {
            $0.trimmingCharacters(in: .whitespaces) != last
        }
        let indentation = found.first?.prefix { $0 == " " }.count ?? 0
        return found.map { String($0.dropFirst(indentation)) }
    }

    @Test(arguments: ["RESP", "WSFrame"])
    func theFirstExampleOfALibraryIsTheOneThatRuns(library: String) throws {
        let shown = try Self.lines(
            of: "Sources/\(library)/\(library).docc/\(library).md", from: "```swift", to: "```")
        let run = try Self.lines(
            of: "Tests/\(library)Tests/FirstExampleTests.swift", from: "// Example",
            to: "// End of the example")
        #expect(shown.count > 10)
        #expect(shown == run)
    }
}
