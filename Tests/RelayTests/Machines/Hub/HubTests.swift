import Testing

@testable import Relay

/// What Redis is told of shared subscriptions, whatever pages do meanwhile.
@Suite struct HubTests {
    private static let channel = Array("run:status".utf8)

    private static func page(_ number: UInt32) -> SlotID {
        SlotID(index: number, generation: 1)
    }

    @Test func aChannelIsAskedForOnceHoweverManyPagesHearIt() {
        let hub = Registry(.shared, seed: 1)
        let first = hub.subscribe(Self.page(0), to: Self.channel)
        #expect(!first.isLive)
        #expect(hub.enqueue(first.subscription))
        let second = hub.subscribe(Self.page(1), to: Self.channel)
        #expect(second.subscription == first.subscription)
        #expect(!hub.enqueue(first.subscription))
        #expect(hub.next(first.subscription) == .subscribe(channel: Self.channel))
        #expect(!hub.enqueue(first.subscription))
        #expect(hub.answered(first.subscription))
        #expect(hub.subscribe(Self.page(2), to: Self.channel).isLive)
        #expect(hub[first.subscription].pages.count == 3)
        #expect(hub.count == 1)
    }

    @Test func withDedicatedLinksEachPageHasASubscriptionOfItsOwn() {
        let hub = Registry(.dedicated, seed: 0)
        let first = hub.subscribe(Self.page(0), to: Self.channel)
        let second = hub.subscribe(Self.page(1), to: Self.channel)
        #expect(first.subscription != second.subscription)
        #expect(hub.find(Self.channel) == nil)
    }

    /// Brings a subscription of one page up to its acknowledgement.
    private static func live(_ hub: Registry) -> Hub.Membership {
        let membership = hub.subscribe(page(0), to: channel)
        _ = hub.enqueue(membership.subscription)
        _ = hub.next(membership.subscription)
        _ = hub.answered(membership.subscription)
        return membership
    }

    @Test func theLastPageEndsTheSubscription() {
        let hub = Registry(.shared, seed: 1)
        let membership = Self.live(hub)
        let id = membership.subscription
        #expect(!hub.enqueue(id))
        _ = hub.leave(id, at: membership.place)
        #expect(hub.enqueue(id))
        #expect(hub.next(id) == .unsubscribe(channel: Self.channel))
        hub.ended(id)
        #expect(!hub.contains(id))
        #expect(hub.find(Self.channel) == nil)
    }

    @Test func aPageThatComesBackBeforeTheCommandGoesOutIsLiveAtOnce() {
        let hub = Registry(.shared, seed: 1)
        let membership = Self.live(hub)
        let id = membership.subscription
        _ = hub.leave(id, at: membership.place)
        #expect(hub.enqueue(id))
        #expect(hub.subscribe(Self.page(1), to: Self.channel).isLive)
        #expect(hub.next(id) == .none)
        #expect(hub[id].state == .acknowledged)
    }

    @Test func aPageThatComesWhileTheEndIsUnderWayWaitsForItsOwnAcknowledgement() {
        let hub = Registry(.shared, seed: 1)
        let membership = Self.live(hub)
        let id = membership.subscription
        _ = hub.leave(id, at: membership.place)
        _ = hub.enqueue(id)
        #expect(hub.next(id) == .unsubscribe(channel: Self.channel))
        #expect(!hub.subscribe(Self.page(1), to: Self.channel).isLive)
        // Nothing goes out while a command is open.
        #expect(!hub.enqueue(id))
        hub.ended(id)
        #expect(hub.enqueue(id))
        #expect(hub.next(id) == .subscribe(channel: Self.channel))
        #expect(hub.answered(id))
    }

    @Test func pagesThatAllLeaveBeforeTheAcknowledgementLeaveNothingBehind() {
        let hub = Registry(.shared, seed: 1)
        let membership = hub.subscribe(Self.page(0), to: Self.channel)
        let id = membership.subscription
        _ = hub.enqueue(id)
        _ = hub.next(id)
        _ = hub.leave(id, at: membership.place)
        #expect(!hub.enqueue(id))
        #expect(hub.answered(id))
        #expect(hub.enqueue(id))
        #expect(hub.next(id) == .unsubscribe(channel: Self.channel))
    }

    @Test func aSubscriptionThatIsWantedNoMoreBeforeItIsAskedForIsGone() {
        let hub = Registry(.shared, seed: 1)
        let membership = hub.subscribe(Self.page(0), to: Self.channel)
        _ = hub.enqueue(membership.subscription)
        _ = hub.leave(membership.subscription, at: membership.place)
        #expect(hub.next(membership.subscription) == .none)
        #expect(hub.count == 0)
    }

