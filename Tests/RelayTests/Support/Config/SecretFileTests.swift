import Testing

@testable import Relay

@Suite("Secrets from files")
struct SecretFileTests {
    private func load(
        _ environment: [String: String], _ files: [String: String] = [:],
        flags: [String: String] = [:]
    ) -> Configuration {
        SettingsLoader.load(
            environment: environment, flags: flags,
            readFile: TestFiles.reading(files.mapValues { Array($0.utf8) }))
    }

    private func entry(_ name: String, _ configuration: Configuration) -> EffectiveSetting? {
        configuration.entries.first { $0.variable == name }
    }

    @Test(
        "are all of the file but one line end at its end",
        arguments: [
            ("s3cr3t", "s3cr3t"), ("s3cr3t\n", "s3cr3t"), ("s3cr3t\r\n", "s3cr3t"),
            ("s3cr3t\n\n", "s3cr3t\n"), (" s3cr3t ", " s3cr3t "), ("s3\ncr3t\n", "s3\ncr3t"),
            ("s3cr3t\r", "s3cr3t\r"), ("é\n", "é"),
        ])
    func lineEnd(content: String, secret: String) {
        let configuration = load(["STATUS_REDIS_PASSWORD_FILE": "/p"], ["/p": content])
        #expect(configuration.problems.isEmpty && configuration.warnings.isEmpty)
        #expect(configuration.settings.redis.password?.revealed == secret)
        #expect(configuration.settings.redisPassword?.revealed == secret)
    }

    @Test("stand for the URL, its password and the Sentinels' password")
    func sources() {
        let files = ["/u": "redis://u@h/1\n", "/p": "p1\n", "/s": "p2\n"]
        let configuration = load(
            [
                "STATUS_REDIS_URL_FILE": "/u", "REDIS_PASSWORD_FILE": "/p",
                "STATUS_REDIS_SENTINEL_PASSWORD_FILE": "/s",
            ], files)
        let settings = configuration.settings
        #expect(settings.redis.displayURL == "redis://u:***@h:6379/1")
        #expect(settings.redis.password?.revealed == "p1")
        #expect(settings.redisSentinelPassword?.revealed == "p2")
        #expect(
            entry("STATUS_REDIS_URL", configuration)?.origin.description
                == "file /u (STATUS_REDIS_URL_FILE), file /p (REDIS_PASSWORD_FILE)")
        let sentinel = entry("STATUS_REDIS_SENTINEL_PASSWORD", configuration)
        #expect(sentinel?.value == "***")
        #expect(sentinel?.origin.description == "file /s (STATUS_REDIS_SENTINEL_PASSWORD_FILE)")
        for secret in ["p1", "p2"] { #expect(!configuration.report.contains(secret)) }
        let other = load(["REDIS_URL_FILE": "/u"], files).settings.redis
        #expect(other.displayURL == "redis://u@h:6379/1")
    }

    @Test(
        "are looked for in the order of the flags, STATUS_ names and the others",
        arguments: [
            (["STATUS_REDIS_PASSWORD_FILE": "/a", "REDIS_PASSWORD": "c"], [:], "a"),
            (["STATUS_REDIS_PASSWORD": "c", "REDIS_PASSWORD_FILE": "/a"], [:], "c"),
            (["STATUS_REDIS_PASSWORD_FILE": "/a"], ["redis-password": "f"], "f"),
            (["STATUS_REDIS_PASSWORD": "c"], ["redis-password-file": "/b"], "b"),
            (["REDIS_PASSWORD": "c"], ["redis-password": ""], nil),
            (["STATUS_REDIS_URL": "redis://:u@h", "REDIS_PASSWORD_FILE": "/a"], [:], "u"),
        ] as [([String: String], [String: String], String?)])
    func precedence(environment: [String: String], flags: [String: String], password: String?) {
        let configuration = load(environment, ["/a": "a", "/b": "b"], flags: flags)
        #expect(configuration.problems.isEmpty)
        #expect(configuration.settings.redis.password?.revealed == password)
    }

