import Logging

// Links that fail, what that is called, and what follows.
extension LinkShell where S: ~Copyable {
    /// The connection has ended without our doing.
    mutating func lost(
        _ id: SlotID, _ error: SystemError?, _ context: inout LoopContext<S>
    ) {
        let unparsed = entries[id].socket.input.count
        let action = entries[id].machine.lost(
            error, unparsed: unparsed, now: context.loop.now)
        perform(action, on: id, &context)
    }

    /// Closes the link's connection and those that are begun for it.
    mutating func disconnect(
        _ id: SlotID, reset: Bool, _ context: inout LoopContext<S>
    ) {
        if trace != nil { traceEnd(of: id, &context) }
        abandonAttempts(of: id, &context)
        context.loop.disconnect(&entries[id].socket, reset: reset)
        entries[id].tls = nil
    }

    /// The link is of no use as it is: it is made again, or given up.
    mutating func failed(
        _ id: SlotID, _ failure: LinkFailure, _ context: inout LoopContext<S>
    ) {
        guard entries[id].machine.state != .unsubscribing else { return tell(.unsubscribed(id)) }
        endDial(id)
        let event = failureEvent(of: id)
        entries[id].lastCause = failure.cause
        context.metrics.redisLinkFailures[failure.cause, default: 0] += 1
        entries[id].requests.removeAll()
        tell(.lost(id, since: lossBegan(on: id, context)))
        suspectServer(of: id, after: failure, &context)
        if failure.isOfLogIn, !entries[id].machine.isProbe { doubtLogIn(after: failure, &context) }
        // An alert of TLS that says why is to arrive.
        disconnect(id, reset: !failure.isOfTLS, &context)
        if failure.isTimeout { context.metrics.redisTimeouts += 1 }
        entries[id].server = nil
        retry(id, event, failure, &context)
    }

    private mutating func retry(
        _ id: SlotID, _ event: String, _ failure: LinkFailure,
        _ context: inout LoopContext<S>
    ) {
        let isProbe = entries[id].machine.isProbe
        let isStarting = isProbe && context.phase == .starting
        let redis = context.settings.redis
        if isStarting, failure.isFatalAtStart {
            return tell(.fatal("redis at \(redis): \(failure)"))
        }
        // Once the daemon serves, its probe never gives up.
        let isServingProbe = isProbe && !isStarting
        let cap = isServingProbe ? 0 : context.settings.redisMaxRetries
        // A password that is refused is not asked about several times a second.
        let asksForAll = isServingProbe && !failure.isFatalAtStart
        let decision = entries[id].machine.retry(
            cap: cap, asksForAll: asksForAll, now: context.loop.now)
        switch decision {
        case .retry(let wait, let failed):
            logFailure(
                id, event, failure,
                [
                    "retry_in_ms": .stringConvertible(wait.delay.milliseconds),
                    "retry_min_ms": .stringConvertible(wait.shortest.milliseconds),
                    "retry_max_ms": .stringConvertible(wait.longest.milliseconds),
                    "attempt": .stringConvertible(failed),
                ], repeats: asksForAll && failed > 1, context)
            arm(id, &context)
            noteFailureOfNode(failure, of: id, &context)
        case .giveUp(let attempts):
            if isStarting {
                return tell(
                    .fatal("redis at \(redis): \(failure), after \(attempts) attempts"))
            }
            logFailure(
                id, event, failure, ["given_up_after_attempts": .stringConvertible(attempts)],
                context)
            tell(.givenUp(id))
        }
    }

    /// What a failure of the link is called: the words of the service that this one replaces.
    private func failureEvent(of id: SlotID) -> String {
        if entries[id].machine.isProbe { return "redis unavailable, retrying" }
        return entries[id].machine.isLive ? "redis stream interrupted" : "redis subscribe failed"
    }

    /// Redis is back, or this master of a cluster: the links to it that wait for their next attempt make
    /// it as soon as the gate lets them through. Those of single channels, which are many, are spread
    /// over the shortest back-off.
    mutating func endBackoffs(to node: RedisEndpoint?, _ context: inout LoopContext<S>) {
        for id in ids where entries[id].node == node && !entries[id].machine.isProbe {
            let span =
                entries[id].machine.purpose == .shared ? .zero : context.settings.redisRetryBase
            guard entries[id].machine.hasten(within: span, now: context.loop.now) else { continue }
            if entries[id].machine.state == .waiting { enqueue(id, context) }
            arm(id, &context)
        }
    }

    /// Leaves a line of a failure, at a limited rate; at a lower one where a probe, which asks often,
    /// `repeats` what it has said.
    mutating func logFailure(
        _ id: SlotID, _ event: String, _ failure: LinkFailure, _ outcome: Logger.Metadata,
        repeats: Bool = false, _ context: borrowing LoopContext<S>
    ) {
        let now = context.loop.now
        let admission =
            repeats ? repetitionLogLimit.admit(at: now) : failureLogLimit.admit(at: now)
        guard case .logged(let suppressed) = admission else { return }
        var metadata = metadata(of: id).merging(outcome) { $1 }
        metadata["cause"] = "\(failure.cause)"
        metadata["error"] = "\(failure)"
        if suppressed > 0 { metadata["suppressed"] = .stringConvertible(suppressed) }
        context.log.redis.warning("\(event)", metadata: metadata)
    }

    /// Something came that is wrong and does no harm.
    mutating func remarked(
        _ id: SlotID, _ remark: LinkRemark, _ context: inout LoopContext<S>
    ) {
        context.metrics.redisRemarks[remark.kind, default: 0] += 1
        guard case .logged(let suppressed) = remarkLogLimit.admit(at: context.loop.now) else {
            return
        }
        var metadata = metadata(of: id)
        if suppressed > 0 { metadata["suppressed"] = .stringConvertible(suppressed) }
        switch remark {
        case .pingRefused(let reply):
            metadata["error"] = "\(reply)"
            context.log.redis.warning(
                "redis answers PING with an error; the link goes on", metadata: metadata)
        case .unexpectedError(let reply):
            metadata["error"] = "\(reply)"
            context.log.redis.warning(
                "redis sent an error; the link goes on", metadata: metadata)
        case .foreignMessage:
            context.log.redis.warning(
                "redis sent a message of a channel that was not subscribed to; it is dropped",
                metadata: metadata)
        }
    }
}
