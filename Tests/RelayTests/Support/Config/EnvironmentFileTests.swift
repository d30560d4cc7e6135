import Testing

@testable import Relay

/// The file of variables that is read again at SIGHUP.
@Suite("An environment file") struct EnvironmentFileTests {
    private func file(_ text: String) throws -> EnvironmentFile {
        try EnvironmentFile("/env") { (_, _) throws(SecretFile.ReadError) in Array(text.utf8) }
    }

    @Test(
        "is read as systemd and Docker read theirs",
        arguments: [
            ("A=1\nB=2", ["A": "1", "B": "2"]), ("# A=1\n;B=2\n\n C = 3 ", [:]),
            ("A=1\r\nB=2\r\n", ["A": "1", "B": "2"]), ("A=", ["A": ""]), ("A=b=c", ["A": "b=c"]),
            ("export A=1", ["A": "1"]), ("A=\"x y\"", ["A": "x y"]),
            ("A='x \"y\"'", ["A": "x \"y\""]),
            (#"A="a\"b\\c\d""#, ["A": #"a"b\c\d"#]), ("A=x # y", ["A": "x # y"]), ("", [:]),
            ("A=1\nA=2", ["A": "2"]), ("A= 1 ", ["A": "1"]),
        ] as [(String, [String: String])])
    func values(text: String, values: [String: String]) throws {
        guard !text.contains("C = 3") else {
            #expect(throws: InvalidValue.self) { try file(text) }
            return
        }
        #expect(try file(text).values == values)
    }

    @Test(
        "is refused by the number of the line, and without a word of it",
        arguments: [
            ("A=1\ns3cr3t", "has no NAME=value in line 2"), ("1A=x", "has no NAME=value in line 1"),
            ("A-B=x", "has no NAME=value in line 1"), ("=x", "has no NAME=value in line 1"),
            ("A='s3cr3t", "has a quote that is not closed in line 1"),
            ("A=\"x\" s3cr3t", "has a quote that is not closed in line 1"),
        ])
    func refused(text: String, reason: String) {
        let error = #expect(throws: InvalidValue.self) { try file(text) }
        #expect(error?.reason == reason)
    }

    @Test("wins over the environment, and cannot name another file")
    func precedence() {
        let configuration = SettingsLoader.load(
            environment: ["STATUS_ENV_FILE": "/env", "STATUS_PING_INTERVAL": "2s"],
            flags: ["pong-timeout": "99s"],
            readFile: { (_, _) throws(SecretFile.ReadError) in
                Array(
                    """
                    STATUS_PING_INTERVAL=3s
                    STATUS_PONG_TIMEOUT=98s
                    STATUS_ENV_FILE=/other
                    STATUS_QUUX=1
                    """.utf8)
            })
        #expect(configuration.problems.isEmpty)
        #expect(configuration.settings.pingInterval == .seconds(3))
        #expect(configuration.settings.pongTimeout == .seconds(99))
        #expect(configuration.settings.environmentFile == "/env")
        #expect(configuration.warnings.map(\.name) == ["STATUS_QUUX"])
        let entry = configuration.entries.first { $0.variable == "STATUS_PING_INTERVAL" }
        #expect(entry?.origin == .file(path: "/env", namedBy: "STATUS_ENV_FILE"))
    }

    @Test("that cannot be read ends the start, and a flag's the command")
    func unreadable() {
        let read: SecretFile.Read = { (_, _) throws(SecretFile.ReadError) in
            throw SecretFile.ReadError.refused("no such file")
        }
        let variable = SettingsLoader.load(
            environment: ["STATUS_ENV_FILE": "/env"], flags: [:], readFile: read)
        #expect(variable.fatal?.name == "STATUS_ENV_FILE")
        let flag = SettingsLoader.load(
            environment: [:], flags: ["env-file": "/env"], readFile: read)
        #expect(flag.usageError?.name == "--env-file")
    }
}

/// What a reload takes up, and what it leaves for a restart.
@Suite("A change of settings") struct SettingsChangeTests {
    @Test("of each setting is taken up or left for a restart, never lost")
    func everyRow() throws {
        let texts = SettingsLoaderTests.changes.map { ($0.variable, $0.expected) }
        for (variable, change) in texts {
            let former = Settings()
            var read = former
            change(&read)
            guard read != former else { continue }
            let result = SettingsChange(from: former, to: read)
            let named = result.applied + result.postponed
            #expect(named.contains(variable) || variable == "STATUS_REDIS_PASSWORD", "\(variable)")
            if SettingsChange.startOnly.contains(variable) {
                #expect(result.postponed == [variable] && result.settings == former)
            } else {
                #expect(result.postponed.isEmpty && result.settings == read, "\(variable)")
            }
        }
    }

    @Test("names what takes a restart, all of which exists")
    func restarts() {
        let rows = Set(SettingsTable.rows.map(\.variable))
        // Those that come with several loops and with the listener for operators.
        let others: Set<String> = ["STATUS_ADMIN_ADDR", "STATUS_LOOPS"]
        #expect(SettingsChange.startOnly.subtracting(others).isSubset(of: rows))
    }

    @Test("to TLS takes a restart, and the broker of this process stays where it is")
    func redis() {
        let former = Settings()
        var read = former
        read.redis.usesTLS = true
        #expect(SettingsChange(from: former, to: read).postponed == ["STATUS_REDIS_URL"])
        read = former
        read.redis.address = .tcp(host: "other", port: 1)
        #expect(SettingsChange(from: former, to: read).applied == ["STATUS_REDIS_URL"])
        #expect(SettingsChange(from: former, to: read, ownsRedis: true).applied == [])
    }

    @Test("is printed without a password")
    func printed() {
        var settings = Settings()
        settings.redisPassword = Secret("s3cr3t")
        let text = SettingsChange.values(
            of: ["STATUS_REDIS_PASSWORD", "STATUS_PING_INTERVAL", "STATUS_ALLOWED_ORIGINS"],
            in: settings)
        #expect(
            text == "STATUS_REDIS_PASSWORD=*** STATUS_PING_INTERVAL=5s STATUS_ALLOWED_ORIGINS=-")
    }
}
