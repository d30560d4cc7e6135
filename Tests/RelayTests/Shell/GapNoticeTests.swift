@testable import Relay
@testable import Simulation
import Testing

/// Pages that ask for it are told of the time for which they may have missed messages.
@Suite struct GapNoticeTests {
    private func milliseconds(_ instant: Instant) -> Int64 { instant.nanoseconds / 1_000_000 }

    /// The messages to a page, notices by their kind.
    private func kinds(_ page: SimulatedPage) -> [String] {
        page.messages.map { message in
            ["outage", "gap"].first { message.contains(#""\#($0)""#) } ?? message
        }
    }

    @Test func afterAnOutageThePageIsToldFromTheLastSignOfLifeToTheNewSubscription() {
        let daemon = SimulatedDaemon { $0.gapNotices = true }
        let page = daemon.open()
        daemon.redis.publish("run:status", "before")
        daemon.settle()
        let lastLife = milliseconds(daemon.now)
        daemon.advance(.seconds(1))
        daemon.redis.kill()
        daemon.settle()
        while daemon.redis.subscribers.isEmpty { daemon.advance(.milliseconds(1)) }
        let back = milliseconds(daemon.now)
        daemon.redis.publish("run:status", "after")
        daemon.settle()
        let gap =
            #"{"type":"gap","reason":"redis_outage","from_ms":\#(lastLife),"to_ms":\#(back)}"#
        let outage = #"{"type":"outage","since_ms":\#(lastLife)}"#
        #expect(
            page.messages.filter { $0 != "ping" }
                == ["status:before", outage, gap, "status:after"])
        #expect(daemon.metrics.gapNotices == 1)
        #expect(daemon.metrics.outageNotices == 1)
    }

    @Test func whatWasUnderWayWhenTheLinkEndedLiesInTheGap() {
        let daemon = SimulatedDaemon { $0.gapNotices = true }
        let page = daemon.open()
        let session = daemon.redis.subscribers[0]
        // Two messages are published; the network is slow, and only the first arrives, late.
        daemon.advance(.seconds(1))
        let published = milliseconds(daemon.now)
        daemon.advance(.seconds(1))
        daemon.redis.publish("run:status", "first")
        daemon.settle()
        daemon.advance(.milliseconds(300))
        session.connection.isReset = true
        daemon.advance(.seconds(10))
        #expect(page.statuses == ["first"])
        #expect((Self.gap(page)?.from ?? .max) <= published)
    }

    @Test(arguments: [false, true])
    func theGapIsNoLongerThanTheIntervalOfTheQuestions(isBusy: Bool) {
        let daemon = SimulatedDaemon {
            $0.gapNotices = true
            $0.pongTimeout = .seconds(600)
        }
        let page = daemon.open()
        for _ in 0..<300 {
            daemon.advance(.milliseconds(100))
            if isBusy { daemon.redis.publish("run:status", "line") }
        }
        let end = milliseconds(daemon.now)
        daemon.redis.kill()
        daemon.advance(.seconds(10))
        let from = Self.gap(page)?.from ?? 0
        #expect(from >= end - 5_000)
        #expect(from < end)
    }

    /// The times of the page's last gap notice.
    private static func gap(_ page: SimulatedPage) -> (from: Int64, to: Int64)? {
        let notice = page.messages.last { $0.contains(#""gap""#) } ?? ""
        let numbers = notice.matches(of: /_ms":([0-9]+)/).compactMap { Int64($0.output.1) }
        return numbers.count == 2 ? (numbers[0], numbers[1]) : nil
    }

    @Test func bytesThatWereLongInTheSocketDoNotShortenTheGap() {
        let daemon = SimulatedDaemon { $0.gapNotices = true }
        let page = daemon.open()
        let lastLook = milliseconds(daemon.now)
        // The daemon is stopped, as by a debugger: Redis sends, and ends the link.
        daemon.standStill(for: .seconds(3))
        daemon.redis.publish("run:status", "old by now")
        daemon.redis.subscribers[0].connection.peerHasEnded = true
        daemon.advance(.seconds(10))
        #expect(page.statuses == ["old by now"])
        let gap = page.messages.first { $0.contains("gap") }
        #expect(gap?.contains(#""from_ms":\#(lastLook),"#) == true)
    }

    @Test func aSuspendBeforeTheEndIsNoticedLiesInTheGap() {
        let daemon = SimulatedDaemon { $0.gapNotices = true }
        let page = daemon.open()
        daemon.redis.publish("run:status", "before")
        daemon.settle()
        let lastLife = milliseconds(daemon.now)
        // The machine sleeps for an hour, and Redis has ended the link by then.
        daemon.standStill(for: .seconds(3600))
        daemon.redis.kill()
        daemon.advance(.seconds(10))
        let notices = page.messages.filter { $0.contains("_ms") }
        #expect(notices.count == 2)
        #expect(notices.first == #"{"type":"outage","since_ms":\#(lastLife)}"#)
        #expect(notices.last?.contains(#""from_ms":\#(lastLife),"#) == true)
    }

    @Test(arguments: [-500, 500] as [Int64])
    func aGapIsCoveredByBothSettingsOfAClockThatWasSet(seconds: Int64) {
        let daemon = SimulatedDaemon { $0.gapNotices = true }
        let page = daemon.open()
        daemon.redis.publish("run:status", "before")
        daemon.settle()
        let lastLife = milliseconds(daemon.now)
        daemon.redis.kill()
        daemon.settle()
        daemon.world.setWallClock(ahead: .seconds(seconds))
        daemon.advance(.seconds(10))
        let gap = Self.gap(page)
        #expect(gap?.from == lastLife + min(0, seconds) * 1000)
        #expect((gap?.to ?? 0) > lastLife + max(0, seconds) * 1000)
    }

    @Test func severalFailuresInARowAreOneGap() {
        let daemon = SimulatedDaemon {
            $0.gapNotices = true
            $0.redisMaxRetries = 0
            $0.pongTimeout = .seconds(3600)
        }
        let page = daemon.open()
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.advance(.seconds(100))
        daemon.world.dialPolicy = .accept
        daemon.advance(.seconds(40))
        #expect(kinds(page).filter { $0 != "ping" } == ["outage", "gap"])
        #expect(daemon.metrics.redisOutage >= .seconds(100))
    }

    @Test func aPageThatWasOpenedWithoutItsSubscriptionIsToldOnceItStands() {
        let daemon = SimulatedDaemon { $0.gapNotices = true }
        daemon.redis.isSilent = true
        let page = daemon.open()
        daemon.advance(.seconds(1))
        #expect(page.status == 101)
        daemon.redis.isSilent = false
        daemon.advance(.seconds(10))
        #expect(kinds(page).prefix(3) == ["outage", "gap", "ping"])
    }

    @Test func aSkippedPayloadIsAGapOfItsOwn() {
        let daemon = SimulatedDaemon {
            $0.gapNotices = true
            $0.maxPayloadSize = 10
        }
        let page = daemon.open()
        daemon.redis.publish("run:status", "more than ten")
        daemon.settle()
        let now = milliseconds(daemon.now)
        #expect(
            page.messages.last
                == #"{"type":"gap","reason":"payload_too_large","from_ms":\#(now),"to_ms":\#(now)}"#
        )
    }

    @Test func withoutTheSettingNothingIsSent() {
        let daemon = SimulatedDaemon { $0.maxPayloadSize = 10 }
        let page = daemon.open()
        daemon.redis.publish("run:status", "more than ten")
        daemon.redis.kill()
        daemon.advance(.seconds(3))
        #expect(page.messages.allSatisfy { $0 == "ping" })
        #expect(daemon.metrics.gapNotices == 0)
    }
}
