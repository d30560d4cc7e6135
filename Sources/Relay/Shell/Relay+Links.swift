import Logging
import RESP
import WSFrame

// Links to Redis: reading, forwarding, retrying.
extension Relay where S: ~Copyable {
    /// Makes a link; it dials when the gate lets it through.
    mutating func openLink(_ purpose: LinkPurpose, carries: Carried) -> SlotID {
        let seed = loop.sys.random()
        let id = links.insert { id in
            LinkEntry(
                machine: RedisLink(
                    purpose: purpose, configuration: configuration, seed: seed),
                number: place.share.nextLinkNumber(),
                socket: loop.makeSocket(token: Token(.link, id)), carries: carries)
        }
        gate.enqueue(id)
        return id
    }

    /// Closes a link and forgets it.
    ///
    /// Nothing on its connection matters to anybody any more, so it is reset: a connection that this
    /// side closes in order occupies its local port for another minute (TIME_WAIT).
    mutating func closeLink(_ id: SlotID) {
        if trace != nil { traceEnd(of: id) }
        endDial(id)
        abandonAttempts(of: id)
        for subscription in carried(by: id) { hub[subscription].link = nil }
        loop.release(&links[id].socket, reset: true)
        links.remove(id)
    }

    // MARK: - Events

    mutating func linkEvent(_ id: SlotID, readable: Bool, writable: Bool) {
        guard links.contains(id), links[id].socket.isOpen else { return }
        if readable { readLink(id) }
        if links.contains(id), writable { loop.markDirty(&links[id].socket) }
    }

    private mutating func readLink(_ id: SlotID) {
        var buffer = take(&loop.readBuffer)
        let outcome = loop.sys.receive(links[id].socket.descriptor, into: &buffer)
        switch outcome {
        case .bytes(let count):
            links[id].heardAt = loop.now
            if let session = links[id].tls {
                decrypt(session, of: id, &buffer, count)
            } else {
                takePlaintext(id, &buffer, count)
            }
        case .endOfStream: linkLost(id, nil)
        case .wouldBlock: break
        case .failed(let error): linkLost(id, error)
        }
        loop.giveBack(&buffer)
        if links.contains(id) { arm(link: id) }
    }

    /// Handles bytes as Redis has meant them: those of the socket, or what TLS has made of them.
    mutating func takePlaintext(_ id: SlotID, _ buffer: inout [UInt8], _ count: Int) {
        if trace != nil { traceReceived(buffer[..<count], on: id) }
        consumeLink(id, &buffer, count)
        if trace != nil { alignTrace(of: id) }
    }

    private mutating func consumeLink(_ id: SlotID, _ buffer: inout [UInt8], _ count: Int) {
        let total = loop.join(&buffer, count: count, in: &links[id].socket)
        var offset = 0
        let wasAsking = links[id].machine.isAsking
        encoder.removeAll()
        while true {
            let action = links[id].machine.receive(
                buffer.span.extracting(0..<total), from: &offset, now: loop.now, output: &encoder)
            if action == .none { break }
            switch action {
            case .message(let channel, let payload):
                guard let subscription = subscription(buffer.span.extracting(channel), on: id)
                else { continue }
                forward(buffer.span.extracting(payload), to: subscription)
            case .oversized(let channel, let length):
                guard let subscription = subscription(buffer.span.extracting(channel), on: id)
                else { continue }
                skip(length: length, of: subscription, on: id)
            case .withdrawn(let channel):
                guard let subscription = hub.find(buffer.span.extracting(channel)) else { continue }
                withdrawn(subscription, on: id)
            default:
                perform(action, on: id)
            }
            // Delivering may end the client and its link; a closed connection leaves nothing to keep.
            guard links.contains(id), links[id].socket.isOpen else { return }
        }
        if wasAsking, !links[id].machine.isAsking { noteAnswer(of: id) }
        loop.keep(&buffer, from: offset, of: total, in: &links[id].socket)
        sendEncoded(on: id)
        if loop.bufferedBytes > memoryAllowance { keepMemoryBudget() }
    }

    /// Queues what the link's machine has written; `isQuestion` says whether the answer to it will
    /// show what has been read (I11).
    mutating func sendEncoded(on id: SlotID, isQuestion: Bool = true) {
        guard !encoder.bytes.isEmpty else { return }
        if isQuestion { links[id].askedAt = loop.boot }
        if trace != nil { traceSent(encoder.bytes, on: id) }
        if let session = links[id].tls { return encrypt(encoder.bytes, by: session, of: id) }
        loop.queue(encoder.bytes, on: &links[id].socket)
    }

