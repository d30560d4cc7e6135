import Testing

@testable import Relay

@Suite struct SequenceCheckerTests {
    private static func findings(
        _ checker: inout SequenceChecker, _ numbers: [UInt64]
    ) -> [SequenceChecker.Finding] {
        numbers.map { checker.received($0) }
    }

    @Test func messagesInOrderLeaveNothingMissing() {
        var checker = SequenceChecker()
        checker.live(from: 3)
        #expect(Self.findings(&checker, [3, 4, 5]) == [.inOrder, .inOrder, .inOrder])
        checker.endOfRun(published: 6)
        #expect(checker.missingCount == 0)
    }

    @Test func aHoleIsMissingAndNamed() {
        var checker = SequenceChecker()
        checker.live(from: 0)
        _ = Self.findings(&checker, [0, 1, 4])
        #expect(checker.missing == [2..<4])
    }

    @Test func twoThatAreSwappedAreOutOfOrderAndNotMissing() {
        var checker = SequenceChecker()
        checker.live(from: 0)
        #expect(
            Self.findings(&checker, [0, 2, 1, 3]) == [.inOrder, .inOrder, .reordered, .inOrder])
        #expect(checker.missingCount == 0)
    }

    @Test func theSameAgainIsARepetition() {
        var checker = SequenceChecker()
        checker.live(from: 0)
        #expect(Self.findings(&checker, [0, 1, 1, 0]).suffix(2) == [.repeated, .repeated])
        // What was out of order once is a repetition the second time.
        #expect(Self.findings(&checker, [4, 3, 3]) == [.inOrder, .reordered, .repeated])
        #expect(checker.missing == [2..<3])
    }

    @Test func nothingBeforeTheFirstPingIsCountedOn() {
        var checker = SequenceChecker()
        checker.live(from: 100)
        checker.endOfRun(published: 102)
        #expect(checker.missing == [100..<102])
    }

    @Test func whatIsUnderWayWhenTheStreamGoesLiveIsInOrder() {
        var checker = SequenceChecker()
        checker.live(from: 7)
        #expect(Self.findings(&checker, [5, 6, 7]) == [.inOrder, .inOrder, .inOrder])
        checker.endOfRun(published: 8)
        #expect(checker.missingCount == 0)
    }

    @Test func theFirstMessageMayComeBeforeThePing() {
        var checker = SequenceChecker()
        #expect(checker.received(5) == .inOrder)
        checker.live(from: 9)
        #expect(checker.received(8) == .inOrder)
        #expect(checker.missing == [6..<8])
    }

    @Test func aMissingFirstMessageIsSeen() {
        var checker = SequenceChecker()
        checker.live(from: 3)
        #expect(checker.received(5) == .inOrder)
        #expect(checker.missing == [3..<5])
    }

    @Test func aMessageBelowTheFirstIsOutOfOrder() {
        var checker = SequenceChecker()
        #expect(Self.findings(&checker, [5, 3]) == [.inOrder, .reordered])
        #expect(checker.missing == [4..<5])
    }

    @Test func anOutageSplitsTheAccounts() {
        var checker = SequenceChecker()
        checker.live(from: 0)
        _ = Self.findings(&checker, [0, 2])
        checker.endOfSession(published: 6)
        // 1 was lost before the end, 3 to 5 fell into it.
        #expect(checker.missing == [1..<2])
        #expect(checker.missedAtEnds == 3)
        checker.live(from: 9)
        #expect(checker.received(2) == .repeated)
        #expect(checker.received(9) == .inOrder)
        checker.endOfRun(published: 10)
        #expect(checker.missing == [1..<2])
    }

    @Test func whereOthersPublishTheEndIsUnknown() {
        var checker = SequenceChecker()
        _ = Self.findings(&checker, [10, 12])
        checker.endOfSession(published: nil)
        #expect(checker.missedAtEnds == 0)
        checker.endOfRun(published: nil)
        #expect(checker.missing == [11..<12])
    }

    @Test func holesWithoutNumberAreCountedInBoundedMemory() {
        var checker = SequenceChecker()
        checker.live(from: 0)
        let holes = UInt64(2 * SequenceChecker.rangeLimit)
        for number in 1...holes { _ = checker.received(2 * number) }
        #expect(checker.missing.count == SequenceChecker.rangeLimit)
        #expect(checker.missingCount == holes + 1)
    }

    /// Any order, any repetition, any loss: the counts are those of a reference with a set.
    @Test(arguments: 0..<200)
    func agreesWithASet(seed: Int) {
        var random = SplitMix64(seed: UInt64(seed))
        var numbers = (0..<60).map { UInt64($0) }
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            numbers.remove(at: Int.random(in: 1..<numbers.count, using: &random))
        }
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let place = Int.random(in: 1..<numbers.count - 1, using: &random)
            numbers.swapAt(place, place + 1)
        }
        for _ in 0..<Int.random(in: 0...6, using: &random) {
            let place = Int.random(in: 1..<numbers.count, using: &random)
            numbers.insert(numbers[place - 1], at: place)
        }
        var checker = SequenceChecker()
        checker.live(from: 0)
        var seen: Set<UInt64> = []
        var highest: UInt64?
        for number in numbers {
            let expected: SequenceChecker.Finding =
                if !seen.insert(number).inserted { .repeated } else if let highest, number < highest
                { .reordered } else { .inOrder }
            highest = max(highest ?? 0, number)
            #expect(checker.received(number) == expected)
        }
        checker.endOfRun(published: 60)
        #expect(checker.missingCount == 60 - UInt64(seen.count))
    }
}
