@testable import Relay
@testable import Simulation
import Testing

/// The way down, and what becomes of the clients.
@Suite struct ShutdownTests {
    private static let sigterm: Int32 = 15

    @Test func withSendHangupEachPageGetsHangupThenClose1000() {
        let daemon = SimulatedDaemon { $0.sendsHangup = true }
        let pages = (0..<3).map { daemon.open("/run:\($0)") }
        daemon.world.signals = [Self.sigterm]
        daemon.settle()
        for page in pages {
            #expect(page.messages == ["ping", "hangup"])
            #expect(page.closeCode == 1000)
            page.sendClose(1000)
            page.connection.peerHasEnded = true
        }
        daemon.settle()
        #expect(daemon.phase == .stopped(fatal: nil))
        #expect(daemon.world.openDescriptors == 0)
    }

    @Test func whereNothingIsSaidTheCloseIs1012WithoutHangup() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.world.signals = [Self.sigterm]
        daemon.settle()
        #expect(page.messages == ["ping"])
        #expect(page.closeCode == 1012)
        #expect(page.closeReason == "retry_ms=0")
    }

    @Test(arguments: [true, false]) func whatIsQueuedIsSentBeforeTheClose(sendsHangup: Bool) {
        let daemon = SimulatedDaemon { $0.sendsHangup = sendsHangup }
        let page = daemon.open()
        page.connection.capacity = 0
        daemon.redis.publish("run:status", "last words")
        daemon.settle()
        daemon.world.signals = [Self.sigterm]
        daemon.settle()
        page.connection.capacity = 1 << 20
        daemon.settle()
        let farewell = sendsHangup ? ["hangup"] : []
        #expect(page.messages == ["ping", "status:last words"] + farewell)
        #expect(page.closeCode == (sendsHangup ? 1000 : 1012))
    }

    @Test func nobodyIsAcceptedAnyMoreAndTheDaemonIsNotReady() {
        let daemon = SimulatedDaemon()
        _ = daemon.open()
        daemon.world.signals = [Self.sigterm]
        daemon.settle()
        #expect(daemon.phase == .draining)
        #expect(!daemon.isListening)
        #expect(daemon.relay.unreadiness == ["draining"])
    }

    @Test func aPageThatDoesNotAnswerIsCutInBoundedTime() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.world.signals = [Self.sigterm]
        daemon.advance(ClientConnection.closeLimit)
        #expect(page.isClosed)
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func theShutdownTimeoutBoundsItAll() {
        let daemon = SimulatedDaemon { $0.shutdownTimeout = .seconds(3) }
        _ = daemon.open()
        daemon.world.signals = [Self.sigterm]
        daemon.advance(.milliseconds(2999))
        #expect(daemon.phase == .draining)
        daemon.advance(.milliseconds(1))
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func hangupOnASocketThatIsAlreadyClosedCountsExactlyOneWriteError() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        // The reset comes after the daemon has looked, and before the hangup is written.
        daemon.world.signals = [Self.sigterm]
        page.connection.isResetAtWrite = true
        daemon.settle()
        #expect(daemon.metrics.writeErrors == 1)
        #expect(page.isClosed)
        #expect(daemon.phase == .stopped(fatal: nil))
    }

    @Test func requestsThatAreNotCompleteAreDropped() {
        let daemon = SimulatedDaemon()
        let page = daemon.connect()
        page.send("GET / HT")
        daemon.settle()
        daemon.world.signals = [Self.sigterm]
        daemon.settle()
        #expect(page.isClosed)
        #expect(daemon.phase == .stopped(fatal: nil))
    }
}
