import COpenSSL
import Testing

@testable import Relay
@testable import Simulation

/// The whole relay with links that speak TLS.
@Suite struct SecuredLinkTests {
    let directory: TestDirectory
    let authority = TestAuthority()
    let context: TLSContext

    init() throws {
        directory = try TestDirectory()
        var settings = RedisTLSSettings()
        settings.caFile = directory.path("ca.pem")
        authority.own.write(to: settings.caFile)
        context = try TLSContext(settings, readSize: EventLoop<SimulatedSys>.readSize)
    }

    private func start(_ server: TestTLSServer?) -> SimulatedDaemon {
        SimulatedDaemon(
            {
                $0.redis.usesTLS = true
                $0.redis.password = Secret("hunter2")
            }, tls: context, redisTLS: server)
    }

    @Test func messagesComeWholeAndInOrder() {
        let daemon = start(TestTLSServer(authority.issue()))
        #expect(daemon.phase == .serving)
        let page = daemon.open()
        let payloads = (0..<300).map { "\($0):" + String(repeating: "x", count: $0 * 37) }
        for payload in payloads { daemon.redis.publish("run:status", payload) }
        daemon.settle()
        #expect(page.statuses == payloads)
        #expect(daemon.redis.subscribers[0].commands[0].contains("hunter2"))
        #expect(daemon.log.lines("hunter2").isEmpty)
    }

    @Test func aRecordMayComeInPieces() {
        let daemon = start(TestTLSServer(authority.issue()))
        let page = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        daemon.redis.publish("run:status", "one")
        daemon.redis.publish("run:status", "two")
        let bytes = connection.toDaemon
        connection.toDaemon = []
        for byte in bytes {
            connection.toDaemon.append(byte)
            daemon.settle()
        }
        #expect(page.statuses == ["one", "two"])
    }

    @Test func aByteOfARecordIsLife() {
        let daemon = start(TestTLSServer(authority.issue()))
        let page = daemon.open()
        let connection = daemon.redis.subscribers[0].connection
        daemon.redis.publish("run:status", "slow")
        let bytes = connection.toDaemon
        connection.toDaemon = []
        // No PING is answered meanwhile, and no record is whole before the last byte.
        daemon.redis.isSilent = true
        for byte in bytes {
            connection.toDaemon.append(byte)
            daemon.advance(.milliseconds(900))
        }
        #expect(!connection.isClosed)
        #expect(page.statuses == ["slow"])
    }

    @Test func theFirstHandshakeIsDoneInFullAndTheNextOnesTakeItUp() {
        let daemon = start(TestTLSServer(authority.issue()))
        for number in 0..<20 { _ = daemon.open("/run:\(number)") }
        #expect(daemon.metrics.tlsHandshakesFull == 1)
        #expect(daemon.metrics.tlsHandshakesResumed == 20)
    }

    @Test func aCertificateThatDoesNotVerifyEndsTheStart() {
        let daemon = start(TestTLSServer(TestAuthority("another").issue()))
        guard case .stopped(let fatal?) = daemon.phase else {
            Issue.record("the daemon goes on: \(daemon.phase)")
            return
        }
        #expect(fatal.contains("certificate is not signed by a trusted authority"))
        #expect(!fatal.contains("\n") && !fatal.contains("hunter2"))
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test func onceTheDaemonServesACertificateThatDoesNotVerifyIsRetried() {
        let daemon = start(TestTLSServer(authority.issue()))
        let page = daemon.open()
        daemon.redis.tls = TestTLSServer(authority.issue(seconds: -7200 ... -3600))
        daemon.redis.kill()
        daemon.advance(.seconds(4))
        #expect(!daemon.log.lines(#""cause":"certificate""#).isEmpty)
        #expect(daemon.phase == .serving)
        daemon.redis.tls = TestTLSServer(authority.issue())
        daemon.advance(.seconds(10))
        daemon.redis.publish("run:status", "renewed")
        daemon.settle()
        #expect(page.statuses == ["renewed"])
    }

    @Test func aPeerThatIsSilentInTheHandshakeIsFoundInTime() {
        let daemon = start(nil)
        daemon.advance(.milliseconds(4_999))
        #expect(daemon.log.lines("TLS handshake").isEmpty)
        daemon.advance(.seconds(30))
        let failures = daemon.log.lines("no answer to the TLS handshake")
        #expect(!failures.isEmpty)
        #expect(daemon.metrics.redisTimeouts == UInt64(failures.count))
        #expect(daemon.phase == .starting)
    }

    @Test func bytesDoNotProlongAHandshake() {
        let daemon = start(nil)
        let connection = daemon.world.redisConnections[0]
        // A record of a handshake that never ends, a byte a second.
        for byte: UInt8 in [0x16, 3, 3, 0x40, 0] {
            connection.toDaemon.append(byte)
            daemon.advance(.milliseconds(999))
        }
        #expect(!connection.isClosed)
        connection.toDaemon.append(2)
        daemon.advance(.milliseconds(10))
        #expect(connection.isClosed)
    }

    @Test func aServerThatAsksAndDoesNotReadIsLeft() throws {
        let daemon = start(TestTLSServer(authority.issue(), version: TLS1_2_VERSION))
        _ = daemon.open()
        let session = daemon.redis.subscribers[0]
        let peer = try #require(session.tls)
        daemon.redis.isSilent = true
        session.connection.capacity = 0
        for _ in 0..<20_000 where !session.connection.isClosed {
            peer.askForRenegotiation()
            session.connection.toDaemon += peer.takeOutput()
            daemon.settle()
        }
        #expect(session.connection.isClosed)
        #expect(daemon.log.lines("asks for more than it takes").count == 1)
    }

    @Test func withoutTLSSetUpNothingLeavesInTheClear() {
        let daemon = SimulatedDaemon {
            $0.redis.usesTLS = true
            $0.redis.password = Secret("hunter2")
        }
        daemon.advance(.seconds(1))
        #expect(daemon.world.redisConnections.allSatisfy { $0.fromDaemon.isEmpty })
        #expect(!daemon.log.lines(#""cause":"tls""#).isEmpty)
    }

    @Test func anEndInTheHandshakeIsToldAsOne() {
        let daemon = start(nil)
        daemon.world.redisConnections[0].peerHasEnded = true
        daemon.settle()
        #expect(daemon.log.lines("closed the connection in the handshake").count == 1)
        #expect(daemon.phase == .starting)
    }

    @Test func theTraceShowsWhatIsMeant() {
        var trace = TraceOptions()
        trace.isOn = true
        let daemon = SimulatedDaemon(
            { $0.redis.usesTLS = true }, trace: trace, tls: context,
            redisTLS: TestTLSServer(authority.issue()))
        _ = daemon.open()
        daemon.redis.publish("run:status", "seen")
        daemon.settle()
        let lines = daemon.traced.takeLines()
        #expect(lines.contains { $0.contains("HELLO") })
        #expect(lines.contains { $0.contains("seen") })
    }
}
