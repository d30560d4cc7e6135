import Testing

@testable import Relay

@Suite("Flags that are settings")
struct SettingFlagsTests {
    @Test(
        "are taken out of the arguments with their values",
        arguments: [
            ([], [:], []),
            (["--ping-interval", "7s"], ["ping-interval": "7s"], []),
            (["--ping-interval=7s"], ["ping-interval": "7s"], []),
            (["--ping-interval="], ["ping-interval": ""], []),
            (["--ping-interval", ""], ["ping-interval": ""], []),
            (["--redis-url=redis://h?db=1"], ["redis-url": "redis://h?db=1"], []),
            (["--redis-max-retries", "-1"], ["redis-max-retries": "-1"], []),
            (["--log-level", "warn", "--log-level=debug"], ["log-level": "debug"], []),
            (
                ["--trace", "--trace-file", "f", "--log-level", "warn", "--check-config"],
                ["log-level": "warn"], ["--trace", "--trace-file", "f", "--check-config"]
            ),
            (["decode", "resp", "file"], [:], ["decode", "resp", "file"]),
            (["--", "--log-level", "warn"], [:], ["--", "--log-level", "warn"]),
            (["--bogus=1", "-h", "stray"], [:], ["--bogus=1", "-h", "stray"]),
        ] as [([String], [String: String], [String])])
    func taken(arguments: [String], values: [String: String], rest: [String]) throws {
        let flags = try SettingFlags(arguments)
        #expect(flags.values == values)
        #expect(flags.rest == rest)
    }

    @Test(
        "are refused without a value, which is never another flag",
        arguments: [
            ["--ping-interval"], ["--ping-interval", "--trace"], ["--ping-interval", "--"],
        ])
    func withoutValue(arguments: [String]) {
        #expect(
            throws: SettingFlags.UsageError(
                reason: "Missing value for '--ping-interval <duration>'")
        ) { try SettingFlags(arguments) }
    }

    @Test("that were settings once say what has taken their place")
    func former() {
        let error = #expect(throws: SettingFlags.UsageError.self) {
            try SettingFlags(["--hangup-on-shutdown=false"])
        }
        #expect(error?.reason.contains("STATUS_SEND_HANGUP") == true)
    }

    @Test("all stand in the usage text, with their variables and defaults, in 80 columns")
    func usage() {
        let lines = SettingsTable.usage.split(separator: "\n")
        let text = lines.map { String($0).trimmingBlanks() }.joined(separator: " ")
        for row in SettingsTable.rows {
            #expect(text.contains("--\(row.flag) <\(row.placeholder)> "))
            let value = row.defaultText.isEmpty ? "none" : row.defaultText
            #expect(text.contains("(\(row.variable); default: \(value))."))
        }
        for (variable, _) in SettingsTable.companions { #expect(text.contains(variable)) }
        #expect(lines.filter { $0.utf8.count > 80 } == [])
    }
}
