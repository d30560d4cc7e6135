/// Blocks of memory for ``OutputQueue``s, used over and over.
///
/// An idle queue holds none, so that a connection with nothing to send costs no buffer. As many are kept
/// as were in use at once lately, so that a message to thousands of pages allocates nothing where the
/// one before it did; ``settle()`` says what is lately, and memory returns to its level after a burst.
@safe struct BlockPool: ~Copyable {
    /// Bytes of payload in a block.
    static let blockSize = 4096 - headerSize
    /// Blocks that are kept however few are used: one mebibyte.
    static let leastKept = 256

    /// A block begins with the address of the one behind it, then the number of messages that end
    /// in it.
    fileprivate static let headerSize = 16
    fileprivate static let messageCountOffset = 8

    private var free: UnsafeMutableRawPointer?
    /// Blocks that are kept for the next use.
    private(set) var freeCount = 0
    /// Blocks that are in use by queues.
    private(set) var usedCount = 0
    /// The most that were in use at once since the last ``settle()``, and from the one before to it.
    private var mostUsed = 0
    private var formerlyMostUsed = 0

    /// Bytes of memory in use by queues, block headers included.
    var usedBytes: Int { usedCount * (Self.headerSize + Self.blockSize) }

    deinit {
        var block = unsafe free
        while let present = unsafe block {
            unsafe block = present.load(as: UnsafeMutableRawPointer?.self)
            unsafe present.deallocate()
        }
    }

    /// How many blocks there may be, used and free.
    private var kept: Int { max(Self.leastKept, mostUsed, formerlyMostUsed) }

    /// Gives the allocator the blocks that have not been needed since the call before the last one; to be
    /// called at a regular interval.
    mutating func settle() {
        formerlyMostUsed = mostUsed
        mostUsed = usedCount
        while usedCount + freeCount > kept, let block = unsafe free {
            unsafe free = block.load(as: UnsafeMutableRawPointer?.self)
            freeCount -= 1
            unsafe block.deallocate()
        }
    }

    fileprivate mutating func take() -> UnsafeMutableRawPointer {
        usedCount += 1
        mostUsed = max(mostUsed, usedCount)
        let block: UnsafeMutableRawPointer
        if let kept = unsafe free {
            unsafe free = kept.load(as: UnsafeMutableRawPointer?.self)
            freeCount -= 1
            unsafe block = kept
        } else {
            unsafe block = .allocate(
                byteCount: Self.headerSize + Self.blockSize, alignment: Self.headerSize)
        }
        unsafe block.storeBytes(of: nil, as: UnsafeMutableRawPointer?.self)
        unsafe block.storeBytes(of: 0, toByteOffset: Self.messageCountOffset, as: UInt32.self)
        return unsafe block
    }

    fileprivate mutating func giveBack(_ block: UnsafeMutableRawPointer) {
        usedCount -= 1
        guard usedCount + freeCount < kept else { return unsafe block.deallocate() }
        unsafe block.storeBytes(of: free, as: UnsafeMutableRawPointer?.self)
        unsafe free = block
        freeCount += 1
    }
}

/// The bytes that wait to be sent on one socket, in blocks of a ``BlockPool``.
///
/// It also knows how long its oldest byte has waited: a mark remembers the end of the queue at one
/// instant, and as long as bytes before the mark are unsent, the oldest one is at least as old as
/// the mark. The queue must be emptied with ``clear(_:)`` before it is dropped.
///
/// Messages among the bytes are counted by block: a message has left when the block that holds its
/// last byte has. So the count costs nothing to keep, is exact whenever the queue is empty, and
/// while it is backed up says at most one block's messages too many, never one too few.
@safe struct OutputQueue {
    private var head: UnsafeMutableRawPointer?
    private var tail: UnsafeMutableRawPointer?
    /// Bytes of the head block that are sent already.
    private var headOffset: Int32 = 0
    /// Bytes of the tail block that are filled.
    private var tailCount: Int32 = 0
    /// Bytes that wait.
    private(set) var count = 0
    /// Messages that wait, as far as whole blocks tell.
    private(set) var messageCount = 0
    private var bytesBeforeMark = 0
    private var markedAt = Instant.never

    init() {}

    var isEmpty: Bool { count == 0 }

    /// An instant that is not earlier than that at which the oldest waiting byte was queued, and
    /// equal to it when the queue was empty then; ``Instant/never`` for an empty queue.
    var oldestQueuedAt: Instant { markedAt }

    /// Lets the waiting bytes be as young as if they had been queued now.
    mutating func restartAge(now: Instant) {
        guard count > 0 else { return }
        markedAt = now
        bytesBeforeMark = count
    }

