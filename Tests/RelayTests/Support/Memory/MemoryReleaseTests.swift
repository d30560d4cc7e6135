@testable import Relay
@testable import Simulation
import Testing

/// Memory of a burst goes back to the system, once, and some time after the burst.
@Suite struct MemoryReleaseTests {
    private static let start = Instant(nanoseconds: 0)
    private static let much = MemoryRelease.limit

    @Test func whatABurstHasLeftIsReleasedAfterTheTimeOfPatience() {
        var release = MemoryRelease()
        _ = release.isDue(unused: 1_000, at: Self.start)
        for second in 1...5 {
            let now = Self.start + .seconds(Int64(second))
            let isDue = release.isDue(unused: 1_000 + Self.much, at: now)
            #expect(!isDue)
        }
        let isDue = release.isDue(unused: 1_000 + Self.much, at: Self.start + .seconds(6))
        #expect(isDue)
    }

    @Test func littleIsKept() {
        var release = MemoryRelease()
        _ = release.isDue(unused: 1_000, at: Self.start)
        for second in 1...100 {
            let now = Self.start + .seconds(Int64(second))
            let isDue = release.isDue(unused: 999 + Self.much, at: now)
            #expect(!isDue)
        }
    }

    @Test func aBurstThatTakesItsMemoryAgainIsWaitedFor() {
        var release = MemoryRelease()
        for second in 0...100 {
            let unused = second % 4 == 0 ? 0 : 10 * Self.much
            let now = Self.start + .seconds(Int64(second))
            let isDue = release.isDue(unused: unused, at: now)
            #expect(!isDue)
        }
    }

    @Test func whatStaysUnusedAfterAReleaseIsNoReasonForAnother() {
        var release = MemoryRelease()
        _ = release.isDue(unused: 0, at: Self.start)
        _ = release.isDue(unused: 9 * Self.much, at: Self.start + .seconds(1))
        let isDue = release.isDue(unused: 9 * Self.much, at: Self.start + .seconds(6))
        #expect(isDue)
        release.isDone(unused: 8 * Self.much)
        for second in 7...100 {
            let now = Self.start + .seconds(Int64(second))
            let isDue = release.isDue(unused: 8 * Self.much + second, at: now)
            #expect(!isDue)
        }
    }

    @Test func aDaemonThatFreesMuchReleasesItOnce() {
        let daemon = SimulatedDaemon()
        daemon.advance(.seconds(2))
        daemon.world.unusedMemory = 10 * Self.much
        daemon.advance(.seconds(3))
        #expect(daemon.world.memoryReleases == 0)
        daemon.advance(.seconds(20))
        #expect(daemon.world.memoryReleases == 1)
    }
}