    @Test(
        "are refused beside the variable that holds the same, which is named",
        arguments: [
            ("STATUS_REDIS_PASSWORD", "x"), ("REDIS_PASSWORD", "x"), ("REDIS_URL", "redis://h"),
            ("STATUS_REDIS_URL", "redis://h"), ("STATUS_REDIS_SENTINEL_PASSWORD", "x"),
        ])
    func conflict(variable: String, text: String) throws {
        let configuration = load([variable: text, "\(variable)_FILE": "/f"], ["/f": text])
        #expect(configuration.problems.count == 1)
        let fatal = try #require(configuration.fatal)
        #expect(fatal.name == "\(variable)_FILE" && fatal.reason.contains(variable))
    }

    @Test("are a usage error beside the flag that holds the same")
    func conflictOfFlags() {
        let flags = ["redis-url": "redis://h", "redis-url-file": "/f"]
        #expect(load([:], ["/f": "redis://h"], flags: flags).usageError?.name == "--redis-url-file")
    }

    static let content = "c0ntent"

    @Test(
        "end the start with one line of variable, path and reason, never of content",
        arguments: [
            ("/absent", "cannot be read: No such file or directory"),
            ("/pipe", "is not a regular file"), ("/empty", "is an empty file"),
            ("/line", "is an empty file"), ("/large", "is a file of over 65536 bytes"),
            ("/binary", "is a file that is not UTF-8"),
            ("/marked", "is a file that begins with a byte order mark"),
        ],
        [
            "STATUS_REDIS_PASSWORD_FILE", "REDIS_PASSWORD_FILE", "STATUS_REDIS_URL_FILE",
            "REDIS_URL_FILE", "STATUS_REDIS_SENTINEL_PASSWORD_FILE",
        ])
    func unusable(file: (path: String, reason: String), variable: String) throws {
        let content = Array(Self.content.utf8)
        let files: [String: [UInt8]] = [
            "/empty": [], "/line": [0x0A], "/binary": content + [0xFF],
            "/large": Array(repeating: 0x61, count: SecretFile.limit + 1),
            "/marked": [0xEF, 0xBB, 0xBF] + content,
        ]
        let configuration = SettingsLoader.load(
            environment: [variable: file.path], flags: [:], readFile: TestFiles.reading(files))
        #expect(configuration.problems.count == 1)
        let line = try #require(configuration.fatal).description
        #expect(line == "\(variable)=\"\(file.path)\" \(file.reason)")
    }

    @Test("may be as long as the limit")
    func longest() {
        let text = String(repeating: "p", count: SecretFile.limit)
        let configuration = load(["REDIS_PASSWORD_FILE": "/p"], ["/p": text])
        #expect(configuration.settings.redis.password?.revealed == text)
    }

    @Test("that hold a bad URL are named with their path, and the URL is not")
    func badURL() throws {
        let configuration = load(
            ["STATUS_REDIS_URL_FILE": "/u"], ["/u": "redis://u:\(Self.content)/x@h"])
        let line = try #require(configuration.fatal).description
        #expect(line.hasPrefix("STATUS_REDIS_URL_FILE=\"/u\" "))
        #expect(!line.contains(Self.content))
    }

    @Test("have no effect beside a URL with a password, which is warned of")
    func withoutEffect() {
        let configuration = load(
            ["STATUS_REDIS_URL": "redis://:u@h", "STATUS_REDIS_PASSWORD_FILE": "/p"], ["/p": "p"])
        #expect(configuration.warnings.map(\.name) == ["STATUS_REDIS_PASSWORD_FILE"])
        #expect(configuration.settings.redis.password?.revealed == "u")
    }

    @Test("are the broker's password too")
    func broker() {
        let configuration = SettingsLoader.load(
            environment: ["STATUS_REDIS_PASSWORD_FILE": "/p"], flags: [:],
            embeddedBroker: .standard, readFile: TestFiles.reading(["/p": Array("p\n".utf8)]))
        #expect(configuration.settings.redis.password?.revealed == "p")
    }
}
