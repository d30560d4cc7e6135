import Logging

// Servers that may be gone without a word: who is asked when.
extension Relay where S: ~Copyable {
    /// Sets how long a link may be quiet before it is asked: a ping interval, or longer where there are
    /// many and the probe vouches for their server.
    mutating func setPatience(with id: SlotID) {
        let interval = settings.redisPingInterval
        let patience = LivenessCheck.patience(links: links.count, interval: interval)
        // A loop has a probe of its own as soon as its links are so many.
        if probe == nil, patience > interval, phase == .serving, !settings.gapNotices {
            probe = openLink(.probe, carries: .nothing)
        }
        let isVouchedFor =
            probe.map { probe in
                links.contains(probe) && links[probe].machine.isAnswering
                    && links[probe].machine.server == links[id].machine.server
            } ?? false
        links[id].machine.liveness.setPatience(isVouchedFor ? patience : interval)
    }

    /// A link has failed. The others may have, too, and are asked; at most once an interval, since a
    /// server that is gone is found without that.
    mutating func suspectServer(of id: SlotID, after failure: LinkFailure) {
        guard failure.castsDoubtOnServer, nextSuspicion.map({ $0 <= loop.now }) ?? true else {
            return
        }
        suspectServer(of: id, because: "a link has failed")
    }

    /// Asks all links to the server of this one whether they live, one after the other.
    mutating func suspectServer(of id: SlotID, because reason: String) {
        nextSuspicion = loop.now + settings.redisPingInterval
        let server = links[id].machine.server
        // With gap notices each link is asked once an interval anyhow.
        guard !settings.gapNotices else { return }
        let span = LivenessCheck.roundLength(
            links: links.count, interval: settings.redisPingInterval)
        var count = 0
        for other in links.ids where other != id && links[other].machine.isLive {
            guard links[other].machine.server == server else { continue }
            links[other].machine.suspect(within: span, now: loop.now)
            arm(link: other)
            count += 1
        }
        guard count > 0 else { return }
        metrics.redisSuspicions += 1
        log.redis.info(
            "redis is suspected, and its links are asked",
            metadata: metadata(of: id).merging([
                "reason": "\(reason)", "links": .stringConvertible(count),
            ]) { $1 })
    }
}
