import Testing

@testable import Relay

@Suite("Which Redis server is meant")
struct RedisSourceTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let environment: [String: String]
        var flag: String?
        let display: String
        var password: String?
        let origin: String
        var testDescription: String { origin }
    }

    static let vectors: [Vector] = [
        Vector(environment: [:], display: "redis://localhost:6379/2", origin: "default"),
        Vector(
            environment: ["STATUS_REDIS_URL": "redis://a", "REDIS_URL": "redis://b"],
            flag: "redis://c/1", display: "redis://c:6379/1", origin: "flag --redis-url"),
        Vector(
            environment: [
                "STATUS_REDIS_URL": "redis://a", "REDIS_URL": "redis://b", "REDIS_HOST": "c",
            ],
            display: "redis://a:6379/0", origin: "environment STATUS_REDIS_URL"),
        Vector(
            environment: ["REDIS_URL": "redis://b", "REDIS_HOST": "c", "REDIS_PORT": "x"],
            display: "redis://b:6379/0", origin: "environment REDIS_URL"),
        Vector(
            environment: ["REDIS_HOST": "c", "REDIS_PORT": "7000", "STATUS_REDIS_URL": ""],
            display: "redis://c:7000/2", origin: "environment REDIS_HOST, REDIS_PORT"),
        Vector(
            environment: ["REDIS_HOST": "::1"], display: "redis://[::1]:6379/2",
            origin: "environment REDIS_HOST"),
        Vector(
            environment: ["REDIS_PORT": "7000"], display: "redis://localhost:7000/2",
            origin: "environment REDIS_PORT"),
        Vector(
            environment: ["REDIS_PORT": "tcp://10.0.0.1:6380"], display: "redis://10.0.0.1:6380/2",
            origin: "environment REDIS_PORT"),
        Vector(
            environment: ["REDIS_PORT": "tcp://[fd00::1]:6379"],
            display: "redis://[fd00::1]:6379/2", origin: "environment REDIS_PORT"),
        Vector(
            environment: ["REDIS_PORT": "tcp://10.0.0.1:6380", "REDIS_HOST": "cache"],
            display: "redis://cache:6380/2", origin: "environment REDIS_HOST, REDIS_PORT"),
        Vector(
            environment: ["REDIS_PORT": "tcp://x", "STATUS_REDIS_URL": "redis://a"],
            display: "redis://a:6379/0", origin: "environment STATUS_REDIS_URL"),
        Vector(
            environment: ["STATUS_REDIS_PASSWORD": "own", "REDIS_PASSWORD": "p"],
            display: "redis://:***@localhost:6379/2", password: "own",
            origin: "environment STATUS_REDIS_PASSWORD"),
        Vector(
            environment: ["REDIS_PASSWORD": "p/w%20"], display: "redis://:***@localhost:6379/2",
            password: "p/w%20", origin: "environment REDIS_PASSWORD"),
        Vector(
            environment: ["STATUS_REDIS_URL": "redis://u@a/3", "REDIS_PASSWORD": "p"],
            display: "redis://u:***@a:6379/3", password: "p",
            origin: "environment STATUS_REDIS_URL, REDIS_PASSWORD"),
        Vector(
            environment: ["REDIS_URL": "redis://:q@a", "REDIS_PASSWORD": "p"],
            display: "redis://:***@a:6379/0", password: "q", origin: "environment REDIS_URL"),
        Vector(
            environment: ["REDIS_URL": "redis://:@a", "REDIS_PASSWORD": "p"],
            display: "redis://a:6379/0", origin: "environment REDIS_URL"),
        Vector(
            environment: ["REDIS_PASSWORD": "p"], flag: "unix:///s?db=1",
            display: "unix://:***@/s?db=1", password: "p",
            origin: "flag --redis-url, environment REDIS_PASSWORD"),
    ]

    @Test("follows the contract's order", arguments: vectors)
    func resolved(vector: Vector) {
        let configuration = SettingsLoader.load(
            environment: vector.environment,
            flags: vector.flag.map { ["redis-url": $0] } ?? [:], readFile: TestFiles.none)
        let entry = configuration.entries.first { $0.variable == "STATUS_REDIS_URL" }
        #expect(configuration.problems.isEmpty)
        #expect(entry?.value == vector.display)
        #expect(entry?.origin.description == vector.origin)
        #expect(configuration.settings.redis.password?.revealed == vector.password)
    }

    @Test(
        "is fatal where it cannot be told",
        arguments: [
            ["STATUS_REDIS_URL": "redis://u:s3cr3t/@h", "REDIS_URL": "redis://ok"],
            ["REDIS_URL": "s3cr3t"], ["REDIS_HOST": "a:1"], ["REDIS_HOST": "a b"],
            ["REDIS_HOST": "h", "REDIS_PORT": "0"], ["REDIS_PORT": "65536"],
            ["REDIS_PORT": "6379x"], ["REDIS_PORT": " 6379"], ["REDIS_PORT": "tcp://h"],
            ["REDIS_PORT": "udp://10.0.0.1:6379"], ["REDIS_PORT": "tcp://:6379"],
            ["REDIS_PORT": "tcp://h:0"],
        ])
    func fatal(environment: [String: String]) throws {
        let configuration = SettingsLoader.load(
            environment: environment, flags: [:], readFile: TestFiles.none)
        let problem = try #require(configuration.fatal)
        #expect(environment[problem.name] != nil)
        #expect(!problem.description.contains("s3cr3t"))
        #expect(configuration.isFaulty && configuration.usageError == nil)
    }

    @Test("is a usage error where the flag is bad, and its password stays unseen")
    func badFlag() throws {
        let configuration = SettingsLoader.load(
            environment: [:], flags: ["redis-url": "redis://u:s3cr3t/@h"], readFile: TestFiles.none)
        #expect(configuration.fatal == nil)
        #expect(try #require(configuration.usageError).description.contains("s3cr3t") == false)
    }
}
