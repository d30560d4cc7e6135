import Testing

@testable import Relay

/// Where a container's health check asks, and what it takes for an answer.
@Suite("A health check") struct HealthCheckTests {
    @Test(
        "asks on this machine where the daemon listens on all addresses",
        arguments: [
            ("", ["127.0.0.1", "::1"]), ("::", ["127.0.0.1", "::1"]), ("0.0.0.0", ["127.0.0.1"]),
            ("10.0.0.7", ["10.0.0.7"]), ("localhost", ["localhost"]),
        ])
    func targets(host: String, asked: [String]) {
        #expect(
            HealthCheck.targets(of: .tcp(host: host, port: 9002))
                == asked.map { .tcp(host: $0, port: 9002) })
        #expect(HealthCheck.targets(of: .unix(path: "/s")) == [.unix(path: "/s")])
    }

    @Test(
        "reads the status",
        arguments: [
            ("HTTP/1.1 200 OK\r\n\r\nOK", 200), ("HTTP/1.0 503 x\r\n", 503), ("HTTP/1.1 200", 200),
            ("HTTP/2 200", nil), ("SSH-2.0-OpenSSH_9", nil), ("", nil), ("HTTP/1.1 abc", nil),
        ] as [(String, Int?)])
    func status(answer: String, status: Int?) {
        #expect(HealthCheck.status(of: Array(answer.utf8)) == status)
    }
}
