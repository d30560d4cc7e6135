import Testing

@testable import Relay
@testable import Simulation

/// Pages that lose their connection and come back: what they get, and what they are told.
@Suite struct ResumingPagesTests {
    /// The position in the last frame that has one.
    private func position(_ page: SimulatedPage) -> String {
        let texts = page.messages.compactMap { Self.text("id", in: $0) }
        return texts.last ?? "1"
    }

    private static func text(_ key: String, in message: String) -> String? {
        Wire.text(key, in: ArraySlice(message.utf8))
    }

    /// What a page has got: payloads, and the kinds of the other messages, with the reasons of gaps.
    private func kinds(_ page: SimulatedPage) -> [String] {
        page.messages.map { message in
            let kind = Self.text("type", in: message) ?? message
            if kind == "status" { return Self.text("data", in: message) ?? "" }
            return Self.text("reason", in: message).map { "\(kind):\($0)" } ?? kind
        }
    }

    private func open(_ daemon: SimulatedDaemon, after position: String = "1") -> SimulatedPage {
        daemon.open("/run:status?resume=\(position)")
    }

    /// The connection ends without a good-bye.
    private func vanish(_ page: SimulatedPage, _ daemon: SimulatedDaemon) {
        page.connection.isReset = true
        daemon.settle()
    }

    @Test func whatIsNotToBeHadIsToldBeforeTheFirstPing() {
        let daemon = SimulatedDaemon()
        let strange = String(repeating: "0", count: 30)
        // Whose connection ends behind the ping alone asks for the new place, and hears nothing more.
        #expect(kinds(open(daemon, after: strange + "-3")) == ["gap:resume", "ping"])
        #expect(daemon.metrics.resumesFailed == 1 && daemon.metrics.gapNotices == 1)
    }

    @Test func whoComesBackWhileTheEndOfItsChannelIsUnderWayHasMissedWhatComesThen() {
        let daemon = SimulatedDaemon { $0.redisSubscriptions = .shared }
        let other = daemon.open("/run:other")
        let page = open(daemon)
        let last = position(page)
        vanish(page, daemon)
        daemon.redis.holds = "UNSUBSCRIBE"
        while daemon.relay.hub.keptCount > 0 { daemon.advance(.milliseconds(100)) }
        daemon.redis.publish("run:status", "missed")
        let back = open(daemon, after: last)
        #expect(back.status == 0)
        daemon.redis.subscribers.first { $0.channels.contains("run:status") }?.send(
            Array(">3\r\n$11\r\nunsubscribe\r\n$10\r\nrun:status\r\n:1\r\n".utf8))
        daemon.settle()
        #expect(kinds(back) == ["gap:resume", "ping"])
        #expect(!other.isClosed)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func afterTheWindowNothingIsHeldWhateverRedisAnswers(mode: RedisSubscriptions) {
        let daemon = SimulatedDaemon { $0.redisSubscriptions = mode }
        let page = open(daemon)
        daemon.redis.publish("run:status", "text")
        daemon.settle()
        vanish(page, daemon)
        #expect(daemon.relay.context.loop.heldBytes == 4 + ResumeStream.messageCost)
        #expect(daemon.relay.hub.keptCount == 1)
        daemon.redis.holds = "UNSUBSCRIBE"
        daemon.advance(.seconds(32))
        #expect(daemon.relay.context.loop.heldBytes == 0 && daemon.relay.hub.keptCount == 0)
    }

    @Test func ofTwoStreamsTheOlderAloneIsGivenUpForMemory() {
        let daemon = SimulatedDaemon {
            $0.redisSubscriptions = .shared
            $0.memoryBudget = 1 << 20
            $0.maxPayloadSize = 1 << 20
            $0.resumeChannelBytes = 1 << 20
        }
        let names = ["older", "newer", "here"]
        let pages = names.map { daemon.open("/run:\($0)?resume=1") }
        let payload = [UInt8](repeating: 0x61, count: 300_000)
        for (name, page) in zip(names, pages).dropLast() {
            daemon.redis.publish("run:\(name)", payload)
            daemon.settle()
            page.read()
        }
        for page in pages.dropLast() { vanish(page, daemon) }
        daemon.redis.publish("run:here", payload)
        daemon.settle()
        #expect(daemon.relay.hub.keptCount == 1)
        let back = daemon.open("/run:newer?resume=\(position(pages[1]).dropLast())0")
        #expect(kinds(back).count == 2 && daemon.metrics.messagesReplayed == 1)
    }

    @Test func moreThanMayWaitForAPageIsSentInTurns() {
        let daemon = SimulatedDaemon()
        let page = open(daemon)
        let last = position(page)
        vanish(page, daemon)
        // A byte becomes six in the JSON.
        for _ in 0..<25 {
            daemon.redis.publish("run:status", [UInt8](repeating: 1, count: 10_000))
        }
        daemon.settle()
        let back = open(daemon, after: last)
        #expect(back.messages.count == 26)
        #expect(!back.isClosed)
    }

    @Test func whoLeavesAgainBeforeItIsLiveMayComeBackAsBefore() {
        let daemon = SimulatedDaemon()
        let page = open(daemon)
        let last = position(page)
        vanish(page, daemon)
        daemon.redis.publish("run:status", "held")
        daemon.settle()
        daemon.redis.isSilent = true
        daemon.redis.kill()
        let waiting = open(daemon, after: last)
        vanish(waiting, daemon)
        daemon.redis.isSilent = false
        daemon.advance(.seconds(10))
        let back = open(daemon, after: last)
        #expect(kinds(back) == ["ping", "gap:redis_outage", "held"])
    }

    @Test func theGapCoversWhatWasPublishedByAClockThatWasSetBackSince() {
        let daemon = SimulatedDaemon { $0.resumeChannelBytes = 3 }
        daemon.world.setWallClock(ahead: .seconds(1_700_000_000))
        let page = open(daemon)
        let last = position(page)
        vanish(page, daemon)
        daemon.advance(.seconds(2))
        let published =
            (Nanoseconds(daemon.now.nanoseconds) + .seconds(1_700_000_000)).milliseconds
        daemon.redis.publish("run:status", "too long")
        daemon.settle()
        daemon.world.setWallClock(ahead: .seconds(1_700_000_000 - 3600))
        daemon.advance(.seconds(2))
        let back = open(daemon, after: last)
        let gap = ArraySlice((back.messages.first ?? "").utf8)
        #expect(Wire.number("from_ms", in: gap).map { $0 <= published } == true)
        #expect(Wire.number("to_ms", in: gap).map { $0 >= published } == true)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func theWayDownEndsWhatIsKept(mode: RedisSubscriptions) {
        let daemon = SimulatedDaemon { $0.redisSubscriptions = mode }
        let other = daemon.open("/run:other")
        let page = open(daemon)
        daemon.redis.publish("run:status", "text")
        daemon.settle()
        vanish(page, daemon)
        daemon.world.signals = [15]
        daemon.settle()
        #expect(other.closeCode == nil && !other.isClosed)
        #expect(daemon.relay.context.loop.heldBytes == 0 && daemon.relay.hub.keptCount == 0)
        #expect(!daemon.redis.subscribers.contains { $0.channels.contains("run:status") })
    }
}
