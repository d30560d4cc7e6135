@testable import Relay
@testable import Simulation
import Testing

/// Pages that can resume lose their connections and come back.
@Suite struct ComingBackTests {
    private static func daemon(
        _ mode: RedisSubscriptions, mostConnections: Int = 10_000,
        _ change: (inout Settings) -> Void = { _ in }
    ) -> SimulatedDaemon {
        SimulatedDaemon(
            {
                $0.redisSubscriptions = mode
                change(&$0)
            }, mostConnections: mostConnections)
    }

    private static func vanish(_ page: SimulatedPage, of daemon: SimulatedDaemon) {
        page.connection.isReset = true
        daemon.settle()
    }

    /// A page that has the channel's position, and vanishes.
    private static func away(
        _ daemon: SimulatedDaemon, _ path: String = "/run:status"
    ) throws -> String {
        let page = daemon.open(path + "?resume=1")
        let position = try #require(page.position)
        vanish(page, of: daemon)
        return position
    }

    private static func say(_ daemon: SimulatedDaemon, _ text: String, _ channel: String = "status")
    {
        daemon.redis.publish("run:\(channel)", text)
        daemon.settle()
    }

    // MARK: - Who else hears the channel

    @Test func whoComesAndGoesMeanwhileTakesNothingFromIt() throws {
        let daemon = Self.daemon(.shared)
        let position = try Self.away(daemon)
        let visitor = daemon.open()
        Self.say(daemon, "one")
        visitor.sendClose(1000)
        daemon.settle()
        Self.say(daemon, "two")
        let other = daemon.open("/run:status?resume=1")
        other.sendClose(1000)
        daemon.settle()
        Self.say(daemon, "three")
        let page = daemon.open("/run:status?resume=\(position)")
        #expect(page.numbered == ["1 one", "2 two", "3 three"])
        #expect(page.gaps.isEmpty && visitor.statuses == ["one"])
    }

    @Test func aStreamEndsWithItsTimeThoughOthersHearTheChannel() throws {
        let daemon = Self.daemon(.shared)
        let position = try Self.away(daemon)
        let visitor = daemon.open()
        Self.say(daemon, "one")
        daemon.advance(.seconds(32))
        #expect(daemon.relay.hub.resumeBytes == 0 && daemon.relay.hub.keptCount == 0)
        Self.say(daemon, "two")
        #expect(visitor.statuses == ["one", "two"])
        let page = daemon.open("/run:status?resume=\(position)")
        #expect(page.gaps == ["resume"] && page.numbered.isEmpty)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func twoPagesWithOnePositionBothHearAll(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode)
        let position = try Self.away(daemon)
        Self.say(daemon, "one")
        let pages = (0..<2).map { _ in daemon.open("/run:status?resume=\(position)") }
        Self.say(daemon, "two")
        for page in pages { #expect(page.numbered == ["1 one", "2 two"]) }
        // One says good-bye, the other loses its connection.
        Self.vanish(pages[1], of: daemon)
        pages[0].sendClose(1000)
        daemon.settle()
        Self.say(daemon, "three")
        #expect(daemon.open("/run:status?resume=\(position)").numbered.last == "3 three")
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aHalfDeadConnectionChangesNothing(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode)
        let old = daemon.open("/run:status?resume=1")
        let position = try #require(old.position)
        Self.say(daemon, "one")
        let new = daemon.open("/run:status?resume=\(position)")
        Self.say(daemon, "two")
        #expect(new.numbered == ["1 one", "2 two"])
        // The old one is noticed at last; then the new one goes, and comes back.
        Self.vanish(old, of: daemon)
        Self.say(daemon, "three")
        Self.vanish(new, of: daemon)
        Self.say(daemon, "four")
        let again = daemon.open("/run:status?resume=\(position)")
        #expect(again.numbered == ["1 one", "2 two", "3 three", "4 four"])
    }

    // MARK: - Redis

    @Test(arguments: RedisSubscriptions.allCases)
    func aReturnInAnOutageLosesNothingThatWasHeld(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode) { $0.redisMaxRetries = 0 }
        let position = try Self.away(daemon)
        Self.say(daemon, "before")
        daemon.redis.holds = "SUBSCRIBE"
        daemon.redis.kill()
        daemon.advance(.seconds(3))
        // It comes back, gets its 101 but no ping, and loses the connection once more.
        let first = daemon.open("/run:status?resume=\(position)")
        daemon.advance(.seconds(2))
        #expect(first.status == 101 && !first.messages.contains { $0.contains("ping") })
        Self.vanish(first, of: daemon)
        let second = daemon.open("/run:status?resume=\(position)")
        daemon.advance(.seconds(2))
        daemon.redis.holds = nil
        for _ in 0..<100 where second.position == nil { daemon.advance(.seconds(1)) }
        Self.say(daemon, "after")
        #expect(second.numbered == ["1 before", "2 after"])
        // It is told once.
        #expect(second.gaps == ["redis_outage"])
    }

