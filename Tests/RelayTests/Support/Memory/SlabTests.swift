@testable import Relay
import Testing

/// Elements that lie in place, and ids that outlive them.
@Suite struct SlabTests {
    /// Tells by its life whether the slab holds it.
    private final class Witness {
        let number: Int
        init(_ number: Int) { self.number = number }
    }

    @Test func anIdNamesItsElementAndNoLaterTenantOfTheSlot() {
        var slab = Slab<Int>()
        let first = slab.insert { _ in 1 }
        let removed = slab.remove(first)
        #expect(removed == 1)
        let second = slab.insert { _ in 2 }
        #expect(second.index == first.index)
        let isFirstThere = slab.contains(first)
        let removedAgain = slab.remove(first)
        let (element, count) = (slab[second], slab.count)
        #expect(!isFirstThere)
        #expect(removedAgain == nil)
        #expect(element == 2)
        #expect(count == 1)
    }

    @Test func aForgedIdNamesNothing() {
        var slab = Slab<Int>()
        let id = slab.insert { _ in 1 }
        let next = SlotID(index: id.index, generation: id.generation + 1)
        let far = SlotID(index: 1000, generation: id.generation)
        let before = [next, far].map { slab.contains($0) }
        slab.remove(id)
        let after = [id, next, far].map { slab.contains($0) }
        #expect(before == [false, false])
        #expect(after == [false, false, false])
    }

    @Test func elementsSurviveTheGrowthOfTheSlab() {
        var slab = Slab<Witness>()
        var ids: [SlotID] = []
        for number in 0..<1000 { ids.append(slab.insert { _ in Witness(number) }) }
        let numbers = ids.map { slab[$0].number }
        let listed = slab.ids
        #expect(numbers == Array(0..<1000))
        #expect(listed == ids)
    }

    @Test func whatIsTakenOutOrLeftBehindIsReleased() {
        weak var taken: Witness?
        weak var left: Witness?
        func fill(_ slab: inout Slab<Witness>) -> SlotID {
            let (first, second) = (Witness(1), Witness(2))
            (taken, left) = (first, second)
            _ = slab.insert { _ in second }
            return slab.insert { _ in first }
        }
        do {
            var slab = Slab<Witness>()
            let id = fill(&slab)
            slab.remove(id)
            #expect(taken == nil)
            #expect(left != nil)
        }
        #expect(left == nil)
    }

    @Test func itAgreesWithADictionaryHoweverElementsComeAndGo() {
        var random = SplitMix64(seed: 5)
        var slab = Slab<Witness>()
        var plain: [SlotID: Int] = [:]
        var gone: [SlotID] = []
        for number in 0..<20_000 {
            // Up to some thousands, and down to none, several times.
            let grows = (number / 2_000) % 2 == 0
            if grows || plain.isEmpty {
                plain[slab.insert { _ in Witness(number) }] = number
            } else if let id = plain.keys.randomElement(using: &random) {
                let removed = slab.remove(id)?.number
                #expect(removed == plain.removeValue(forKey: id))
                gone.append(id)
            }
        }
        let found = plain.map { slab[$0.key].number == $0.value }
        let stale = gone.map { slab.contains($0) }
        let (count, ids) = (slab.count, slab.ids)
        #expect(!found.contains(false))
        #expect(!stale.contains(true))
        #expect(count == plain.count)
        #expect(Set(ids) == Set(plain.keys))
    }

    @Test func elementsAreChangedInPlace() {
        var slab = Slab<[Int]>()
        let id = slab.insert { _ in [] }
        for number in 0..<100 { slab[id].append(number) }
        let element = slab[id]
        #expect(element == Array(0..<100))
    }
}
