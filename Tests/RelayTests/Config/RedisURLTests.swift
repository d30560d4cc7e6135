import Testing

@testable import Relay

@Suite("Redis URLs")
struct RedisURLTests {
    struct Vector: Sendable, CustomTestStringConvertible {
        let url: String
        var address: RedisTarget.Address
        var tls = false
        var user: String?
        var password: String?
        var database = 0
        let display: String
        var testDescription: String { url }
    }

    static let readable: [Vector] = [
        Vector(
            url: "redis://localhost:6379/2", address: .tcp(host: "localhost", port: 6379),
            database: 2, display: "redis://localhost:6379/2"),
        Vector(
            url: "redis://cache", address: .tcp(host: "cache", port: 6379),
            display: "redis://cache:6379/0"),
        Vector(
            url: "redis://cache/", address: .tcp(host: "cache", port: 6379),
            display: "redis://cache:6379/0"),
        Vector(
            url: "REDIS://:1234/15", address: .tcp(host: "localhost", port: 1234), database: 15,
            display: "redis://localhost:1234/15"),
        Vector(
            url: "rediss://u:p@h.example:6380/1", address: .tcp(host: "h.example", port: 6380),
            tls: true, user: "u", password: "p", database: 1,
            display: "rediss://u:***@h.example:6380/1"),
        Vector(
            url: "redis://:hunter2@h", address: .tcp(host: "h", port: 6379), password: "hunter2",
            display: "redis://:***@h:6379/0"),
        Vector(
            url: "redis://a%40b:p%2Fq%3A%40r@h/3", address: .tcp(host: "h", port: 6379),
            user: "a@b", password: "p/q:@r", database: 3, display: "redis://a%40b:***@h:6379/3"),
        Vector(
            url: "redis://u:p@q:r@h/3", address: .tcp(host: "h", port: 6379), user: "u",
            password: "p@q:r", database: 3, display: "redis://u:***@h:6379/3"),
        Vector(
            url: "redis://u@h", address: .tcp(host: "h", port: 6379), user: "u",
            display: "redis://u@h:6379/0"),
        Vector(
            url: "redis://u:p%C3%A9@h", address: .tcp(host: "h", port: 6379), user: "u",
            password: "pé", display: "redis://u:***@h:6379/0"),
        Vector(
            url: "redis://[::1]:6380/4", address: .tcp(host: "::1", port: 6380), database: 4,
            display: "redis://[::1]:6380/4"),
        Vector(
            url: "redis://[fe80::1%25eth0]", address: .tcp(host: "fe80::1%eth0", port: 6379),
            display: "redis://[fe80::1%eth0]:6379/0"),
        Vector(
            url: "unix:///run/redis.sock?db=7", address: .unix(path: "/run/redis.sock"),
            database: 7, display: "unix:///run/redis.sock?db=7"),
        Vector(
            url: "unix://u:p@/run/a%20b.sock", address: .unix(path: "/run/a b.sock"), user: "u",
            password: "p", display: "unix://u:***@/run/a%20b.sock?db=0"),
        Vector(
            url: "redis+sentinel://a,b.example:5000,[::1],[::2]:26380/my-master.1/3",
            address: .sentinel(
                SentinelService(
                    name: "my-master.1",
                    sentinels: [
                        .init(host: "a"), .init(host: "b.example", port: 5000),
                        .init(host: "::1"), .init(host: "::2", port: 26380),
                    ])), database: 3,
            display: "redis+sentinel://a:26379,b.example:5000,[::1]:26379,[::2]:26380/my-master.1/3"
        ),
        Vector(
            url: "REDIS+Sentinel://u:p%2C@a/m",
            address: .sentinel(SentinelService(name: "m", sentinels: [.init(host: "a")])),
            user: "u", password: "p,", display: "redis+sentinel://u:***@a:26379/m/0"),
    ]

    @Test("are taken apart", arguments: readable)
    func read(vector: Vector) throws {
        let target = try RedisURL.parse(vector.url).target
        #expect(target.address == vector.address)
        #expect(target.usesTLS == vector.tls)
        #expect(target.username == vector.user)
        #expect(target.password?.revealed == vector.password)
        #expect(target.database == vector.database)
        #expect(target.displayURL == vector.display)
    }

    static let secret = "s3cr3t"

    @Test(
        "are refused without a word of what they hold",
        arguments: [
            "", "localhost:6379", "redis:/h", "http://h", "redis//h", "://h", "redis://h:port",
            "redis://h:0", "redis://h:65536", "redis://h:-1", "redis://h:+1", "redis://h:",
            "redis://h:000006379", "redis://::1/2", "redis://[::1/2", "redis://[::1]x/2",
            "redis://[localhost]/2", "redis://h/two", "redis://h/-1", "redis://h/2/",
            "redis://h/ 2",
            "redis://h/1234567890", "redis://h?db=2", "redis://h/2?protocol=3", "redis://h/2#x",
            "redis://h h/2", "redis://h\n/2", "redis://u:%zz@h", "redis://u:%4@h", "redis://%ff@h",
            "redis://u:s3cr3t/x@h/2", "redis://u:s3cr3t?x@h/2", "redis://u:s3cr3t#x@h/2",
            "redis://u:12/s3cr3t@h/2", "redis://ho$t/2", "redis://höst/2",
            "redis://\(String(repeating: "h", count: 254))", "unix://run/redis.sock", "unix://",
            "unix:///a?db=x", "unix:///a?x=1", "unix:///a#b", "unix:///a%00b",
            "unix:///\(String(repeating: "p", count: 107))",
            "redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///m",
            "redis+sentinel://a,/m", "redis+sentinel://,a/m", "redis+sentinel://a,,b/m",
            "redis+sentinel://a:0/m", "redis+sentinel://a:x/m", "redis+sentinel://a/m m",
            "redis+sentinel://a/m%2F", "redis+sentinel://a/m/x", "redis+sentinel://a/m/1/",
            "redis+sentinel://a/m?x", "redis+sentinel://a/m#x", "rediss+sentinel://a/m",
            "redis+sentinel://u:s3cr3t/x@a/m", "redis+sentinel://u:s3cr3t,x@a$/m",
            "redis+sentinel://\(Array(repeating: "a", count: 17).joined(separator: ","))/m",
            "redis+sentinel://a/\(String(repeating: "m", count: 256))",
        ])
    func refused(url: String) {
        let error = #expect(throws: InvalidValue.self) { try RedisURL.parse(url) }
        #expect(error?.reason.contains(Self.secret) == false)
    }

    @Test("show no password in any way of printing them")
    func masked() throws {
        let target = try RedisURL.parse("redis://u:\(Self.secret)@h/2").target
        var settings = Settings()
        settings.redis = target
        var dumped = ""
        dump(settings, to: &dumped)
        for text in [
            "\(target)", String(reflecting: target), target.displayURL, "\(settings)",
            String(reflecting: settings), dumped, "\(Secret(Self.secret))",
        ] {
            #expect(!text.contains(Self.secret))
            #expect(text.contains("***"))
        }
    }

    @Test("know an empty password from a missing one")
    func emptyPassword() throws {
        #expect(try RedisURL.parse("redis://u:@h").hasPassword)
        #expect(try RedisURL.parse("redis://u:@h").target.password == nil)
        #expect(try !RedisURL.parse("redis://u@h").hasPassword)
    }
}
