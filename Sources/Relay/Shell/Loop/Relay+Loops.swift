import Logging

// The other event loops of the process: what they are told, and what they tell.
extension Relay where S: ~Copyable {
    /// Does what the other loops have told.
    mutating func readInbox() {
        for message in place.state.inbox.takeAll() {
            handle(message)
            settle()
        }
    }

    private mutating func handle(_ message: LoopMessage) {
        switch message {
        case .accepted(let descriptor, let peer): clients.admit(descriptor, peer: peer, &context)
        case .comesBack(let handOver):
            serve(handOver.request, to: clients.takeOver(handOver, &context))
        case .makeRoom(let age): clients.makeRoom(olderThan: age, &context)
        case .redisAnswers: if phase == .starting { context.phase = .serving }
        case .redisIsBack(let node): links.endBackoffs(to: node, &context)
        case .master(let master): links.leaveOthers(than: master, &context)
        case .logInRefused(let failure): links.logInAnew(after: failure, &context)
        case .topology(let topology, let askedAt, let isSure):
            links.learn(topology, askedAt: askedAt, isSure: isSure, &context)
        case .topologyWanted: links.wantTopology(&context)
        case .credentials(let access): links.takeUp(access, &context)
        case .settings(let settings): apply(settings)
        // The queue is looked at when the turn ends.
        case .gateIsOpen: break
        case .holdsMost: keepMemoryBudget()
        case .trace(let isOn): if isOn != (links.trace != nil) { switchTrace(on: isOn) }
        case .adminTrace(let order?): follow(order)
        case .adminTrace(nil): if admin.trace != nil { endAdminTrace() }
        case .traceLines: passTraceOn()
        case .ask(let question, let number, let asker):
            place.share.post(
                .answer(debugAnswer(to: question), number: number, of: place.index), to: asker)
        case .answer(let answer, let number, let loop):
            admin.answered(answer, number, by: loop, &context)
        case .drain: announceDrain()
        case .depart: beginDepartures()
        case .end: finishShutdown()
        case .ended(_, let fatal?): context.phase = .stopped(fatal: fatal)
        // Whether all have ended is looked at when the turn ends.
        case .ended(_, nil): break
        case .report(let asker): report(to: asker)
        case .reported(let loop): gathered(from: loop)
        }
    }

    /// Publishes what the other loops are to know at the end of a turn.
    mutating func publish() {
        publishMemory()
        guard place.isFirst else { return }
        let isAnswering = isRedisAnswering
        if place.share.isRedisAnswering != isAnswering {
            place.share.isRedisAnswering = isAnswering
        }
    }

    // MARK: - Liveness

    /// Looks whether the other loops turn, and tells the log of one that has stopped or goes on.
    mutating func lookAtOthers() {
        let turns = place.share.loops.map { $0.hasEnded ? nil : $0.turns }
        for finding in watch.look(at: turns, now: context.loop.now) {
            switch finding {
            case .stalled(let other):
                guard watch.tells(of: other) else { continue }
                context.metrics.loopStalls += 1
                context.log.server.error(
                    "an event loop does not turn: the daemon is not ready",
                    metadata: [
                        "loop": .stringConvertible(other),
                        "limit_ms": .stringConvertible(LoopWatch.limit.milliseconds),
                    ])
            case .turns(let other, let span):
                guard watch.tells(of: other) else { continue }
                context.log.server.warning(
                    "an event loop turns again",
                    metadata: [
                        "loop": .stringConvertible(other),
                        "duration_ms": .stringConvertible(span.milliseconds),
                    ])
            }
        }
    }
}