    /// Does what a link's machine asks for; one step may lead to the next.
    mutating func perform(_ action: LinkAction, on id: SlotID) {
        var action = action
        while true {
            for experience in links[id].machine.takeExperiences() { history.note(experience) }
            switch action {
            case .none, .message, .oversized, .withdrawn:
                return
            case .resolve(let host, let port):
                disconnectLink(id, reset: true)
                loop.sys.resolve(host: host, port: port, token: Token(.link, id))
                return
            case .dial(let address):
                guard let error = beginDial(to: address, for: id) else { return }
                action = links[id].machine.dialFailed(error, now: loop.now)
            case .again:
                log.redis.debug(
                    "redis link is made again before it is needed", metadata: metadata(of: id))
                disconnectLink(id, reset: true)
                gate.enqueue(id)
                arm(link: id)
                return
            case .suspicious:
                suspectServer(of: id, because: "the probe is not answered")
                return
            case .remarked(let remark):
                linkRemarked(id, remark)
                return
            case .secure(let host):
                beginHandshake(id, host: host)
                return
            case .live:
                linkIsLive(id)
                return
            case .acknowledged(let subscription):
                if hub.answered(subscription) { established(subscription, on: id) }
                loop.markDirty(&links[id].socket)
                return
            case .ended(let subscription):
                hub.ended(subscription)
                tell(subscription)
                loop.markDirty(&links[id].socket)
                return
            case .refused(let subscription, let failure):
                refused(subscription, failure, on: id)
                loop.markDirty(&links[id].socket)
                return
            case .unsubscribed:
                closeLink(id)
                return
            case .failed(let failure):
                linkFailed(id, failure)
                return
            }
        }
    }

    private mutating func linkIsLive(_ id: SlotID) {
        endDial(id)
        noteAnswer(of: id)
        setPatience(with: id)
        if let server = links[id].machine.server {
            history.note(links[id].machine.hello, of: server, now: loop.now)
        }
        if let index = links[id].machine.namingSentinel { firstSentinel = index }
        guard links[id].machine.purpose != .probe else {
            probeIsLive(id)
            if phase == .starting {
                let dials = links[id].machine.dials
                if dials > 1 {
                    log.redis.info(
                        "connected to redis after retry",
                        metadata: ["attempts": .stringConvertible(dials)])
                }
                phase = .serving
                log.server.info("ready")
                tellLoops(.redisAnswers)
                tellServiceOfStart()
            }
            return
        }
        switch links[id].carries {
        case .nothing: break
        case .one(let subscription):
            hub.acknowledged(subscription)
            established(subscription, on: id)
        case .many: sharedLinkIsLive(id)
        }
    }

    private mutating func probeIsLive(_ id: SlotID) {
        // One that only asked the Sentinels again has nothing new to tell.
        if links[id].server != links[id].machine.server {
            links[id].server = links[id].machine.server
            var metadata: Logger.Metadata = ["url": "\(settings.redis)"]
            if let server = links[id].server { metadata["address"] = "\(server)" }
            log.redis.info("redis answers", metadata: metadata)
        }
        guard let master = links[id].machine.master else { return }
        leaveOthers(than: master)
        tellLoops(.master(master))
    }

    /// Makes the links to another master again.
    mutating func leaveOthers(than master: SentinelService.Endpoint) {
        let others = links.ids.filter { other in
            links[other].machine.isLive && links[other].machine.master != master
        }
        for other in others where links.contains(other) { linkFailed(other, .notMaster) }
    }

    // MARK: - Failures and time

    /// The connection has ended without our doing.
    mutating func linkLost(_ id: SlotID, _ error: SystemError?) {
        let unparsed = links[id].socket.input.count
        perform(links[id].machine.lost(error, unparsed: unparsed, now: loop.now), on: id)
    }

    /// Closes the link's connection and those that are begun for it.
    mutating func disconnectLink(_ id: SlotID, reset: Bool) {
        if trace != nil { traceEnd(of: id) }
        abandonAttempts(of: id)
        loop.disconnect(&links[id].socket, reset: reset)
        links[id].tls = nil
    }

    mutating func linkFailed(_ id: SlotID, _ failure: LinkFailure) {
        guard links[id].machine.state != .unsubscribing else { return closeLink(id) }
        endDial(id)
        let event = failureEvent(of: id)
        noteFailure(failure, of: id)
        suspectServer(of: id, after: failure)
        // An alert of TLS that says why is to arrive.
        disconnectLink(id, reset: !failure.isOfTLS)
        switch failure {
        case .timeout, .stalled, .dialTimeout, .handshakeTimeout, .unacknowledged:
            metrics.redisTimeouts += 1
        default: break
        }
        links[id].server = nil
        let isProbe = links[id].machine.purpose == .probe
        let isStarting = isProbe && phase == .starting
        if isStarting, failure.isFatalAtStart {
            phase = .stopped(fatal: "redis at \(settings.redis): \(failure)")
            return
        }
        // Once the daemon serves, its probe never gives up.
        let cap = isProbe && !isStarting ? 0 : settings.redisMaxRetries
        switch links[id].machine.retry(cap: cap, now: loop.now) {
        case .retry(let wait, let failed):
            logFailure(
                id, event, failure,
                [
                    "retry_in_ms": .stringConvertible(wait.delay.milliseconds),
                    "retry_min_ms": .stringConvertible(wait.shortest.milliseconds),
                    "retry_max_ms": .stringConvertible(wait.longest.milliseconds),
                    "attempt": .stringConvertible(failed),
                ])
            arm(link: id)
        case .giveUp(let attempts):
            if isStarting {
                phase = .stopped(
                    fatal: "redis at \(settings.redis): \(failure), after \(attempts) attempts")
                return
            }
            logFailure(
                id, event, failure, ["given_up_after_attempts": .stringConvertible(attempts)])
            let subscriptions = carried(by: id)
            closeLink(id)
            for subscription in subscriptions { giveUp(subscription: subscription) }
        }
    }

