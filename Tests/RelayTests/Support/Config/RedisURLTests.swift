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

    private static let cluster = ClusterSeeds(nodes: [.init(host: "a", port: 6379)])

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
            url: "redis+cluster://a,b.example:7000,[::1],[::2]:7001/0",
            address: .cluster(
                ClusterSeeds(nodes: [
                    .init(host: "a", port: 6379), .init(host: "b.example", port: 7000),
                    .init(host: "::1", port: 6379), .init(host: "::2", port: 7001),
                ])),
            display: "redis+cluster://a:6379,b.example:7000,[::1]:6379,[::2]:7001/0"),
        Vector(
            url: "rediss+cluster://u:p%2C@a", address: .cluster(cluster), tls: true, user: "u",
            password: "p,", display: "rediss+cluster://u:***@a:6379/0"),
        Vector(
            url: "Redis+Cluster://:p@a/?db=0", address: .cluster(cluster), password: "p",
            display: "redis+cluster://:***@a:6379/0"),
        Vector(
            url: "redis+cluster://",
            address: .cluster(ClusterSeeds(nodes: [.init(host: "localhost", port: 6379)])),
            display: "redis+cluster://localhost:6379/0"),
        Vector(
            url: "redis://h/2/", address: .tcp(host: "h", port: 6379), database: 2,
            display: "redis://h:6379/2"),
        Vector(
            url: "rediss://h:1//3//?db=4", address: .tcp(host: "h", port: 1), tls: true,
            database: 4, display: "rediss://h:1/4"),
        Vector(
            url: "redis://h//", address: .tcp(host: "h", port: 6379),
            display: "redis://h:6379/0"),
        Vector(
            url: "redis+sentinel://a/m/5/",
            address: .sentinel(SentinelService(name: "m", sentinels: [.init(host: "a")])),
            database: 5, display: "redis+sentinel://a:26379/m/5"),
        Vector(
            url: "redis+sentinel://a/m/",
            address: .sentinel(SentinelService(name: "m", sentinels: [.init(host: "a")])),
            display: "redis+sentinel://a:26379/m/0"),
        Vector(
            url: "valkey://h/1", address: .tcp(host: "h", port: 6379), database: 1,
            display: "redis://h:6379/1"),
        Vector(
            url: "valkeys://:p@h", address: .tcp(host: "h", port: 6379), tls: true, password: "p",
            display: "rediss://:***@h:6379/0"),
        Vector(
            url: "rediss://default:p%3D@h.upstash.example:6380/0?",
            address: .tcp(host: "h.upstash.example", port: 6380), tls: true, user: "default",
            password: "p=",
            display: "rediss://default:***@h.upstash.example:6380/0"),
        Vector(
            url: "redis://h?db=7", address: .tcp(host: "h", port: 6379), database: 7,
            display: "redis://h:6379/7"),
        Vector(
            url: "redis://h/3?db=7&protocol=3", address: .tcp(host: "h", port: 6379), database: 7,
            display: "redis://h:6379/7"),
        Vector(
            url: "redis+sentinel://a/m/1?db=2",
            address: .sentinel(SentinelService(name: "m", sentinels: [.init(host: "a")])),
            database: 2, display: "redis+sentinel://a:26379/m/2"),
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

    @Test(
        "have options that are named where they have no effect",
        arguments: [
            ("redis://h?db=1", []), ("redis://h?protocol=3", []), ("unix:///s?db=1", []),
            ("redis://h?protocol=2", ["protocol"]), ("redis://h?pool_size=20", ["pool_size"]),
            ("redis://h?client_name=x&max_idle_conns=3", ["client_name", "max_idle_conns"]),
            ("redis://h?dial_timeout=3s", ["dial_timeout", "STATUS_REDIS_REQUEST_TIMEOUT"]),
            ("redis://h?read_timeout=-1", ["read_timeout", "STATUS_REDIS_REQUEST_TIMEOUT"]),
            ("redis://h?max_retries=3", ["max_retries", "STATUS_REDIS_MAX_RETRIES"]),
            ("redis://h?min_retry_backoff=1s", ["STATUS_REDIS_RETRY_BASE"]),
            ("redis://h?max_retry_backoff=1s", ["STATUS_REDIS_RETRY_MAX"]),
            ("redis://h?health_check_interval=30", ["STATUS_REDIS_PING_INTERVAL"]),
            ("redis://h?poolsize=1", ["unknown option poolsize"]),
            ("unix:///s?virtual_host=1", ["unknown option virtual_host"]),
            ("redis://h?%41=1", ["unknown option"]), ("redis://h?=1", ["unknown option"]),
            ("redis+sentinel://a/m?x=", ["unknown option x"]),
            ("redis://h?s3cr3t", ["an option without a value"]),
        ])
    func options(url: String, words: [String]) throws {
        let remarks = try RedisURL.parse(url).remarks
        #expect(remarks.isEmpty == words.isEmpty)
        for word in words { #expect(remarks.joined(separator: "\n").contains(word)) }
        #expect(!remarks.joined().contains(Self.secret))
    }

    @Test(
        "have options about TLS in the words of Go and of Python",
        arguments: [
            ("rediss://h", RedisURLQuery.TLSOptions()),
            ("rediss://h?skip_verify=true", RedisURLQuery.TLSOptions(skipsVerification: true)),
            ("rediss://h?skip_verify=0", RedisURLQuery.TLSOptions(skipsVerification: false)),
            ("rediss://h?ssl_cert_reqs=none", RedisURLQuery.TLSOptions(skipsVerification: true)),
            (
                "rediss://h?ssl_cert_reqs=CERT_NONE",
                RedisURLQuery.TLSOptions(skipsVerification: true)
            ),
            (
                "rediss://h?ssl_cert_reqs=required&ssl_ca_certs=%2Fetc%2Fca.pem",
                RedisURLQuery.TLSOptions(caFile: "/etc/ca.pem", skipsVerification: false)
            ),
            (
                "rediss://h?ssl_certfile=/c&ssl_keyfile=/k",
                RedisURLQuery.TLSOptions(certificateFile: "/c", keyFile: "/k")
            ),
        ])
    func optionsOfTLS(url: String, expected: RedisURLQuery.TLSOptions) throws {
        #expect(try RedisURL.parse(url).tls == expected)
        #expect(try RedisURL.parse(url).remarks == [])
    }

    static let secret = "s3cr3t"

    @Test(
        "are refused without a word of what they hold",
        arguments: [
            "", "localhost:6379", "redis:/h", "http://h", "redis//h", "://h", "redis://h:port",
            "redis://h:0", "redis://h:65536", "redis://h:-1", "redis://h:+1", "redis://h:",
            "redis://h:000006379", "redis://::1/2", "redis://[::1/2", "redis://[::1]x/2",
            "redis://[localhost]/2", "redis://h/two", "redis://h/-1", "redis://h/2/3",
            "redis://h/ 2",
            "redis://h/1234567890", "redis://h?db=x", "redis://h/2?db=-1", "redis://h/2#x",
            "redis://h/2?skip_verify=maybe", "redis://h?ssl_cert_reqs=perhaps", "redis://h?a=%zz",
            "redis://s3cr3t?x@h/2", "redis://h/2?x=s3cr3t@h", "redis://h?skip_verify=s3cr3t",
            "redis://h?tls=true", "redis://h/2?ssl=1", "rediss://h?tls=false",
            "redis://h?tls=s3cr3t",
            "redis://h?username=bob&password=s3cr3t", "redis://h?user=bob", "unix:///a?ssl=true",
            "redis://h h/2", "redis://h\n/2", "redis://u:%zz@h", "redis://u:%4@h", "redis://%ff@h",
            "redis://u:s3cr3t/x@h/2", "redis://u:s3cr3t?x@h/2", "redis://u:s3cr3t#x@h/2",
            "redis://u:12/s3cr3t@h/2", "redis://ho$t/2", "redis://höst/2",
            "redis://\(String(repeating: "h", count: 254))", "unix://run/redis.sock", "unix://",
            "unix:///a?db=x", "unix:///a#b", "unix:///a%00b",
            "unix:///\(String(repeating: "p", count: 107))",
            "redis+sentinel://a", "redis+sentinel://a/", "redis+sentinel:///m",
            "redis+sentinel://a,/m", "redis+sentinel://,a/m", "redis+sentinel://a,,b/m",
            "redis+sentinel://a:0/m", "redis+sentinel://a:x/m", "redis+sentinel://a/m m",
            "redis+sentinel://a/m%2F", "redis+sentinel://a/m/x", "redis+sentinel://a/m/1/2",
            "redis+sentinel://a/m?db=x", "redis+sentinel://a/m#x", "rediss+sentinel://a/m",
            "redis+sentinel://u:s3cr3t/x@a/m", "redis+sentinel://u:s3cr3t,x@a$/m",
            "redis+sentinel://\(Array(repeating: "a", count: 17).joined(separator: ","))/m",
            "redis+sentinel://a/\(String(repeating: "m", count: 256))",
            "redis+cluster://a/2", "redis+cluster://a?db=2", "redis+cluster://a/m",
            "redis+cluster://a,/0", "redis+cluster://,a", "redis+cluster://a,,b",
            "redis+cluster://a:0", "redis+cluster://a:x", "redis+cluster://a b",
            "rediss+cluster://u:s3cr3t/x@a", "redis+cluster://u:s3cr3t,x@a$",
            "redis+cluster://\(Array(repeating: "a", count: 17).joined(separator: ","))",
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

extension RedisEndpoint {
    /// A Sentinel on its usual port.
    fileprivate init(host: String) { self.init(host: host, port: 26_379) }
}
