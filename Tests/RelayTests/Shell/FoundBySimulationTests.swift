import Testing

@testable import Relay

/// What simulated worlds have found in the daemon, each as the shortest story that shows it; the table
/// in docs/simulation.md names the others, which stand with the tests of their subject.
@Suite struct FoundBySimulationTests {
    private static func shared() -> SimulatedDaemon {
        SimulatedDaemon { $0.redisSubscriptions = .shared }
    }

    @Test func aPageThatWasNeverPingedIsNotClosedForItsSilence() {
        let daemon = SimulatedDaemon {
            $0.pongTimeout = .seconds(10)
            $0.redisMaxRetries = 0
        }
        daemon.redis.isSilent = true
        let page = daemon.open()
        daemon.advance(.seconds(60))
        #expect(page.status == 101)
        #expect(page.closeCode == nil)
        daemon.redis.isSilent = false
        daemon.advance(.seconds(40))
        #expect(page.messages.first == "ping")
    }

    @Test func atTheirCapLinksDoNotWaitForOneInstant() {
        let delays = (0..<200 as Range<UInt64>).map { seed in
            var backoff = Backoff(seed: seed)
            var delay = Nanoseconds.zero
            for _ in 0..<20 {
                delay = backoff.next(base: .seconds(1), maximum: .seconds(4)).delay
            }
            return delay.count
        }
        #expect(Set(delays).count == 200)
    }

    @Test func thePageForWhichASharedLinkIsMadeIsSubscribedOnceTheLinkIsLive() {
        let daemon = Self.shared()
        let page = daemon.open("/run:a")
        #expect(page.messages == ["ping"])
        daemon.redis.publish("run:a", "here")
        daemon.settle()
        #expect(page.statuses == ["here"])
    }

    @Test func aPageThatComesWhileTheEndOfItsChannelIsRefusedIsLive() {
        let daemon = Self.shared()
        let (first, other) = (daemon.open("/run:a"), daemon.open("/run:b"))
        daemon.redis.errors["UNSUBSCRIBE"] = "ERR not now"
        daemon.redis.isSilent = true
        first.sendClose(1000)
        daemon.settle()
        let second = daemon.open("/run:a")
        daemon.redis.isSilent = false
        daemon.settle()
        #expect(second.messages == ["ping"])
        daemon.redis.publish("run:a", "here")
        daemon.settle()
        #expect(second.statuses == ["here"])
        #expect(other.statuses.isEmpty)
    }
}