    @Test func aLossIsAnOutageForWhoeverWasLive() {
        let hub = Registry(.shared, seed: 1)
        let id = Self.live(hub).subscription
        let other = hub.subscribe(Self.page(1), to: Array("run:other".utf8)).subscription
        #expect(hub.lost(id) == .outage)
        #expect(hub.lost(id) == .waiting)
        #expect(hub.lost(other) == .waiting)
        #expect(hub.enqueue(id))
        #expect(hub.next(id) == .subscribe(channel: Self.channel))
    }

    @Test func aLossEndsWhatNobodyWants() {
        let hub = Registry(.shared, seed: 1)
        let membership = Self.live(hub)
        _ = hub.leave(membership.subscription, at: membership.place)
        #expect(hub.lost(membership.subscription) == .gone)
        #expect(hub.count == 0)
    }

    @Test func whatRedisRefusesToEndIsKeptAndNotAskedForAgain() {
        let hub = Registry(.shared, seed: 1)
        let membership = Self.live(hub)
        let id = membership.subscription
        _ = hub.leave(id, at: membership.place)
        _ = hub.enqueue(id)
        _ = hub.next(id)
        hub.keeps(id)
        #expect(!hub.enqueue(id))
        #expect(hub.subscribe(Self.page(1), to: Self.channel).isLive)
    }

    @Test func whatWasKeptInOnePlaceAndEndedThereIsEndedInTheNextOneToo() {
        let hub = Registry(.shared, seed: 1)
        let membership = Self.live(hub)
        let id = membership.subscription
        hub.move(id)
        _ = hub.enqueue(id)
        _ = hub.next(id)
        hub.keeps(id)
        // Where it was refused once it is asked again, and this time it is ended.
        hub.move(id)
        _ = hub.enqueue(id)
        _ = hub.next(id)
        hub.ended(id)
        _ = hub.enqueue(id)
        _ = hub.next(id)
        #expect(hub.answered(id))
        _ = hub.leave(id, at: membership.place)
        #expect(hub.enqueue(id))
        #expect(hub.next(id) == .unsubscribe(channel: Self.channel))
    }

    @Test func anAnswerThatComesTooLateChangesNothing() {
        let hub = Registry(.shared, seed: 1)
        let id = Self.live(hub).subscription
        #expect(!hub.answered(id))
        hub.ended(id)
        #expect(hub[id].state == .acknowledged)
        #expect(!hub.answered(SlotID(index: 7, generation: 1)))
        hub.ended(SlotID(index: 7, generation: 1))
    }

    /// ``ClientShell/takeDepartures()`` gives them in this order.
    @Test func whereTheHighestPlacesLeaveFirstOnlyThoseMoveWhoStay() {
        let hub = Registry(.shared, seed: 1)
        let places = (0..<5).map { hub.subscribe(Self.page($0), to: Self.channel) }
        let id = places[0].subscription
        var present = [2: Self.page(2), 3: Self.page(3)]
        for place in [4, 1, 0] {
            guard let moved = hub.leave(id, at: place) else { continue }
            present = present.filter { $0.value != moved }
            present[place] = moved
        }
        #expect(hub[id].pages.count == 2)
        #expect(Set(present.values) == [Self.page(2), Self.page(3)])
        for (place, page) in present { #expect(hub[id].pages[place] == page) }
    }

    @Test func channelsAreFoundByNameWhileOthersComeAndGo() {
        let hub = Registry(.shared, seed: 7)
        var present: [String: SlotID] = [:]
        var generator = SystemlessGenerator(state: 3)
        for _ in 0..<20_000 {
            let name = "run\(generator.next() % 700):status"
            if let id = present.removeValue(forKey: name) {
                _ = hub.leave(id, at: 0)
                _ = hub.lost(id)
            } else {
                present[name] = hub.subscribe(Self.page(1), to: Array(name.utf8)).subscription
            }
        }
        #expect(hub.count == present.count)
        for number in 0..<700 {
            let name = "run\(number):status"
            #expect(hub.find(Array(name.utf8)) == present[name])
        }
    }

    /// Numbers that are the same in each run.
    private struct SystemlessGenerator {
        var state: UInt64

        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return state >> 33
        }
    }
}

/// The hub behind a reference, as expectations want it.
private final class Registry {
    private var hub: Hub

    init(_ mode: RedisSubscriptions, seed: UInt64) { hub = Hub(mode, seed: seed) }

