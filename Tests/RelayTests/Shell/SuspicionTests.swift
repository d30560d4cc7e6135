@testable import Relay
@testable import Simulation
import Testing

/// Many quiet links: one probe vouches for their server, and all are asked when it is suspected.
@Suite struct SuspicionTests {
    private static let pages = 320

    /// A daemon with so many pages, each with a link of its own.
    private static func daemon(
        pages: Int = pages, _ change: (inout Settings) -> Void = { _ in }
    ) -> SimulatedDaemon {
        let daemon = SimulatedDaemon {
            $0.redisDialRate = 1_000_000
            $0.redisDialConcurrency = 10_000
            $0.pongTimeout = .seconds(1_000)
            $0.pingInterval = .seconds(500)
            change(&$0)
        }
        for number in 0..<pages { _ = daemon.open("/run:\(number)") }
        return daemon
    }

    private static func pings(_ daemon: SimulatedDaemon) -> Int {
        daemon.redis.sessions.reduce(0) { $0 + $1.commands.count { $0[0] == "PING" } }
    }

    private static func stalled(_ daemon: SimulatedDaemon) -> UInt64 {
        daemon.metrics.redisLinkFailures["stalled"] ?? 0
    }

    @Test func manyQuietLinksAreAskedFiftyTimesASecondAndNotAnIntervalEach() {
        let daemon = Self.daemon()
        daemon.advance(.seconds(20))
        let before = Self.pings(daemon)
        daemon.advance(.seconds(20))
        // 320 links with a patience of 10 s.
        #expect(Self.pings(daemon) - before == 2 * Self.pages)
        #expect(daemon.metrics.redisReconnects == 0)
    }

    @Test func withGapNoticesEachLinkIsAskedOnceAnInterval() {
        let daemon = Self.daemon { $0.gapNotices = true }
        daemon.advance(.seconds(20))
        let before = Self.pings(daemon)
        daemon.advance(.seconds(20))
        #expect(Self.pings(daemon) - before >= 4 * Self.pages)
    }

    /// Wherever between two questions of the probe it begins.
    @Test(arguments: [0, 900, 1_800] as [Int64])
    func aBlackHoleIsFoundByAllLinksWithinIntervalAndTimeout(delay: Int64) {
        let daemon = Self.daemon()
        daemon.advance(.seconds(15) + .milliseconds(delay))
        daemon.redis.isSilent = true
        daemon.advance(.seconds(6) + .milliseconds(2))
        #expect(Self.stalled(daemon) == UInt64(Self.pages + 1))
        #expect(daemon.log.lines("the probe is not answered").count == 1)
    }

    @Test func aRedisThatIsSlowIsSuspectedAndLosesNoLink() {
        let daemon = Self.daemon()
        daemon.advance(.seconds(15))
        let before = Self.pings(daemon)
        for _ in 0..<10 {
            daemon.redis.isSilent = true
            daemon.advance(.milliseconds(900))
            daemon.redis.isSilent = false
            daemon.advance(.milliseconds(900))
        }
        #expect(daemon.metrics.redisSuspicions >= 1)
        #expect(Self.stalled(daemon) == 0 && daemon.metrics.redisReconnects == 0)
        #expect(Self.pings(daemon) > before)
    }

    @Test func aLinkThatFailsMakesTheOthersAskAtMostOnceAnInterval() {
        let daemon = Self.daemon()
        daemon.advance(.seconds(15))
        let before = Self.pings(daemon)
        for number in 0..<20 {
            daemon.redis.subscribers[number].connection.isReset = true
            daemon.redis.subscribers[number].connection.peerHasEnded = true
            daemon.advance(.milliseconds(100))
        }
        #expect(daemon.metrics.redisSuspicions == 1)
        daemon.advance(.seconds(2))
        #expect(Self.pings(daemon) - before >= Self.pages - 20)
        #expect(Self.stalled(daemon) == 0)
    }

    @Test func aServerThatTheProbeDoesNotVouchForIsAskedOnEachLink() {
        let daemon = Self.daemon()
        daemon.advance(.seconds(15))
        daemon.redis.errors = ["PROBE": "BUSY Redis is busy running a script."]
        daemon.advance(.seconds(15))
        #expect(daemon.relay.unreadiness == ["redis_unavailable"])
        let before = Self.pings(daemon)
        daemon.advance(.seconds(15))
        #expect(Self.pings(daemon) - before >= 3 * Self.pages)
    }
}
