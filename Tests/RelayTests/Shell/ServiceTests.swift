@testable import Relay
@testable import Simulation
import Synchronization
import Testing

/// What the service manager is told (sd_notify(3)), and when.
@Suite struct ServiceTests {
    /// A service manager that notes what it is told, or takes nothing.
    private final class Manager: Sendable {
        private let state = Mutex<(notices: [ServiceNotice], takes: Bool)>(([], true))

        /// What was told since this was last asked.
        func told() -> [ServiceNotice] {
            state.withLock { state in
                defer { state.notices = [] }
                return state.notices
            }
        }

        func take(_ takes: Bool) { state.withLock { $0.takes = takes } }

        func options(watchdog: Nanoseconds? = nil) -> ServiceOptions {
            ServiceOptions(
                tell: { notice in
                    self.state.withLock { state in
                        if state.takes { state.notices.append(notice) }
                        return state.takes
                    }
                }, watchdogInterval: watchdog)
        }
    }

    private let manager = Manager()

    private func isReady(_ notice: ServiceNotice) -> Bool {
        if case .ready = notice { true } else { false }
    }

    @Test func itIsReadyWhenRedisHasAnsweredAndNotBefore() {
        let daemon = SimulatedDaemon(dialPolicy: .refuse, service: manager.options())
        daemon.advance(.seconds(1))
        let before = manager.told()
        #expect(!before.contains(where: isReady))
        #expect(before.contains(.status("Waiting for Redis at \(daemon.relay.settings.redis)")))
        daemon.world.dialPolicy = .accept
        daemon.advance(.seconds(10))
        #expect(manager.told().filter(isReady) == [.ready("Serving 0 pages, Redis answers")])
        #expect(daemon.phase == .serving)
    }

    @Test func anOutageIsNoEndOfServiceButIsSaid() {
        let daemon = SimulatedDaemon(service: manager.options())
        _ = manager.told()
        daemon.world.dialPolicy = .refuse
        daemon.redis.kill()
        daemon.advance(.seconds(2))
        #expect(manager.told() == [.status("Serving 0 pages, Redis does not answer")])
    }

    @Test func theNumberOfPagesIsSaidOnceASecondAtMost() {
        let daemon = SimulatedDaemon(service: manager.options())
        _ = manager.told()
        let pages = (0..<3).map { daemon.open("/run:\($0)") }
        #expect(manager.told() == [])
        daemon.advance(.seconds(3))
        #expect(manager.told() == [.status("Serving 3 pages, Redis answers")])
        #expect(pages.count == 3)
    }

    @Test func aSignOfLifeComesTwiceInTheWatchdogsTime() {
        let daemon = SimulatedDaemon(service: manager.options(watchdog: .seconds(1)))
        _ = manager.told()
        daemon.advance(.seconds(10))
        #expect((20...21).contains(manager.told().filter { $0 == .watchdog }.count))
    }

    @Test func aLongTimeOfTheWatchdogIsNoReasonToBeSilent() {
        let daemon = SimulatedDaemon(service: manager.options(watchdog: .seconds(60)))
        _ = manager.told()
        daemon.advance(.seconds(10))
        #expect(manager.told().contains(.watchdog))
    }

    @Test func withoutAWatchdogThereAreNoSignsOfLife() {
        let daemon = SimulatedDaemon(service: manager.options())
        daemon.advance(.seconds(10))
        #expect(!manager.told().contains(.watchdog))
    }

    @Test func oneLoopThatStandsStillEndsTheSignsOfLife() {
        let daemon = SimulatedLoops(3, service: manager.options(watchdog: .seconds(2)))
        daemon.advance(.seconds(3))
        #expect(manager.told().contains(.watchdog))
        daemon.standing = [2]
        daemon.advance(LoopWatch.limit + .seconds(1))
        _ = manager.told()
        daemon.advance(.seconds(10))
        #expect(!manager.told().contains(.watchdog))
        daemon.standing = []
        daemon.advance(.seconds(2))
        #expect(manager.told().contains(.watchdog))
    }

    @Test func theFirstLoopTellsForAll() {
        let daemon = SimulatedLoops(3, service: manager.options(watchdog: .seconds(2)))
        let pages = (0..<6).map { daemon.open("/run:\($0)") }
        _ = manager.told()
        daemon.advance(.seconds(10))
        let told = manager.told()
        #expect((10...11).contains(told.filter { $0 == .watchdog }.count))
        #expect(told.filter { $0 != .watchdog } == [.status("Serving 6 pages, Redis answers")])
        #expect(pages.count == 6)
    }

    @Test func theWayDownSaysHowLongItMayTake() {
        let daemon = SimulatedDaemon(
            {
                $0.drainDelay = .seconds(5)
                $0.drainWindow = .seconds(20)
                $0.shutdownTimeout = .seconds(15)
            }, service: manager.options())
        let page = daemon.open("/run:a")
        _ = manager.told()
        daemon.world.signals = [15]
        daemon.settle()
        #expect(
            manager.told() == [.stopping("Going down, 1 page left", atMost: .seconds(45))])
        #expect(page.closeCode == nil)
    }

    @Test func whatTheManagerDoesNotTakeIsToldAgain() {
        manager.take(false)
        let daemon = SimulatedDaemon(service: manager.options())
        #expect(daemon.phase == .serving)
        daemon.advance(.seconds(2))
        #expect(manager.told() == [])
        manager.take(true)
        daemon.advance(.seconds(1))
        #expect(manager.told().filter(isReady).count == 1)
    }
}
