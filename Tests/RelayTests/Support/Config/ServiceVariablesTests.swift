import Testing

@testable import Relay

@Suite("Variables that Kubernetes and Docker make")
struct ServiceVariablesTests {
    private func warnings(_ environment: [String: String]) -> [String] {
        SettingsLoader.load(environment: environment, flags: [:], readFile: TestFiles.none)
            .warnings.map(\.name)
    }

    @Test(
        "for a Service named status, or status-something, are no warnings",
        arguments: [
            ("STATUS_SERVICE_HOST", "10.0.0.11"), ("STATUS_SERVICE_PORT", "9002"),
            ("STATUS_SERVICE_PORT_HTTP", "9002"), ("STATUS_SERVICE_PORT_WEB_SOCKET", "9002"),
            ("STATUS_PORT", "tcp://10.0.0.11:9002"), ("STATUS_PORT", "udp://10.0.0.11:9002"),
            ("STATUS_PORT", "tcp://[fd00::b]:9002"),
            ("STATUS_PORT_9002_TCP", "tcp://10.0.0.11:9002"),
            ("STATUS_PORT_9002_TCP_PROTO", "tcp"), ("STATUS_PORT_9002_TCP_PORT", "9002"),
            ("STATUS_PORT_9002_TCP_ADDR", "10.0.0.11"),
            ("STATUS_PORT_53_UDP", "udp://10.0.0.11:53"), ("STATUS_PORT_53_UDP_PROTO", "udp"),
            ("STATUS_PORT_53_UDP_PORT", "53"), ("STATUS_PORT_53_UDP_ADDR", "10.0.0.11"),
            ("STATUS_PORT_132_SCTP", "sctp://10.0.0.11:132"),
            ("STATUS_PORT_8000_TCP_START", "tcp://172.17.0.2:8000"),
            ("STATUS_PORT_8000_TCP_END", "tcp://172.17.0.2:8010"),
            ("STATUS_NAME", "/web/status"), ("STATUS_ENV_STATUS_LISTEN_ADDR", ":9002"),
            ("STATUS_REDIS_SERVICE_HOST", "10.0.0.12"), ("STATUS_REDIS_SERVICE_PORT", "6379"),
            ("STATUS_REDIS_PORT", "tcp://10.0.0.12:6379"),
            ("STATUS_REDIS_PORT_6379_TCP_ADDR", "10.0.0.12"),
        ])
    func made(name: String, value: String) {
        #expect(warnings([name: value]) == [])
    }

    @Test(
        "are told from settings that somebody had in mind or has mistyped",
        arguments: [
            ("STATUS_PORT", "9002"), ("STATUS_REDIS_PORT", "6379"), ("STATUS_PING_INTERVALL", "5s"),
            ("STATUS_SERVICE", "x"), ("STATUS_SERVICE_HOSTS", "x"), ("STATUS_SERVICE_HOST_X", "x"),
            ("STATUS_HOST", "h"), ("STATUS_PORT_HTTP", "80"), ("STATUS_PORT_99999_TCP_PORT", "x"),
            ("STATUS_PORT_80_TCP", "80"), ("STATUS_PORT_80_TCP_X", "80"),
            ("STATUS_PORT_80_HTTP", "tcp://h:80"), ("STATUS__PORT", "tcp://h:80"),
            ("STATUS_NAME", "status"), ("STATUS_ENV", "x"), ("STATUS_PORT", "tcp://h"),
            ("STATUS_PORT", "http://h:80"),
        ])
    func mistyped(name: String, value: String) {
        #expect(warnings([name: value]) == [name])
    }
}
