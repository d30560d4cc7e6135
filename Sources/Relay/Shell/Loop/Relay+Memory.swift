/// What an event loop may hold of the memory budget, which is the process's.
struct MemoryShare {
    /// The part of the budget that loops may hold without having published it, in all.
    static let unpublishedShare = 64
    /// The part of the budget over it at which a loop sheds its own, whoever holds the most.
    static let sheddingShare = 8

    /// The bytes that the loop may hold, as the others left it when the turn began.
    var allowance: Int
    /// The bytes that the loop has told the others it holds.
    var published = 0
    /// Whether another loop has been asked in this turn to shed what it holds.
    var hasAskedToShed = false
}

// The memory budget: who goes when it is used up.
extension Relay where S: ~Copyable {
    /// Whether the loop holds more than it may, as far as it knows; asked with each message.
    var isOverBudget: Bool { context.loop.bufferedBytes > memory.allowance }

    /// Disconnects the client with the most bytes waiting, until the memory budget is kept, or asks
    /// the loop that holds the most to do so.
    ///
    /// A queue that has only just been filled is sent first: its browser may well take it.
    mutating func keepMemoryBudget() {
        if isToShed() { shedStreams() }
        while isToShed(), let largest = clientHoldingMost() {
            clients.flush(largest, &context)
            guard isOverBudget else { return }
            guard clients.contains(largest), bytesHeld(by: largest) > 0 else { continue }
            let queued = clients.connections[largest].socket.output.count
            clients.close(largest, .memoryBudget(queuedBytes: queued), &context)
        }
    }

    /// Looks at all clients; it is asked only when the budget is used up.
    private func clientHoldingMost() -> SlotID? {
        let largest = clients.ids.map { (id: $0, held: bytesHeld(by: $0)) }
            .max { $0.held < $1.held }
        guard let largest, largest.held > 0 else { return nil }
        return largest.id
    }

    /// Bytes that wait for the client or have come for it incomplete.
    private func bytesHeld(by id: SlotID) -> Int {
        var held =
            clients.connections[id].socket.output.count + clients.connections[id].socket.input.count
        if hub.mode == .dedicated, let link = link(of: id) {
            held += links.entries[link].socket.input.count
        }
        return held
    }

    /// Gives up what is held for pages that may come back, the oldest first, until the memory budget is
    /// kept; then the older half, and half of the rest, of what is held for those that are here.
    private mutating func shedStreams() {
        while isOverBudget, let id = hub.nextToEnd(now: context.loop.now, isPressed: true) {
            endKept(id)
        }
        while isOverBudget, hub.resumeBytes > 0 {
            hub.forgetHalf()
            context.loop.heldBytes = hub.resumeBytes
        }
    }

    // MARK: - With other loops

    /// Publishes how many bytes the loop holds, where that has changed by much.
    mutating func publishMemory() {
        let step =
            settings.memoryBudget
            / (MemoryShare.unpublishedShare * place.share.loops.count)
        if abs(context.loop.bufferedBytes - memory.published) > step { publishHeld() }
    }

    private mutating func publishHeld() {
        let held = context.loop.bufferedBytes
        place.share.publish(held: held, former: memory.published, of: place.index)
        memory.published = held
    }

    /// Learns how many bytes the others leave to this loop.
    mutating func learnMemoryAllowance() {
        memory.allowance =
            settings.memoryBudget - (place.share.bytesHeld - memory.published)
    }

    /// Whether the budget is used up, and the bytes to be dropped are this loop's.
    ///
    /// Where another loop holds the most, it is asked to drop its own. One that does not do it in
    /// time is not waited for: the memory is the process's.
    private mutating func isToShed() -> Bool {
        guard !place.isAlone else { return isOverBudget }
        publishHeld()
        learnMemoryAllowance()
        let excess = context.loop.bufferedBytes - memory.allowance
        guard excess > 0 else { return false }
        let largest = place.share.loopHoldingMost
        guard largest != place.index,
            excess <= settings.memoryBudget / MemoryShare.sheddingShare
        else { return true }
        if !memory.hasAskedToShed {
            memory.hasAskedToShed = true
            place.share.post(.holdsMost, to: largest)
        }
        return false
    }
}
