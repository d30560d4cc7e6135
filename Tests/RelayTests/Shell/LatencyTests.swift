@testable import Relay
import Testing

/// What the histograms are given: spans of the loop's time.
@Suite struct LatencyTests {
    @Test func aMessageIsCountedWhenItsLastByteIsSent() {
        let daemon = SimulatedDaemon()
        let page = daemon.open("/run:a")
        daemon.redis.publish("run:a", "one")
        daemon.redis.publish("run:a", "two")
        daemon.settle()
        page.read()
        #expect(daemon.metrics.delivery.count == 2)
        #expect(daemon.metrics.delivery.count == daemon.metrics.ledger.delivered)
        #expect(daemon.metrics.delivery.count(inBucket: 0) == 2)
    }

    @Test func aMessageThatWaitsForRoomIsAsOldAsItIsWhenItLeaves() {
        let daemon = SimulatedDaemon()
        let page = daemon.open("/run:a")
        page.read()
        page.connection.capacity = 0
        daemon.redis.publish("run:a", "waits")
        daemon.settle()
        #expect(daemon.metrics.delivery.count == 0)
        daemon.advance(.milliseconds(700))
        page.connection.capacity = 1 << 20
        page.read()
        daemon.settle()
        #expect(daemon.metrics.delivery.count == 1)
        #expect(daemon.metrics.delivery.sum == 700_000_000)
    }

    @Test func whatIsDroppedIsNotCounted() {
        let daemon = SimulatedDaemon()
        let page = daemon.open("/run:a")
        page.read()
        page.connection.capacity = 0
        daemon.redis.publish("run:a", "waits")
        daemon.advance(.seconds(10))
        #expect(daemon.metrics.slowClients == 1)
        #expect(daemon.metrics.delivery.count == 0)
    }

    @Test func heartbeatsAreNoMessages() {
        let daemon = SimulatedDaemon()
        let page = daemon.open("/run:a")
        daemon.advance(.milliseconds(35))
        page.say(#"{"type":"pong"}"#)
        daemon.settle()
        // A pong that answers nothing has no round trip.
        page.say(#"{"type":"pong"}"#)
        daemon.settle()
        #expect(daemon.metrics.heartbeatRoundTrip.count == 1)
        #expect(daemon.metrics.heartbeatRoundTrip.sum == 35_000_000)
        #expect(daemon.metrics.delivery.count == 0)
    }

    @Test func redisIsTimedFromItsCommandToItsAnswer() {
        let daemon = SimulatedDaemon { $0.redisPingInterval = .seconds(1) }
        _ = daemon.open("/run:a")
        let before = daemon.metrics.redisRoundTrip
        #expect(before.count > 0)
        daemon.advance(.seconds(5))
        #expect(daemon.metrics.redisRoundTrip.count > before.count)
    }

    @Test func aLoopThatComesLateSaysByHowMuch() {
        let daemon = SimulatedDaemon()
        let before = daemon.metrics.loopLag
        // The upkeep's timer is due within a second.
        daemon.advance(.seconds(2))
        let onTime = daemon.metrics.loopLag
        #expect(onTime.count > before.count)
        #expect(onTime.sum == before.sum)
        daemon.standStill(for: .milliseconds(1_030))
        daemon.turn()
        #expect(daemon.metrics.loopLag.count == onTime.count + 1)
        let late = daemon.metrics.loopLag.sum - onTime.sum
        #expect(late >= 30_000_000 && late <= 1_030_000_000)
    }

    @Test func aStandstillIsALagToo() {
        let daemon = SimulatedDaemon()
        daemon.advance(.seconds(2))
        let before = daemon.metrics.loopLag.sum
        daemon.standStill(for: .seconds(9))
        daemon.turn()
        #expect(daemon.metrics.standstills == 1)
        let late = daemon.metrics.loopLag.sum - before
        #expect(late >= 8_000_000_000 && late <= 9_000_000_000)
    }
}