    /// Queues a copy of `bytes`.
    mutating func append(_ bytes: Span<UInt8>, now: Instant, pool: inout BlockPool) {
        unsafe bytes.withUnsafeBytes { source in
            unsafe append(source, pool: &pool)
        }
        guard bytes.count > 0 else { return }
        if count == bytes.count || markedAt == now {
            markedAt = now
            bytesBeforeMark = count
        }
    }

    /// Notes that the bytes just appended end a message.
    mutating func endMessage() {
        guard let tail = unsafe tail else { return }
        messageCount += 1
        let offset = BlockPool.messageCountOffset
        let ended = unsafe tail.load(fromByteOffset: offset, as: UInt32.self) + 1
        unsafe tail.storeBytes(of: ended, toByteOffset: offset, as: UInt32.self)
    }

    private mutating func append(_ source: UnsafeRawBufferPointer, pool: inout BlockPool) {
        var copied = 0
        while copied < source.count {
            if unsafe tail == nil || Int(tailCount) == BlockPool.blockSize {
                let block = unsafe pool.take()
                if let tail = unsafe tail {
                    unsafe tail.storeBytes(of: block, as: UnsafeMutableRawPointer?.self)
                } else {
                    unsafe head = block
                }
                unsafe tail = block
                tailCount = 0
            }
            guard let tail = unsafe tail else { return }
            let piece = min(source.count - copied, BlockPool.blockSize - Int(tailCount))
            let slice = unsafe UnsafeRawBufferPointer(rebasing: source[copied..<copied + piece])
            let target = unsafe UnsafeMutableRawBufferPointer(
                start: tail + BlockPool.headerSize + Int(tailCount), count: piece)
            unsafe target.copyMemory(from: slice)
            tailCount += Int32(piece)
            copied += piece
        }
        count += source.count
    }

    /// Drops the first `sent` bytes, which have left; returns how many messages left with them.
    @discardableResult
    mutating func remove(first sent: Int, now: Instant, pool: inout BlockPool) -> Int {
        precondition(sent <= count, "more bytes were sent than waited")
        let messagesBefore = messageCount
        count -= sent
        var left = sent
        while left > 0, let block = unsafe head {
            let isLast = unsafe block == tail
            let held = (isLast ? Int(tailCount) : BlockPool.blockSize) - Int(headOffset)
            if left < held {
                headOffset += Int32(left)
                left = 0
            } else {
                left -= held
                unsafe head = block.load(as: UnsafeMutableRawPointer?.self)
                headOffset = 0
                if isLast {
                    unsafe tail = nil
                    tailCount = 0
                }
                messageCount -= unsafe Int(
                    block.load(fromByteOffset: BlockPool.messageCountOffset, as: UInt32.self))
                unsafe pool.giveBack(block)
            }
        }
        if count == 0 {
            markedAt = .never
            bytesBeforeMark = 0
        } else if sent >= bytesBeforeMark {
            markedAt = now
            bytesBeforeMark = count
        } else {
            bytesBeforeMark -= sent
        }
        return messagesBefore - messageCount
    }

    /// Drops everything that waits.
    mutating func clear(_ pool: inout BlockPool) {
        remove(first: count, now: .never, pool: &pool)
    }

    /// Calls `body` for the waiting bytes, block by block in order, until it returns false.
    func forEachBlock(_ body: (UnsafeRawBufferPointer) -> Bool) {
        var block = unsafe head
        var offset = Int(headOffset)
        while let present = unsafe block {
            let end = unsafe present == tail ? Int(tailCount) : BlockPool.blockSize
            let bytes = unsafe UnsafeRawBufferPointer(
                start: present + BlockPool.headerSize + offset, count: end - offset)
            guard unsafe body(bytes) else { return }
            unsafe block = present.load(as: UnsafeMutableRawPointer?.self)
            offset = 0
        }
    }

    /// The waiting bytes, where they are all in one block; nil where they are in more, or there are none.
    var onlyBlock: UnsafeRawBufferPointer? {
        guard let head = unsafe head, unsafe head == tail else { return nil }
        return unsafe UnsafeRawBufferPointer(
            start: head + BlockPool.headerSize + Int(headOffset),
            count: Int(tailCount) - Int(headOffset))
    }

    /// A copy of the waiting bytes, for tests and the simulated network.
    func copyBytes() -> [UInt8] {
        var copy: [UInt8] = []
        copy.reserveCapacity(count)
        unsafe forEachBlock { block in
            unsafe copy.append(contentsOf: block)
            return true
        }
        return copy
    }
}
