import Testing

@testable import Relay

@Suite("What the command line needs of the configuration")
struct DaemonOptionsTests {
    @Test(
        "An embedded broker's address is loopback or is not",
        arguments: [
            ("127.0.0.1:6379", true), ("127.1.2.3:0", true), ("localhost:1", true),
            ("[::1]:6379", true), ("0.0.0.0:6379", false), (":6379", false), ("[::]:1", false),
            ("10.0.0.1:1", false), ("127.0.0.1.evil.example:1", false), ("127.evil.0.1:1", false),
            ("127.0.0.256:1", false), ("127.0.1:1", false), ("1270.0.0.1:1", false),
        ])
    func loopback(text: String, isLoopback: Bool) throws {
        let address = try #require(EmbeddedBrokerAddress(text))
        #expect(address.isLoopback == isLoopback)
        #expect(address.description == text)
    }

    @Test(
        "An embedded broker's address is host and port",
        arguments: [
            "", "6379", "127.0.0.1", "127.0.0.1:", "::1:6379", "h:65536", "unix:/a", "a b:1",
        ])
    func malformed(text: String) {
        #expect(EmbeddedBrokerAddress(text) == nil)
    }

    @Test("An embedded broker stands for Redis, and has the password of the environment")
    func broker() {
        let configuration = SettingsLoader.load(
            environment: ["STATUS_REDIS_URL": "no url", "REDIS_PASSWORD": "p"], flags: [:],
            embeddedBroker: EmbeddedBrokerAddress(host: "::1", port: 6390), readFile: TestFiles.none
        )
        #expect(configuration.settings.redis.displayURL == "redis://:***@[::1]:6390/2")
        #expect(
            configuration.entries.first { $0.variable == "STATUS_REDIS_URL" }?.origin
                == .flag("--embedded-redis"))
        #expect(configuration.warnings.map(\.name) == ["STATUS_REDIS_URL"])
        #expect(!configuration.isFaulty)
        let both = SettingsLoader.load(
            environment: [:], flags: ["redis-url": "redis://h"], embeddedBroker: .standard,
            readFile: TestFiles.none)
        #expect(both.usageError?.name == "--redis-url")
    }

    @Test("The report has a line for each setting, then what was wrong, and no password")
    func report() {
        let configuration = SettingsLoader.load(
            environment: [
                "STATUS_PING_INTERVAL": "5", "STATUS_PONG_TIMEOUT": "59s", "STATUS_X": "",
                "STATUS_PINK": "1", "REDIS_URL": "redis://u:s3cr3t@h", "STATUS_LISTEN_ADDR": "h:1",
                "STATUS_ALLOWED_ORIGINS": "a\u{1B}c",
            ], flags: ["log-level": "warning"], readFile: TestFiles.none)
        let lines = configuration.report.split(separator: "\n", omittingEmptySubsequences: false)
        #expect(lines.count == 1 + SettingsTable.rows.count + 1 + 4 + 1 + 1)
        func cells(_ name: String) -> [String] {
            let line = lines.first { $0.hasPrefix(name) } ?? ""
            return line.split(separator: "  ").map { String($0).trimmingBlanks() }
                .filter { !$0.isEmpty }
        }
        #expect(cells("SETTING") == ["SETTING", "VALUE", "ORIGIN"])
        #expect(
            cells("STATUS_LISTEN_ADDR")
                == ["STATUS_LISTEN_ADDR", "h:1", "environment STATUS_LISTEN_ADDR"])
        #expect(
            cells("STATUS_REDIS_URL")
                == ["STATUS_REDIS_URL", "redis://u:***@h:6379/0", "environment REDIS_URL"])
        #expect(cells("STATUS_LOG_LEVEL") == ["STATUS_LOG_LEVEL", "warn", "flag --log-level"])
        #expect(cells("STATUS_PING_INTERVAL") == ["STATUS_PING_INTERVAL", "5s", "default"])
        #expect(cells("STATUS_MAX_CONNECTIONS") == ["STATUS_MAX_CONNECTIONS", "0", "default"])
        #expect(lines.filter { $0.hasPrefix("problem: STATUS_PING_INTERVAL=\"5\" ") }.count == 1)
        #expect(lines.filter { $0.hasPrefix("warning: STATUS_PINK ") }.count == 1)
        #expect(lines.filter { $0.hasPrefix("warning: STATUS_PONG_TIMEOUT ") }.count == 1)
        #expect(lines.filter { $0.hasPrefix("warning: STATUS_ALLOWED_ORIGINS") }.count == 1)
        #expect(lines.dropLast().last == "The configuration is faulty.")
        #expect(!configuration.report.contains("s3cr3t"))
        #expect(!configuration.report.contains("\u{1B}"))
        #expect(configuration.startupWarnings.count == 4)
    }

    @Test("The report of the defaults is sound, and says so")
    func soundReport() {
        let configuration = SettingsLoader.load(
            environment: [:], flags: [:], readFile: TestFiles.none)
        #expect(
            configuration.report.hasSuffix(
                "\n\nwarning: STATUS_ALLOWED_ORIGINS is empty: pages of every origin may connect\n"
                    + "The configuration is sound.\n"))
        #expect(configuration.startupWarnings.isEmpty)
    }

    @Test(
        "Credentials are masked in any message",
        arguments: [
            ("plain", "plain"), ("redis://h/2", "redis://h/2"),
            ("a redis://u:p@h b", "a redis://***@h b"), ("://p w@q@h", "://***@h"),
            ("x://a\ny://u@h\nmail@h", "x://a\ny://***@h\nmail@h"),
        ])
    func masking(text: String, masked: String) {
        #expect(Secret.maskingCredentials(in: text) == masked)
    }
}
