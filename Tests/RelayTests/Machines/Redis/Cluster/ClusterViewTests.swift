import RESP
import Testing

@testable import Relay

/// What a loop makes of answers and redirections, and how long subscriptions wait.
@Suite struct ClusterViewTests {
    private static let first = RedisEndpoint(host: "10.0.0.1", port: 7000)
    private static let second = RedisEndpoint(host: "10.0.0.2", port: 7001)
    private static let channel = Array("run:status".utf8)

    private static func topology(_ node: RedisEndpoint) -> ClusterTopology {
        var topology = ClusterTopology()
        for number in 0..<HashSlot.count {
            guard let slot = HashSlot(number) else { continue }
            topology.move(slot, to: node)
        }
        return topology
    }

    private static func view() -> ClusterView {
        ClusterView(concurrency: 64, loops: 1, seed: 1)
    }

    private static func at(_ milliseconds: Int64) -> Instant {
        Instant(nanoseconds: milliseconds * 1_000_000)
    }

    private static func boot(_ milliseconds: Int64) -> BootTime {
        BootTime(nanoseconds: milliseconds * 1_000_000)
    }

    private static func moved(to node: RedisEndpoint) throws -> ClusterRedirection {
        try #require(ClusterRedirection("MOVED 10620 \(node.host):\(node.port)"))
    }

    @Test func onlyWhatDiffersIsNews() {
        var view = Self.view()
        #expect(!view.isKnown && view.master(of: Self.channel) == nil)
        var news: [Bool] = []
        for (node, asked) in [(Self.first, 0), (Self.first, 10), (Self.second, 20)] {
            news.append(
                view.learn(
                    Self.topology(node), askedAt: Self.boot(Int64(asked)),
                    now: Self.at(Int64(asked))
                ).isNew)
        }
        #expect(news == [true, false, true])
        #expect(view.master(of: Self.channel) == Self.second)
    }

    @Test func answersAreSureWhenTheyHaveAgreedForAWhileAndThatIsToldOnce() {
        var view = Self.view()
        let answers: [(RedisEndpoint, Int64)] = [
            (Self.first, 0), (Self.first, 999), (Self.second, 1_000), (Self.first, 1_100),
            (Self.first, 2_099), (Self.first, 2_100), (Self.first, 9_000), (Self.second, 9_100),
            (Self.second, 10_200),
        ]
        let settled = answers.map { node, asked in
            view.learn(Self.topology(node), askedAt: Self.boot(asked), now: Self.at(asked))
                .isSettled
        }
        #expect(settled == [false, false, false, false, false, true, false, false, true])
    }

    @Test func behindARedirectionAnswersHaveToAgreeAnew() throws {
        var view = Self.view()
        for asked in [Int64(0), 2_000] {
            _ = view.learn(
                Self.topology(Self.first), askedAt: Self.boot(asked), now: Self.at(asked))
        }
        let isFollowed = view.note(
            try Self.moved(to: Self.second), from: Self.first, now: Self.at(3_000))
        #expect(isFollowed)
        // A node that knows of this slot alone: what it says is what is known by now.
        var told = Self.topology(Self.first)
        told.move(try Self.moved(to: Self.second).slot, to: Self.second)
        let settled = [Int64(3_050), 3_900, 4_050].map { asked in
            view.learn(told, askedAt: Self.boot(asked), now: Self.at(asked)).isSettled
        }
        #expect(settled == [false, false, true])
    }

    @Test func lossesBeginAtTheQuestionBeforeTheLast() {
        var view = Self.view()
        for asked in [0, 1_000, 2_000, 3_500] as [Int64] {
            _ = view.learn(
                Self.topology(Self.first), askedAt: Self.boot(asked), now: Self.at(asked))
        }
        #expect(view.confirmedAt == Self.boot(2_000))
        // Whoever is left behind has been so since then, until that is sure.
        for asked in [4_000, 4_500, 5_000] as [Int64] {
            _ = view.learn(
                Self.topology(Self.second), askedAt: Self.boot(asked), now: Self.at(asked))
        }
        #expect(view.confirmedAt == Self.boot(2_000))
        for asked in [6_000, 7_000] as [Int64] {
            _ = view.learn(
                Self.topology(Self.second), askedAt: Self.boot(asked), now: Self.at(asked))
        }
        #expect(view.confirmedAt == Self.boot(6_000))
    }