    var count: Int { hub.count }
    subscript(id: SlotID) -> ChannelSubscription { hub[id] }
    func contains(_ id: SlotID) -> Bool { hub.contains(id) }
    func find(_ name: [UInt8]) -> SlotID? { hub.find(name.span) }
    func subscribe(_ page: SlotID, to channel: [UInt8]) -> Hub.Membership {
        hub.subscribe(page, to: channel)
    }
    func leave(_ id: SlotID, at place: Int) -> SlotID? { hub.leave(id, at: place) }
    func enqueue(_ id: SlotID) -> Bool { hub.enqueue(id) }
    func next(_ id: SlotID) -> Hub.Command { hub.next(id) }
    func answered(_ id: SlotID) -> Bool { hub.answered(id) }
    func ended(_ id: SlotID) { hub.ended(id) }
    func keeps(_ id: SlotID) { hub.keeps(id) }
    func move(_ id: SlotID) { hub.move(id) }
    func lost(_ id: SlotID) -> Hub.Loss { hub.lost(id) }
}

/// Subscriptions that are kept for pages that may come back.
@Suite struct KeptSubscriptionTests {
    private static let epoch = StreamEpoch(loop: 0, beganAt: 1, secret: 2)
    private static let channel = Array("run:status".utf8)
    private static let page = SlotID(index: 0, generation: 1)
    private static let other = SlotID(index: 1, generation: 1)

    private static func instant(_ seconds: Int64) -> Instant {
        Instant(nanoseconds: seconds * 1_000_000_000)
    }

    /// A page that can resume comes to a channel, and its subscription is acknowledged.
    private static func open(
        _ hub: inout Hub, _ page: SlotID = page, _ channel: [UInt8] = channel
    ) -> Hub.Membership {
        let membership = hub.subscribe(page, to: channel)
        hub.beginStream(of: membership.subscription, epoch)
        hub.join(membership.subscription, isBack: false)
        hub.acknowledged(membership.subscription)
        return membership
    }

    /// A page comes back to its stream.
    private static func comeBack(_ hub: inout Hub, _ page: SlotID = page) -> Hub.Membership {
        let membership = hub.subscribe(page, to: channel, resuming: epoch)
        hub.join(membership.subscription, isBack: true)
        return membership
    }