    /// While Redis is asked to end a subscription nobody takes up what it still sends.
    @Test func aReturnWhileTheEndIsUnderWayIsNotTakenForComplete() throws {
        let daemon = Self.daemon(.shared)
        let position = try Self.away(daemon)
        Self.say(daemon, "held")
        daemon.redis.holds = "UNSUBSCRIBE"
        daemon.advance(.seconds(31) + .milliseconds(500))
        let page = daemon.open("/run:status?resume=\(position)")
        Self.say(daemon, "missed")
        daemon.redis.holds = nil
        daemon.advance(.seconds(20))
        #expect(page.gaps == ["resume"])
        Self.say(daemon, "live")
        #expect(page.numbered == ["1 live"])
    }

    // MARK: - Bounds

    @Test(arguments: RedisSubscriptions.allCases)
    func aPageGetsAllThatIsHeldHoweverLongItsFramesAre(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode)
        let position = try Self.away(daemon)
        // Six bytes for each in JSON.
        let payload = [UInt8](repeating: 1, count: 1000)
        for _ in 0..<250 { daemon.redis.publish("run:status", payload) }
        daemon.settle()
        let page = daemon.open("/run:status?resume=\(position)")
        Self.say(daemon, "live")
        for _ in 0..<20 {
            daemon.advance(.milliseconds(10))
            page.read()
        }
        let numbered = page.numbered
        #expect(numbered.count == 251 && page.gaps.isEmpty && numbered.last == "251 live")
        #expect(daemon.metrics.slowClients == 0)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func whenMemoryRunsShortTheOldestStreamGoesAndNoPage(mode: RedisSubscriptions) throws {
        let daemon = Self.daemon(mode) { $0.memoryBudget = 40_000 }
        let text = String(repeating: "x", count: 5000)
        var positions: [String] = []
        for name in ["a", "b"] {
            positions.append(try Self.away(daemon, "/run:\(name)"))
            for _ in 0..<3 { Self.say(daemon, text, name) }
            daemon.advance(.milliseconds(100))
        }
        let present = daemon.open("/run:c?resume=1")
        for _ in 0..<3 { Self.say(daemon, text, "c") }
        #expect(daemon.relay.hub.keptCount == 1 && present.numbered.count == 3)
        #expect(daemon.open("/run:a?resume=\(positions[0])").gaps == ["resume"])
        let back = daemon.open("/run:b?resume=\(positions[1])")
        #expect(back.numbered.count == 3 && back.gaps.isEmpty)
        #expect(daemon.metrics.slowClients == 0)
    }

    @Test func whenMemoryRunsShortThePresentKeepTheirNewerMessages() throws {
        let daemon = Self.daemon(.dedicated) { $0.memoryBudget = 40_000 }
        let pages = (0..<2).map { daemon.open("/run:\($0)?resume=1") }
        let text = String(repeating: "x", count: 2000)
        for number in 1...12 {
            for name in 0..<2 { Self.say(daemon, text, "\(name)") }
            for page in pages { #expect(page.numbered.count == number) }
        }
        #expect(daemon.metrics.slowClients == 0)
        let held = daemon.relay.hub.resumeBytes
        #expect(held > 20_000 && held <= 40_000)
        let last = try #require(pages[0].position)
        Self.vanish(pages[0], of: daemon)
        Self.say(daemon, "missed", "0")
        #expect(daemon.open("/run:0?resume=\(last)").numbered == ["13 missed"])
    }

    /// With dedicated links what is kept takes descriptors, which new pages must find free.
    @Test func whatIsKeptLeavesRoomForPages() throws {
        let daemon = Self.daemon(.dedicated, mostConnections: 10)
        var positions: [String] = []
        for number in 0..<12 { positions.append(try Self.away(daemon, "/run:\(number)")) }
        #expect(daemon.relay.hub.keptCount <= 10)
        let pages = (0..<8).map { daemon.open("/run:new\($0)") }
        #expect(pages.allSatisfy { $0.status == 101 })
        #expect(daemon.relay.hub.keptCount <= 3)
        #expect(daemon.open("/run:11?resume=\(positions[11])").gaps.isEmpty)
        #expect(daemon.open("/run:0?resume=\(positions[0])").gaps == ["resume"])
    }

    @Test func withSharedLinksThereIsRoomForTenThousand() {
        var hub = Hub(.shared, seed: 1)
        let page = SlotID(index: 0, generation: 1)
        let start = Instant(nanoseconds: 0)
        var ids: [SlotID] = []
        for number in 0..<(Hub.keptLimit + 2) {
            let membership = hub.subscribe(page, to: Array("run\(number):status".utf8))
            let id = membership.subscription
            hub.beginStream(of: id, StreamEpoch(loop: 0, beganAt: 1, secret: UInt64(number)))
            hub.join(id, isBack: false)
            _ = hub.leave(id, at: membership.place)
            hub.leave(id, mayComeBackUntil: start + .seconds(30), now: start)
            ids.append(id)
        }
        for expected in [ids[0], ids[1], nil] {
            let next = hub.nextToEnd(now: start)
            #expect(next == expected)
        }
    }

    // MARK: - Access

    @Test func theRulesOfAccessHoldAtAReturn() throws {
        let daemon = Self.daemon(.shared) {
            $0.allowedOrigins = ["app.example.org"]
        }
        let position = try Self.away(daemon)
        Self.say(daemon, "one")
        let path = "/run:status?resume=\(position)"
        let foreign = daemon.open(path, headers: ["Origin: https://evil.example"])
        #expect(foreign.status == 403 && foreign.numbered.isEmpty)
        #expect(daemon.get(path).status == 426)
        #expect(daemon.get(path, method: "HEAD").status == 426)
        #expect(daemon.get(path, method: "POST").status == 405)
        // None of them has taken anything from the page.
        let own = daemon.open(path, headers: ["Origin: https://app.example.org"])
        #expect(own.numbered == ["1 one"])
    }

    // MARK: - On the way down

    @Test func whileTheDaemonStillServesAPageComesBackToIt() throws {
        let daemon = Self.daemon(.dedicated) { $0.drainDelay = .seconds(20) }
        let page = daemon.open("/run:status?resume=1")
        let position = try #require(page.position)
        daemon.world.signals = [HostProcess.shutdownSignals[0]]
        daemon.advance(.seconds(1))
        Self.vanish(page, of: daemon)
        Self.say(daemon, "one")
        let back = daemon.open("/run:status?resume=\(position)")
        #expect(back.numbered == ["1 one"])
        daemon.advance(.seconds(30))
        back.read()
        #expect(back.closeCode == 1012)
    }

    @Test func aPageThatIsSentAwayTakesNoLinkFromAnother() throws {
        let daemon = Self.daemon(.dedicated) { $0.drainWindow = .seconds(20) }
        let first = daemon.open("/run:status?resume=1")
        let position = try #require(first.position)
        let second = daemon.open("/run:status?resume=\(position)")
        daemon.world.signals = [HostProcess.shutdownSignals[0]]
        for _ in 0..<200 where first.closeCode == nil && second.closeCode == nil {
            daemon.advance(.milliseconds(100))
            first.read()
            second.read()
        }
        let left = first.closeCode == nil ? first : second
        #expect((first.closeCode == nil) != (second.closeCode == nil))
        Self.say(daemon, "for who is left")
        #expect(left.numbered == ["1 for who is left"])
    }
}