    @Test func aRedirectionIsFollowedAtOnceAndForThatSlotAlone() throws {
        var view = Self.view()
        _ = view.learn(Self.topology(Self.first), askedAt: Self.boot(0), now: Self.at(0))
        let moved = try Self.moved(to: Self.second)
        let isFollowed = view.note(moved, from: Self.first, now: Self.at(0))
        #expect(isFollowed && view.master(of: Self.channel) == Self.second)
        #expect(view.master(of: Array("foo".utf8)) == Self.first)
        // All others of the slot that were asked for as well go there, too.
        let isFollowedAgain = view.note(moved, from: Self.first, now: Self.at(1))
        #expect(isFollowedAgain)
    }

    @Test func aRedirectionCountsForMoreThanAnAnswerThatLagsBehind() throws {
        var view = Self.view()
        _ = view.learn(Self.topology(Self.first), askedAt: Self.boot(0), now: Self.at(0))
        _ = view.note(try Self.moved(to: Self.second), from: Self.first, now: Self.at(5_000))
        _ = view.learn(Self.topology(Self.first), askedAt: Self.boot(5_100), now: Self.at(5_100))
        #expect(view.master(of: Self.channel) == Self.second)
        _ = view.learn(Self.topology(Self.first), askedAt: Self.boot(6_100), now: Self.at(6_100))
        #expect(view.master(of: Self.channel) == Self.first)
    }

    @Test func twoNodesThatNameEachOtherAreNotFollowedWithoutEnd() throws {
        var view = Self.view()
        _ = view.learn(Self.topology(Self.first), askedAt: Self.boot(0), now: Self.at(0))
        var asked = Self.first
        var followed = 0
        for time in 0..<1_000 as Range<Int64> {
            // Whoever is asked names the other.
            let other = asked == Self.first ? Self.second : Self.first
            guard view.note(try Self.moved(to: other), from: asked, now: Self.at(time)) else {
                continue
            }
            followed += 1
            asked = other
        }
        #expect(followed == 10)
    }

    @Test func aRedirectionToWhereItComesFromIsNotFollowed() throws {
        var view = Self.view()
        _ = view.learn(Self.topology(Self.second), askedAt: Self.boot(0), now: Self.at(0))
        let back = view.note(try Self.moved(to: Self.first), from: Self.first, now: Self.at(0))
        #expect(!back)
        let unnamed = try #require(ClusterRedirection("MOVED 10620 ?:7000"))
        let isFollowed = view.note(unnamed, from: Self.first, now: Self.at(0))
        #expect(!isFollowed)
    }

    @Test func allNodesAreAskedOneAfterTheOtherAndAnotherFirstEachTime() {
        var view = Self.view()
        let seeds = ClusterSeeds(nodes: [Self.first, Self.second])
        let one = view.nodesToAsk(seeds)
        let other = view.nodesToAsk(seeds)
        #expect(one == other.reversed() && Set(one) == [Self.first, Self.second])
        let third = RedisEndpoint(host: "10.0.0.3", port: 7002)
        _ = view.learn(Self.topology(third), askedAt: Self.boot(0), now: Self.at(0))
        let all = view.nodesToAsk(seeds)
        #expect(all == [third, Self.first, Self.second])
    }

    private static func id(_ number: UInt32) -> SlotID { SlotID(index: number, generation: 1) }

    @Test func whatWaitsIsTakenOnce() {
        var view = Self.view()
        view.hold(Self.id(0))
        view.hold(Self.id(1))
        view.hold(Self.id(0))
        let taken = (view.takeWaiting(now: Self.at(0)), view.takeWaiting(now: Self.at(0)))
        #expect(taken == ([Self.id(0), Self.id(1)], []))
    }

    @Test func whatIsRefusedWaitsForItsBackOffAndIsCounted() {
        var view = Self.view()
        for attempt in 1...3 {
            let now = Self.at(Int64(attempt) * 100_000)
            let count = view.postpone(
                Self.id(0), base: .seconds(1), maximum: .seconds(30), now: now)
            #expect(count == attempt)
            let early = view.takeWaiting(now: now + .milliseconds(999))
            let late = view.takeWaiting(now: now + .seconds(30))
            #expect(early == [] && late == [Self.id(0)])
        }
        view.forget(Self.id(0))
        let count = view.postpone(
            Self.id(0), base: .seconds(1), maximum: .seconds(30), now: Self.at(0))
        #expect(count == 1)
    }
}

