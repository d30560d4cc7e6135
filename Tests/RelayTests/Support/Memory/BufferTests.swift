@testable import Relay
import Testing

/// What waits to be sent, and what was read and not yet used.
@Suite struct BufferTests {
    private static let start = Instant(nanoseconds: 1_000)

    private static func bytes(_ count: Int, from first: Int = 0) -> [UInt8] {
        (0..<count).map { UInt8(truncatingIfNeeded: first + $0 &* 7) }
    }

    @Test(arguments: [
        1, 100, BlockPool.blockSize - 1, BlockPool.blockSize, BlockPool.blockSize + 1, 50_000,
    ])
    func bytesComeOutAsTheyWentIn(count: Int) {
        var pool = BlockPool()
        var queue = OutputQueue()
        let bytes = Self.bytes(count)
        queue.append(bytes.span, now: Self.start, pool: &pool)
        #expect(queue.copyBytes() == bytes)
        #expect(queue.count == count)
        queue.clear(&pool)
        #expect(queue.isEmpty)
        #expect(pool.usedCount == 0)
    }

    @Test func partsAreRemovedFromTheFrontInAnySizes() {
        var pool = BlockPool()
        var queue = OutputQueue()
        var expected: [UInt8] = []
        var random = SplitMix64(seed: 3)
        for step in 0..<2000 {
            let added = Self.bytes(Int.random(in: 0...6000, using: &random), from: step)
            queue.append(added.span, now: Self.start, pool: &pool)
            expected += added
            let removed = Int.random(in: 0...min(expected.count, 9000), using: &random)
            queue.remove(first: removed, now: Self.start, pool: &pool)
            expected.removeFirst(removed)
            #expect(queue.count == expected.count)
            if step % 50 == 0 { #expect(queue.copyBytes() == expected) }
        }
        queue.clear(&pool)
        #expect(pool.usedCount == 0)
    }

    @Test func messagesAreCountedOutWithTheBlockThatHoldsTheirEnd() {
        var pool = BlockPool()
        var queue = OutputQueue()
        let size = BlockPool.blockSize / 2
        for _ in 0..<3 {
            queue.append(Self.bytes(size).span, now: Self.start, pool: &pool)
            queue.endMessage()
        }
        queue.append(Self.bytes(10).span, now: Self.start, pool: &pool)
        #expect(queue.messageCount == 3)
        // The first message is gone, its block is not.
        #expect(queue.remove(first: size, now: Self.start, pool: &pool) == 0)
        #expect(queue.remove(first: size, now: Self.start, pool: &pool) == 2)
        #expect(queue.remove(first: size + 10, now: Self.start, pool: &pool) == 1)
        #expect(queue.messageCount == 0)
    }

    @Test func anEmptyQueueHoldsNoMemory() {
        var pool = BlockPool()
        var queue = OutputQueue()
        queue.append(Self.bytes(10_000).span, now: Self.start, pool: &pool)
        #expect(pool.usedCount == 3)
        queue.remove(first: 10_000, now: Self.start, pool: &pool)
        #expect(pool.usedCount == 0)
    }

    @Test func theOnlyBlockIsWhatWaitsInIt() {
        var pool = BlockPool()
        var queue = OutputQueue()
        func only() -> [UInt8]? { unsafe queue.onlyBlock.map { unsafe Array($0) } }
        #expect(only() == nil)
        queue.append(Self.bytes(100).span, now: Self.start, pool: &pool)
        #expect(only() == Self.bytes(100))
        queue.remove(first: 40, now: Self.start, pool: &pool)
        #expect(only() == Array(Self.bytes(100)[40...]))
        queue.append(Self.bytes(5_000).span, now: Self.start, pool: &pool)
        #expect(only() == nil)
        queue.remove(first: 5_000, now: Self.start, pool: &pool)
        #expect(only() == queue.copyBytes() && queue.count == 60)
        queue.remove(first: 60, now: Self.start, pool: &pool)
        #expect(only() == nil)
    }

    // MARK: - The pool

    /// Queues a message for each of so many pages, then sends all.
    private static func deal(to pages: Int, _ pool: inout BlockPool) {
        var queues = Array(repeating: OutputQueue(), count: pages)
        for page in queues.indices {
            queues[page].append(bytes(100).span, now: start, pool: &pool)
        }
        for page in queues.indices {
            queues[page].remove(first: 100, now: start, pool: &pool)
        }
    }

    @Test func asManyBlocksAreKeptAsWereInUseAtOnce() {
        var pool = BlockPool()
        for _ in 0..<5 {
            Self.deal(to: 1_000, &pool)
            #expect(pool.usedCount == 0)
            #expect(pool.freeCount == 1_000)
            pool.settle()
        }
    }

    @Test func whatABurstTookIsGivenBackAtTheSecondLookAfterIt() {
        var pool = BlockPool()
        Self.deal(to: 1_000, &pool)
        pool.settle()
        Self.deal(to: 300, &pool)
        #expect(pool.freeCount == 1_000)
        pool.settle()
        #expect(pool.freeCount == 300)
        pool.settle()
        #expect(pool.freeCount == BlockPool.leastKept)
    }

    @Test func fewBlocksAreKeptForGood() {
        var pool = BlockPool()
        Self.deal(to: 20, &pool)
        for _ in 0..<3 { pool.settle() }
        #expect(pool.freeCount == 20)
    }

    @Test func blocksInUseAreNoneOfThoseGivenBack() {
        var pool = BlockPool()
        var queue = OutputQueue()
        queue.append(Self.bytes(2_000_000).span, now: Self.start, pool: &pool)
        let used = pool.usedCount
        Self.deal(to: 1_000, &pool)
        for _ in 0..<3 { pool.settle() }
        #expect(pool.usedCount == used && pool.freeCount == 0)
        #expect(queue.copyBytes() == Self.bytes(2_000_000))
        queue.clear(&pool)
        #expect(pool.usedCount == 0)
    }

    @Test func theAgeIsThatOfTheOldestByteAndNeverMore() {
        var pool = BlockPool()
        var queue = OutputQueue()
        #expect(queue.oldestQueuedAt == .never)
        queue.append([1, 2].span, now: Self.start, pool: &pool)
        let later = Self.start + .seconds(1)
        queue.append([3, 4].span, now: later, pool: &pool)
        #expect(queue.oldestQueuedAt == Self.start)
        queue.remove(first: 1, now: later, pool: &pool)
        #expect(queue.oldestQueuedAt == Self.start)
        // The bytes of the start are gone: those that are left cannot be older than now.
        queue.remove(first: 1, now: later + .seconds(1), pool: &pool)
        #expect(queue.oldestQueuedAt >= later)
        queue.remove(first: 2, now: later, pool: &pool)
        #expect(queue.oldestQueuedAt == .never)
        queue.clear(&pool)
    }

    @Test func aByteThatIsStuckIsFoundHoweverMuchIsQueuedBehindIt() {
        var pool = BlockPool()
        var queue = OutputQueue()
        for second in 0..<10 as Range<Int64> {
            queue.append([0].span, now: Self.start + .seconds(second), pool: &pool)
        }
        #expect(queue.oldestQueuedAt == Self.start)
        queue.clear(&pool)
    }

    @Test func leftoverBytesAreJoinedWithTheNextRead() {
        var input = InputBuffer()
        var buffer = Self.bytes(64)
        let first = Array(buffer[40..<64])
        #expect(input.join(&buffer, count: 64) == 64)
        input.keep(&buffer, from: 40, of: 64)
        #expect(input.count == 24)
        buffer = Self.bytes(64, from: 9)
        let second = Array(buffer[..<10])
        let total = input.join(&buffer, count: 10)
        #expect(total == 34)
        #expect(Array(buffer[..<total]) == first + second)
        input.keep(&buffer, from: 30, of: total)
        #expect(input.count == 4)
        #expect(buffer.count == 64)
        let last = input.join(&buffer, count: 0)
        #expect(Array(buffer[..<last]) == Array((first + second)[30...]))
        input.keep(&buffer, from: last, of: last)
        #expect(input.count == 0)
    }

    @Test func clearingForgetsAJoinThatWasNotFinished() {
        var input = InputBuffer()
        var buffer = Self.bytes(8)
        _ = input.join(&buffer, count: 8)
        input.keep(&buffer, from: 4, of: 8)
        _ = input.join(&buffer, count: 8)
        input.clear()
        var next = Self.bytes(8)
        #expect(input.join(&next, count: 8) == 8)
        input.keep(&next, from: 6, of: 8)
        #expect(next.count == 8)
        #expect(input.count == 2)
    }
}
