import Logging

// The other event loops of the process: what they are told, and what they tell.
extension Relay where S: ~Copyable {
    /// The part of the memory budget that loops may hold without having published it, in all.
    static var unpublishedShare: Int { 64 }
    /// The part of the memory budget over it at which a loop sheds its own, whoever holds the most.
    static var sheddingShare: Int { 8 }

    /// Tells all other loops.
    func tellLoops(_ message: LoopMessage) {
        guard !place.isAlone else { return }
        for other in place.others { place.share.post(message, to: other) }
    }

    /// Does what the other loops have told.
    mutating func readInbox() {
        for message in place.state.inbox.takeAll() { handle(message) }
    }

    private mutating func handle(_ message: LoopMessage) {
        switch message {
        case .accepted(let descriptor, let peer): admit(descriptor, peer: peer)
        case .comesBack(let handOver, let rest): takeOver(handOver, rest: rest)
        case .makeRoom(let age): makeRoom(olderThan: age)
        case .redisAnswers: if phase == .starting { phase = .serving }
        case .master(let master): leaveOthers(than: master)
        case .credentials(let access): takeUp(access)
        case .settings(let settings): apply(settings)
        // The queue is looked at when the turn ends.
        case .gateIsOpen: break
        case .holdsMost: keepMemoryBudget()
        case .trace(let isOn): if isOn != (trace != nil) { switchTrace(on: isOn) }
        case .adminTrace(let order?): follow(order)
        case .adminTrace(nil): if admin.trace != nil { endAdminTrace() }
        case .traceLines: passTraceOn()
        case .ask(let question, let number, let asker):
            place.share.post(
                .answer(debugAnswer(to: question), number: number, of: place.index), to: asker)
        case .answer(let answer, let number, let loop): answered(answer, number, by: loop)
        case .drain: announceDrain()
        case .depart: beginDepartures()
        case .end: finishShutdown()
        case .ended(_, let fatal?): phase = .stopped(fatal: fatal)
        // Whether all have ended is looked at when the turn ends.
        case .ended(_, nil): break
        case .report(let asker): report(to: asker)
        case .reported(let loop): gathered(from: loop)
        }
    }

    /// Publishes what the other loops are to know at the end of a turn.
    mutating func publish() {
        let held = loop.bufferedBytes
        let step = settings.memoryBudget / (Self.unpublishedShare * place.share.loops.count)
        if abs(held - publishedBytes) > step { publishHeld() }
        guard place.isFirst else { return }
        let isAnswering = isRedisAnswering
        if place.share.isRedisAnswering != isAnswering {
            place.share.isRedisAnswering = isAnswering
        }
    }

    // MARK: - Memory

    private mutating func publishHeld() {
        let held = loop.bufferedBytes
        place.share.publish(held: held, former: publishedBytes, of: place.index)
        publishedBytes = held
    }

    /// Learns how many bytes the others leave to this loop.
    mutating func learnMemoryAllowance() {
        memoryAllowance = settings.memoryBudget - (place.share.bytesHeld - publishedBytes)
    }

    /// Whether the budget is used up, and the bytes to be dropped are this loop's.
    ///
    /// Where another loop holds the most, it is asked to drop its own. One that does not do it in
    /// time is not waited for: the memory is the process's.
    mutating func isToShed() -> Bool {
        guard !place.isAlone else { return loop.bufferedBytes > memoryAllowance }
        publishHeld()
        learnMemoryAllowance()
        let excess = loop.bufferedBytes - memoryAllowance
        guard excess > 0 else { return false }
        let largest = place.share.loopHoldingMost
        guard largest != place.index, excess <= settings.memoryBudget / Self.sheddingShare else {
            return true
        }
        if !hasAskedToShed {
            hasAskedToShed = true
            place.share.post(.holdsMost, to: largest)
        }
        return false
    }

    // MARK: - Liveness

    /// Looks whether the other loops turn, and tells the log of one that has stopped or goes on.
    mutating func lookAtOthers() {
        let turns = place.share.loops.map { $0.hasEnded ? nil : $0.turns }
        for finding in watch.look(at: turns, now: loop.now) {
            switch finding {
            case .stalled(let other):
                guard watch.tells(of: other) else { continue }
                metrics.loopStalls += 1
                log.server.error(
                    "an event loop does not turn: the daemon is not ready",
                    metadata: [
                        "loop": .stringConvertible(other),
                        "limit_ms": .stringConvertible(LoopWatch.limit.milliseconds),
                    ])
            case .turns(let other, let span):
                guard watch.tells(of: other) else { continue }
                log.server.warning(
                    "an event loop turns again",
                    metadata: [
                        "loop": .stringConvertible(other),
                        "duration_ms": .stringConvertible(span.milliseconds),
                    ])
            }
        }
    }
}
