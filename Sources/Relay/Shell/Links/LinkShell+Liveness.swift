import Logging

// Servers that may be gone without a word: who is asked when.
extension LinkShell where S: ~Copyable {
    /// Sets how long a link may be quiet before it is asked: a ping interval, or longer where there are
    /// many and the probe vouches for their server.
    mutating func setPatience(with id: SlotID, _ context: inout LoopContext<S>) {
        let interval = context.settings.redisPingInterval
        let patience = LivenessCheck.patience(links: entries.count, interval: interval)
        // A loop has a probe of its own as soon as its links are so many.
        if probe == nil, !context.isCluster, patience > interval, context.phase == .serving,
            !context.settings.gapNotices
        {
            openProbe(&context)
        }
        let isVouchedFor = probes(context).contains { probe in
            entries[probe].machine.isAnswering
                && entries[probe].machine.server == entries[id].machine.server
        }
        entries[id].machine.liveness.setPatience(isVouchedFor ? patience : interval)
    }

    /// A link has failed. The others may have, too, and are asked; at most once an interval, since a
    /// server that is gone is found without that.
    mutating func suspectServer(
        of id: SlotID, after failure: LinkFailure, _ context: inout LoopContext<S>
    ) {
        guard failure.castsDoubtOnServer, nextSuspicion.map({ $0 <= context.loop.now }) ?? true
        else {
            return
        }
        suspectServer(of: id, because: "a link has failed", &context)
    }

    /// A link was refused its log-in. The first loop's probe, which was let in before the password
    /// changed, logs in anew at once, so that `/ready` tells what new pages meet.
    mutating func doubtLogIn(
        after failure: LinkFailure, _ context: inout LoopContext<S>
    ) {
        guard context.phase == .serving else { return }
        if context.place.isFirst {
            logInAnew(after: failure, &context)
        } else {
            context.place.share.post(.logInRefused(failure), to: 0)
        }
    }

    /// The probe's link is made again, at most once an interval.
    mutating func logInAnew(after failure: LinkFailure, _ context: inout LoopContext<S>) {
        guard let probe, contains(probe), entries[probe].machine.isAnswering,
            nextLogIn.map({ $0 <= context.loop.now }) ?? true
        else { return }
        nextLogIn = context.loop.now + context.settings.redisPingInterval
        failed(probe, failure, &context)
        guard contains(probe), entries[probe].machine.hasten(now: context.loop.now) else { return }
        enqueue(probe, context)
        arm(probe, &context)
    }

    /// Asks all links to the server of this one whether they live, one after the other.
    mutating func suspectServer(
        of id: SlotID, because reason: String, _ context: inout LoopContext<S>
    ) {
        nextSuspicion = context.loop.now + context.settings.redisPingInterval
        let server = entries[id].machine.server
        // With gap notices each link is asked once an interval anyhow.
        guard !context.settings.gapNotices else { return }
        let span = LivenessCheck.roundLength(
            links: entries.count, interval: context.settings.redisPingInterval)
        var count = 0
        for other in entries.ids where other != id && entries[other].machine.isLive {
            guard entries[other].machine.server == server else { continue }
            entries[other].machine.suspect(within: span, now: context.loop.now)
            arm(other, &context)
            count += 1
        }
        guard count > 0 else { return }
        context.metrics.redisSuspicions += 1
        context.log.redis.info(
            "redis is suspected, and its links are asked",
            metadata: metadata(of: id).merging([
                "reason": "\(reason)", "links": .stringConvertible(count),
            ]) { $1 })
    }
}
