@testable import Relay
@testable import Simulation
import Testing

/// Local ports: which connections leave none behind, and what is said when none is left.
@Suite struct ClosedPortTests {
    @Test func theLinkOfAPageThatHasGoneIsReset() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        let link = daemon.redis.subscribers[0].connection
        page.connection.isReset = true
        daemon.settle()
        #expect(link.isClosed && link.wasReset)
    }

    @Test func aSubscriptionThatIsEndedInOrderIsResetOnceItIsAnswered() {
        let daemon = SimulatedDaemon { $0.drainWindow = .zero }
        let page = daemon.open()
        let link = daemon.redis.subscribers[0].connection
        daemon.redis.holds = "UNSUBSCRIBE"
        page.connection.capacity = 0
        daemon.redis.publish("run:status", "last")
        daemon.settle()
        daemon.world.signals = [15]
        daemon.settle()
        #expect(!link.isClosed)
        #expect(daemon.redis.subscribers[0].commands.last?.first == "UNSUBSCRIBE")
        link.toDaemon += ">3\r\n$11\r\nunsubscribe\r\n$10\r\nrun:status\r\n:0\r\n".utf8
        daemon.settle()
        #expect(link.isClosed && link.wasReset)
    }

    @Test func theConnectionToASentinelIsResetWhenItHasAnswered() {
        let daemon = SimulatedDaemon(
            {
                $0.redis.address = .sentinel(
                    SentinelService(name: "m", sentinels: [.init(host: "s", port: 26_379)]))
            },
            prepare: { redis, _ in
                redis.sentinels = [26_379]
                redis.masters["m"] = ("10.0.0.1", 7001)
            })
        #expect(daemon.phase == .serving)
        let sentinel = daemon.redis.sessions[0].connection
        #expect(sentinel.isClosed && sentinel.wasReset)
    }

    @Test func whereNoPortIsLeftThatIsSaid() {
        let daemon = SimulatedDaemon { $0.redisMaxRetries = 0 }
        daemon.world.dialFailure = .addressNotAvailable
        _ = daemon.open()
        #expect(daemon.log.lines(#""cause":"no_local_port""#).count == 1)
        #expect(daemon.log.lines("ip_local_port_range").count == 1)
        daemon.world.dialFailure = nil
        daemon.advance(.seconds(4))
        #expect(daemon.redis.subscribers.count == 1)
    }
}