    /// A page leaves at an instant, and may come back for thirty seconds or has said good-bye.
    private static func leave(
        _ hub: inout Hub, _ membership: Hub.Membership, at seconds: Int64, goodBye: Bool = false
    ) {
        _ = hub.leave(membership.subscription, at: membership.place)
        hub.leave(
            membership.subscription, mayComeBackUntil: goodBye ? nil : instant(seconds + 30),
            now: instant(seconds))
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func aPageFindsItsStreamByItsEpoch(mode: RedisSubscriptions) {
        var hub = Hub(mode, seed: 1)
        let first = Self.open(&hub)
        Self.leave(&hub, first, at: 0)
        let early = hub.nextToEnd(now: Self.instant(29))
        #expect(early == nil)
        let back = Self.comeBack(&hub)
        #expect(back.subscription == first.subscription && back.isLive)
        // What was left is not ended any more.
        let late = hub.nextToEnd(now: Self.instant(60))
        #expect(late == nil)
        let kept = hub.keptCount
        #expect(kept == 0)
    }

    @Test func itsTimeIsOverWithItsLastInstant() {
        var hub = Hub(.shared, seed: 1)
        let first = Self.open(&hub)
        Self.leave(&hub, first, at: 0)
        let early = hub.nextToEnd(now: Instant(nanoseconds: 29_999_999_999))
        let due = hub.nextToEnd(now: Self.instant(30))
        #expect(early == nil && due == first.subscription)
    }

    @Test(arguments: RedisSubscriptions.allCases)
    func afterAGoodByeNothingIsKept(mode: RedisSubscriptions) {
        var hub = Hub(mode, seed: 1)
        let first = Self.open(&hub)
        Self.leave(&hub, first, at: 0)
        let back = Self.comeBack(&hub)
        Self.leave(&hub, back, at: 1, goodBye: true)
        let subscription = hub[first.subscription]
        #expect(!subscription.isWanted && subscription.stream == nil)
    }

    @Test func aPageThatCannotResumeNeitherKeepsAStreamNorEndsIt() {
        var hub = Hub(.shared, seed: 1)
        let first = Self.open(&hub)
        Self.leave(&hub, first, at: 0)
        // Somebody else hears the channel for a while.
        let plain = hub.subscribe(Self.other, to: Self.channel)
        _ = hub.leave(plain.subscription, at: plain.place)
        let isWanted = hub[first.subscription].isWanted
        #expect(isWanted)
        let again = hub.subscribe(Self.other, to: Self.channel)
        let due = hub.nextToEnd(now: Self.instant(30))
        #expect(due == again.subscription)
        hub.endStream(of: again.subscription)
        let left = hub[again.subscription]
        #expect(left.isWanted && left.stream == nil)
    }

    @Test func theGoodByeOfOneIsNotThatOfAnother() {
        var hub = Hub(.shared, seed: 1)
        let first = Self.open(&hub)
        let second = Self.open(&hub, Self.other)
        Self.leave(&hub, second, at: 0)
        Self.leave(&hub, first, at: 10, goodBye: true)
        let early = hub.nextToEnd(now: Self.instant(29))
        let due = hub.nextToEnd(now: Self.instant(30))
        #expect(early == nil && due == first.subscription)
    }

    @Test func whoLeftLongAgoIsNotWaitedForWhenAnotherLeaves() {
        var hub = Hub(.shared, seed: 1)
        let first = Self.open(&hub)
        let second = Self.open(&hub, Self.other)
        Self.leave(&hub, second, at: 0)
        Self.leave(&hub, first, at: 40)
        let back = Self.comeBack(&hub)
        Self.leave(&hub, back, at: 50, goodBye: true)
        let isWanted = hub[first.subscription].isWanted
        #expect(!isWanted)
    }

    @Test func withDedicatedLinksNobodyElseFindsIt() {
        var hub = Hub(.dedicated, seed: 1)
        let first = Self.open(&hub)
        let stranger = StreamEpoch(loop: 0, beganAt: 1, secret: 3)
        let second = hub.subscribe(Self.page, to: Self.channel, resuming: stranger)
        let third = hub.subscribe(Self.page, to: Array("run:other".utf8), resuming: Self.epoch)
        #expect(Set([first, second, third].map(\.subscription)).count == 3)
    }

    @Test func theOldestGoFirstWhenTheirTimeIsOverOrThereIsNoRoom() {
        var hub = Hub(.shared, seed: 1)
        var ids: [SlotID] = []
        for number in 0..<4 {
            let membership = Self.open(&hub, Self.page, Array("run\(number):status".utf8))
            ids.append(membership.subscription)
            Self.leave(&hub, membership, at: Int64(number))
        }
        let early = hub.nextToEnd(now: Self.instant(29), limit: 4)
        let due = hub.nextToEnd(now: Self.instant(30))
        let pressed = hub.nextToEnd(now: Self.instant(30), isPressed: true)
        let excess = hub.nextToEnd(now: Self.instant(30), limit: 1)
        let rest = hub.nextToEnd(now: Self.instant(30), limit: 1)
        #expect(early == nil && due == ids[0] && pressed == ids[1])
        #expect(excess == ids[2] && rest == nil)
        for id in ids[0..<3] { hub.endStream(of: id) }
        let isQueued = hub.enqueue(ids[0])
        let isKept = hub.enqueue(ids[3])
        #expect(isQueued && !isKept)
    }

    @Test func theOrderIsThatOfTheirTimesWhoeverLeavesLast() {
        var hub = Hub(.shared, seed: 1)
        let first = Self.open(&hub)
        let second = Self.open(&hub, Self.other)
        Self.leave(&hub, second, at: 0)
        let third = Self.open(&hub, Self.page, Array("run:other".utf8))
        Self.leave(&hub, third, at: 5)
        Self.leave(&hub, first, at: 10, goodBye: true)
        let due = hub.nextToEnd(now: Self.instant(31))
        let next = hub.nextToEnd(now: Self.instant(35))
        #expect(due == first.subscription && next == third.subscription)
    }

    @Test(arguments: [false, true])
    func whatAStreamHoldsIsCountedUntilItIsGone(isRemoved: Bool) {
        var hub = Hub(.shared, seed: 1)
        let id = Self.open(&hub).subscription
        guard let stream = hub[id].stream else {
            Issue.record("no stream")
            return
        }
        let first = hub.append([1, 2, 3].span, to: stream, limit: 100)
        let held = hub.resumeBytes
        #expect(first == StreamPosition(Self.epoch, 1) && held == 3 + ResumeStream.messageCost)
        if isRemoved { hub.remove(id) } else { hub.endStream(of: id) }
        let rest = hub.resumeBytes
        #expect(rest == 0)
    }

    @Test func memoryIsGivenBackHalfAndHalf() {
        var hub = Hub(.shared, seed: 1)
        for number in 0..<2 {
            let id = Self.open(&hub, Self.page, Array("run\(number):status".utf8)).subscription
            guard let stream = hub[id].stream else { continue }
            for _ in 0..<8 { _ = hub.append([1, 2].span, to: stream, limit: 1000) }
        }
        var held = [hub.resumeBytes]
        while hub.resumeBytes > 0 {
            hub.forgetHalf()
            held.append(hub.resumeBytes)
        }
        #expect(held == [160, 80, 40, 20, 0])
    }
}