/// Pages that come back to a daemon with several event loops.
@Suite struct ComingBackToLoopsTests {
    private static let trusting: @Sendable (inout Settings) -> Void = {
        $0.trustedProxies = (try? TrustedProxies(parsing: "10.0.0.0/8")) ?? TrustedProxies()
        $0.maxConnectionsPerAddress = 1
    }

    private static func vanish(_ page: SimulatedPage, of daemon: SimulatedLoops) {
        page.connection.isReset = true
        daemon.settle()
    }

    @Test func theCapOfItsAddressGoesWithItToTheLoopOfItsStream() throws {
        let daemon = SimulatedLoops(3, Self.trusting)
        // A network of its own that is trusted: its word about itself is heard once.
        let browser = ["X-Forwarded-For: 10.9.9.9"]
        var page = daemon.open("/run:status?resume=1", headers: browser)
        let position = try #require(page.position)
        for number in 1...4 {
            Self.vanish(page, of: daemon)
            daemon.redis.publish("run:status", "\(number)")
            page = daemon.open("/run:status?resume=\(position)", headers: browser)
            #expect(page.numbered.last == "\(number) \(number)")
            let second = daemon.open("/run:status?resume=\(position)", headers: browser)
            #expect(second.status == 429)
        }
        #expect(daemon.share.webSockets == 1)
        // The line of its end names it and the proxy, and not the proxy twice.
        let lines = daemon.log.lines("client disconnected")
        #expect(lines.count == 4)
        #expect(lines.allSatisfy { $0.contains(#""peer":"10.9.9.9""#) })
        #expect(lines.allSatisfy { $0.contains(#""via":"10.0.0.1:"#) })
    }

    /// The loops of a former process may have been fewer.
    @Test func positionsOfAFormerProcessLeadToNoLoop() {
        let daemon = SimulatedLoops(3)
        let former = "00" + "000000000001" + "0123456789abcdef"
        let pages = (0..<9).map { daemon.open("/run:\($0)?resume=\(former)-5") }
        #expect(pages.allSatisfy { $0.gaps == ["resume"] })
        #expect(daemon.share.loops.map(\.webSocketCount) == [3, 3, 3])
    }
}

extension SimulatedPage {
    private static func text(_ key: String, in message: String) -> String? {
        Wire.text(key, in: ArraySlice(message.utf8))
    }

    /// The position of the last frame that had one.
    var position: String? { messages.reversed().lazy.compactMap { Self.text("id", in: $0) }.first }

    /// Number and payload of each message that had a position.
    var numbered: [String] {
        messages.compactMap { message in
            guard let id = Self.text("id", in: message), let data = Self.text("data", in: message),
                let number = id.split(separator: "-").last
            else { return nil }
            return "\(number) \(data)"
        }
    }

    /// The reasons of the gap notices.
    var gaps: [String] {
        messages.compactMap { message in
            Self.text("type", in: message) == "gap" ? Self.text("reason", in: message) : nil
        }
    }
}
