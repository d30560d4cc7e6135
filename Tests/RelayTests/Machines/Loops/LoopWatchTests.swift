@testable import Relay
import Testing

/// Which loop a connection goes to, and how loops know of each other's standstills.
@Suite struct LoopWatchTests {
    private static func at(_ seconds: Int64) -> Instant {
        Instant(nanoseconds: 1) + .seconds(seconds)
    }

    @Test func aLoopThatDoesNotTurnIsPassedOverAndThenStalled() {
        var watch = LoopWatch(own: 0, loops: 2)
        #expect(watch.look(at: [1, 1], now: Self.at(0)).isEmpty)
        #expect(watch.look(at: [2, 1], now: Self.at(1)).isEmpty)
        #expect(watch.absent == [false, false])
        #expect(watch.look(at: [3, 1], now: Self.at(2)).isEmpty)
        #expect(watch.absent == [false, true])
        #expect(!watch.hasFoundStall)
        #expect(watch.look(at: [6, 1], now: Self.at(5)) == [.stalled(loop: 1)])
        #expect(watch.hasFoundStall)
        #expect(watch.look(at: [7, 1], now: Self.at(6)).isEmpty)
        let found = watch.look(at: [8, 2], now: Self.at(7))
        #expect(found == [.turns(loop: 1, after: .seconds(7))])
        #expect(!watch.hasFoundStall)
        #expect(watch.absent == [false, false])
    }

    @Test func aLoopThatHasEndedIsNotStalledAndGetsNothing() {
        var watch = LoopWatch(own: 0, loops: 2)
        _ = watch.look(at: [1, 1], now: Self.at(0))
        for second in 1...9 {
            #expect(watch.look(at: [1, nil], now: Self.at(Int64(second))).isEmpty)
        }
        #expect(watch.absent == [false, true])
    }

    @Test func theFirstLoopThatTurnsTells() {
        var second = LoopWatch(own: 1, loops: 3)
        var third = LoopWatch(own: 2, loops: 3)
        for now in [0, 6].map(Self.at) {
            let turns: [UInt64?] = [1, UInt64(now.nanoseconds), UInt64(now.nanoseconds)]
            _ = second.look(at: turns, now: now)
            _ = third.look(at: turns, now: now)
        }
        #expect(second.tells(of: 0))
        #expect(!third.tells(of: 0))
        // The one that turns again does not tell of itself.
        _ = second.look(at: [2, 9, 9], now: Self.at(7))
        #expect(second.tells(of: 0))
    }

    @Test func theLoopWithTheFewestConnectionsGetsTheNext() {
        var choice = LoopChoice()
        #expect(choice.fewest([3, 1, 2], absent: []) == 1)
        #expect(choice.fewest([0, 1, 2], absent: [true, false, false]) == 1)
        #expect(choice.fewest([5], absent: []) == 0)
    }

    @Test func ofEqualLoopsEachGetsOneInTurn() {
        var choice = LoopChoice()
        let chosen = (0..<6).map { _ in choice.fewest([4, 4, 4], absent: [false, false, false]) }
        #expect(chosen == [1, 2, 0, 1, 2, 0])
    }

    @Test func whereNoLoopTurnsOneIsChosenAllTheSame() {
        var choice = LoopChoice()
        #expect(choice.fewest([1, 1], absent: [true, true]) == 0)
    }
}