/// Dials to one node, bounded so that the others have their places.
@Suite struct NodeDialsTests {
    private static let node = RedisEndpoint(host: "a", port: 1)
    private static let other = RedisEndpoint(host: "b", port: 1)

    private static func id(_ number: UInt32) -> SlotID { SlotID(index: number, generation: 1) }

    @Test func aNodeHasAQuarterOfTheLoopsPlaces() {
        #expect(NodeDials(concurrency: 64, loops: 1).limit == 16)
        #expect(NodeDials(concurrency: 64, loops: 4).limit == 4)
        #expect(NodeDials(concurrency: 1, loops: 8).limit == 1)
    }

    @Test func whoeverIsHeldHasItsTurnWhenADialIsDecided() {
        var dials = NodeDials(concurrency: 8, loops: 1)
        for number in 0..<2 as Range<UInt32> {
            let isAdmitted = dials.admits(Self.id(number), to: Self.node)
            #expect(isAdmitted)
            dials.began(at: Self.node)
        }
        let admitted = (
            dials.admits(Self.id(2), to: Self.node), dials.admits(Self.id(3), to: Self.node),
            dials.admits(Self.id(4), to: Self.other)
        )
        #expect(admitted == (false, false, true))
        let released = (dials.releasable(), dials.ended(at: Self.node))
        #expect(released == ([], [Self.id(2)]))
        let isAdmitted = dials.admits(Self.id(2), to: Self.node)
        #expect(isAdmitted)
    }

    @Test func nobodyIsHeldForGoodByOneThatHasGone() {
        var dials = NodeDials(concurrency: 4, loops: 1)
        dials.began(at: Self.node)
        _ = (dials.admits(Self.id(1), to: Self.node), dials.admits(Self.id(2), to: Self.node))
        // The first is told, and has been closed: it dials no more.
        let told = dials.ended(at: Self.node)
        let released = (dials.releasable(), dials.releasable())
        #expect(told == [Self.id(1)] && released == ([Self.id(2)], []))
    }
}

/// Which node is asked for the topology, and when.
@Suite struct ClusterInquiryTests {
    private static let nodes = (1...3).map { RedisEndpoint(host: "n\($0)", port: 7000) }

    @Test func eachNodeIsAskedOnceInAnAttempt() {
        let inquiry = ClusterInquiry(seed: 1)
        inquiry.begin(at: Self.nodes)
        #expect(inquiry.node == Self.nodes[0])
        let steps = [LinkFailure.refused, .noCluster, .dialTimeout].map {
            (goesOn: inquiry.advance(after: $0), node: inquiry.node)
        }
        #expect(steps.map(\.goesOn) == [true, true, false])
        #expect(steps.prefix(2).map(\.node) == Array(Self.nodes.dropFirst()))
        // What ends a start says most.
        #expect(inquiry.outcome == .noCluster)
        inquiry.begin(at: Self.nodes)
        _ = inquiry.advance(after: .refused)
        #expect(inquiry.outcome == .nodes(.refused))
    }

    @Test func whenOneHasAnsweredAllAreAskedAgain() {
        let inquiry = ClusterInquiry(seed: 1)
        inquiry.begin(at: Self.nodes)
        _ = inquiry.advance(after: .refused)
        inquiry.answered()
        let goesOn = (0..<3).map { _ in inquiry.advance(after: .reset) }
        #expect(goesOn == [true, true, false])
    }

    @Test func noNodeIsAskedTwiceWithinTheSpacingHoweverOftenItIsWanted() {
        let inquiry = ClusterInquiry(seed: 7)
        inquiry.begin(at: Self.nodes)
        var asked: [Instant] = []
        for time in 0..<1_000 as Range<Int64> {
            let now = Instant(nanoseconds: time * 1_000_000)
            inquiry.want(at: now)
            guard now >= inquiry.nextQuestion else { continue }
            var output = RESPEncoder()
            inquiry.ask(now: now, output: &output)
            asked.append(now)
        }
        #expect(asked.first == Instant(nanoseconds: 0))
        for (one, next) in zip(asked, asked.dropFirst()) {
            #expect(next - one >= ClusterInquiry.spacing)
            #expect(next - one <= ClusterInquiry.spacing * 2 + .milliseconds(1))
        }
        #expect(asked.count >= 5)
    }
}
