@testable import Relay
@testable import Simulation
import Testing
import WSFrame

/// `ping`, `pong`, `init`, and the idle cut-off, on a clock that the test moves.
@Suite struct HeartbeatTests {
    @Test func theFirstPingFollowsTheAcknowledgementAtOnce() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        #expect(page.status == 101)
        #expect(page.messages == ["ping"])
    }

    @Test func pingsComeOncePerIntervalWithoutDrift() {
        let daemon = SimulatedDaemon { $0.pongTimeout = .seconds(100_000) }
        let page = daemon.open()
        daemon.advance(.seconds(5))
        #expect(page.messages.count == 2)
        let start = page.messages.count
        for beat in 1...1000 {
            // A turn that comes late must not move the beats behind it.
            daemon.advance(.milliseconds(4_990))
            daemon.advance(.milliseconds(10))
            #expect(page.messages.count == start + beat)
        }
    }

    @Test func afterAStandstillTheHeartbeatGoesOnWhereItWas() {
        let daemon = SimulatedDaemon { $0.pongTimeout = .seconds(1000) }
        let page = daemon.open()
        daemon.advance(.seconds(5))
        let former = page.messages.count
        daemon.standStill(for: .seconds(60))
        daemon.settle()
        #expect(page.messages.count == former)
        daemon.advance(.seconds(5))
        #expect(page.messages.count == former + 1)
    }

    @Test func phasesAreSpreadOverTheInterval() {
        let daemon = SimulatedDaemon()
        let pages = (0..<200).map { daemon.open("/run:\($0)") }
        daemon.advance(.seconds(1))
        let before = pages.map { $0.messages.count }
        var largest = 0
        for _ in 0..<50 {
            let former = pages.map { $0.messages.count }.reduce(0, +)
            daemon.advance(.milliseconds(100))
            largest = max(largest, pages.map { $0.messages.count }.reduce(0, +) - former)
        }
        #expect(pages.map { $0.messages.count } == before.map { $0 + 1 })
        // 200 beats over 50 slots: 4 each on average, and no slot with a crowd.
        #expect(largest < 20)
    }

    @Test func heartbeatsOfAPhaseLeaveTogetherAndNothingElseWakesTheLoop() {
        let daemon = SimulatedDaemon {
            $0.pingInterval = .seconds(1)
            $0.redisPingInterval = .seconds(1000)
        }
        let pages = (0..<300).map { daemon.open("/run:\($0)") }
        daemon.advance(.seconds(2))
        func total() -> Int { pages.map { $0.messages.count }.reduce(0, +) }
        let before = total()
        let turns = daemon.turns
        daemon.advance(.seconds(5))
        #expect(total() == before + 5 * 300)
        // A second has a hundred phases, the upkeep, and what the timer wheel deals out each 64 ms.
        #expect(daemon.turns - turns <= 5 * (100 + 1 + 16))
    }

    @Test(arguments: [
        #"{"type":"init"}"#, #"{"type":"INIT"}"#, #" { "x" : [1,{}] , "type" : "Init" } "#,
    ])
    func initIsAnsweredByAPing(text: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        page.say(text)
        daemon.settle()
        #expect(page.messages == ["ping", "ping"])
    }

    @Test func aPageThatWasNeverPingedHasNothingToAnswer() {
        let daemon = SimulatedDaemon {
            $0.pongTimeout = .seconds(20)
            $0.redisMaxRetries = 0
        }
        daemon.redis.isSilent = true
        let page = daemon.open()
        // The upgrade is completed without the subscription, and no ping may go out (I2).
        daemon.advance(.seconds(19))
        #expect(page.status == 101)
        #expect(page.messages == [])
        daemon.redis.isSilent = false
        daemon.advance(.seconds(60))
        #expect(page.messages.first == "ping")
        let pinged = page.messages.count
        #expect(page.closeCode == 1008 && pinged >= 3)
    }

    @Test func silenceForThePongTimeoutEndsWith1008AndNoHangup() {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        daemon.advance(.milliseconds(74_999))
        #expect(page.messages.allSatisfy { $0 == "ping" })
        #expect(page.closeCode == nil)
        daemon.advance(.milliseconds(1))
        #expect(page.messages.allSatisfy { $0 == "ping" })
        #expect(page.closeCode == 1008)
        page.sendClose(1008)
        daemon.settle()
        page.connection.peerHasEnded = true
        daemon.settle()
        #expect(page.isClosed)
        #expect(daemon.log.lines("client disconnected").first?.contains("pong_timeout") == true)
    }

    @Test(arguments: [#"{"type":"pong"}"#, #"{"type":"PONG","seq":1}"#, #"{"type":"init"}"#])
    func pongAndInitResetTheIdleTimer(text: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for _ in 0..<4 {
            daemon.advance(.seconds(74))
            page.say(text)
            daemon.settle()
        }
        page.read()
        #expect(page.closeCode == nil)
    }

    @Test(arguments: [#"{"type":"hello"}"#, "no json", "[]", #"{"type":1}"#])
    func nothingElseResetsTheIdleTimer(text: String) {
        let daemon = SimulatedDaemon()
        let page = daemon.open()
        for _ in 0..<15 {
            daemon.advance(.seconds(5))
            page.say(text)
            page.sendFrame(.ping, [])
            page.sendFrame(.binary, Array(#"{"type":"pong"}"#.utf8))
        }
        daemon.settle()
        page.read()
        #expect(page.closeCode == 1008)
    }

    @Test func whereRedisIsSlowTheUpgradeIsCompletedAndNoPingPrecedesTheAcknowledgement() {
        let daemon = SimulatedDaemon { $0.redisRequestTimeout = .milliseconds(1500) }
        daemon.redis.isSilent = true
        let page = daemon.open()
        daemon.advance(.milliseconds(1499))
        #expect(page.status == 0)
        daemon.advance(.milliseconds(1))
        #expect(page.status == 101)
        page.say(#"{"type":"init"}"#)
        daemon.advance(.seconds(10))
        #expect(page.messages == [])
        daemon.redis.isSilent = false
        daemon.advance(.seconds(40))
        #expect(page.messages.first == "ping")
        #expect(daemon.redis.subscribers.count == 1)
    }

    @Test func framesBehindTheRequestAreKeptUntilThe101() {
        let daemon = SimulatedDaemon()
        daemon.redis.isSilent = true
        let page = daemon.connect()
        page.sendUpgrade()
        page.say(#"{"type":"init"}"#)
        page.sendFrame(.ping, Array("early".utf8))
        daemon.settle()
        #expect(page.status == 0)
        daemon.redis.isSilent = false
        daemon.settle()
        #expect(page.status == 101)
        #expect(page.messages == ["ping", "ping"])
        #expect(page.pongs == 1)
    }
}