    private mutating func noteFailure(_ failure: LinkFailure, of id: SlotID) {
        links[id].lastCause = failure.cause
        metrics.redisLinkFailures[failure.cause, default: 0] += 1
        links[id].requests.removeAll()
        for subscription in carried(by: id) { lost(subscription, on: id) }
    }

    /// What a failure of the link is called: the words of the service that this one replaces.
    private func failureEvent(of id: SlotID) -> String {
        if links[id].machine.purpose == .probe { return "redis unavailable, retrying" }
        return links[id].machine.isLive ? "redis stream interrupted" : "redis subscribe failed"
    }

    /// Something came that is wrong and does no harm.
    mutating func linkRemarked(_ id: SlotID, _ remark: LinkRemark) {
        metrics.redisRemarks[remark.kind, default: 0] += 1
        guard case .logged(let suppressed) = remarkLogLimit.admit(at: loop.now) else { return }
        var metadata = metadata(of: id)
        if suppressed > 0 { metadata["suppressed"] = .stringConvertible(suppressed) }
        switch remark {
        case .pingRefused(let reply):
            metadata["error"] = "\(reply)"
            log.redis.warning(
                "redis answers PING with an error; the link goes on", metadata: metadata)
        case .unexpectedError(let reply):
            metadata["error"] = "\(reply)"
            log.redis.warning("redis sent an error; the link goes on", metadata: metadata)
        case .foreignMessage:
            log.redis.warning(
                "redis sent a message of a channel that was not subscribed to; it is dropped",
                metadata: metadata)
        }
    }

    mutating func logFailure(
        _ id: SlotID, _ event: String, _ failure: LinkFailure, _ outcome: Logger.Metadata
    ) {
        guard case .logged(let suppressed) = linkLogLimit.admit(at: loop.now) else { return }
        var metadata = metadata(of: id).merging(outcome) { $1 }
        metadata["cause"] = "\(failure.cause)"
        metadata["error"] = "\(failure)"
        if suppressed > 0 { metadata["suppressed"] = .stringConvertible(suppressed) }
        log.redis.warning("\(event)", metadata: metadata)
    }

    mutating func flushLink(_ id: SlotID) {
        guard links.contains(id) else { return }
        if !links[id].requests.isEmpty { sendRequests(on: id) }
        links[id].socket.isDirty = false
        if case .failed(let error) = loop.flush(&links[id].socket, reads: true) {
            linkLost(id, error)
        }
    }

    /// The link's timer has fired; it fires again until it is judged.
    mutating func linkTimer(_ id: SlotID, _ verdict: TimerVerdict) {
        guard links.contains(id) else { return }
        loop.fired(&links[id].socket)
        guard case .judged(let now) = verdict else { return arm(link: id) }
        encoder.removeAll()
        setPatience(with: id)
        let wasWaiting = links[id].machine.state == .waiting
        let action = links[id].machine.timedOut(now: now, output: &encoder)
        sendEncoded(on: id)
        perform(action, on: id)
        guard links.contains(id) else { return }
        if !wasWaiting, action == .none, links[id].machine.state == .waiting { gate.enqueue(id) }
        arm(link: id)
    }

    mutating func arm(link id: SlotID) {
        loop.arm(&links[id].socket, at: links[id].machine.nextDeadline)
    }

    func metadata(of id: SlotID) -> Logger.Metadata {
        switch links[id].machine.purpose {
        case .probe:
            return [
                "link": .stringConvertible(links[id].number), "probe": .stringConvertible(true),
            ]
        case .shared:
            return [
                "link": .stringConvertible(links[id].number), "shared": .stringConvertible(true),
            ]
        case .subscription(let bytes):
            guard let channel = ChannelName(bytes: bytes) else { return [:] }
            return [
                "link": .stringConvertible(links[id].number), "run_id": "\(channel.runID)",
                "channel": "\(channel.channel)",
            ]
        }
    }
}
