import Foundation
import Testing

@testable import Relay

/// What a build is called.
@Suite struct ReleaseTests {
    @Test(arguments: [
        ("", Release.version),
        ("69998c6b7d1e", "\(Release.version)+69998c6b7d1e"),
        ("69998c6b7d1e.dirty", "\(Release.version)+69998c6b7d1e.dirty"),
    ])
    func theNameIsTheNumberWithTheCommit(revision: String, name: String) {
        #expect(Release(revision: revision).description == name)
    }

    @Test func theMetricTellsBoth() {
        var output = PrometheusText(.prometheus)
        output.add(
            "status2_build_info", .gauge, "1.",
            labels: [("version", "1.2.3"), ("revision", "69998c6b7d1e")])
        #expect(
            output.text.hasSuffix(
                "\nstatus2_build_info{version=\"1.2.3\",revision=\"69998c6b7d1e\"} 1\n"))
    }

    /// A release is a number in the changelog; what is not released yet stands above it.
    @Test func theChangelogHasTheNumber() throws {
        let root = URL(fileURLWithPath: #filePath).pathComponents.prefix {
            $0 != "Tests"
        }.joined(separator: "/")
        let changelog = try String(contentsOfFile: root + "/CHANGELOG.md", encoding: .utf8)
        let headings = changelog.matches(of: /\n## \[([^\]]+)\]/).map { String($0.output.1) }
        #expect(headings.first == "Unreleased")
        #expect(headings.dropFirst().first == Release.version)
    }
}
