import DequeModule
import RESP

/// The publisher of a load, and the line that tells how far it is.
extension LoadLoop where S: ~Copyable {
    // MARK: - The connection to Redis

    mutating func dialRedis() {
        redialAt = .never
        guard let redisAddress else { return }
        if let error = loop.dial(redisAddress, in: &publisherSocket) {
            loseRedis(error.reason)
        }
    }

    mutating func publisherEvent(readable: Bool, writable: Bool) {
        guard publisherSocket.isOpen else { return }
        if !isRedisConnected {
            if let error = loop.sys.dialError(publisherSocket.descriptor) {
                loseRedis(error.reason)
                return
            }
            connectedToRedis()
            return
        }
        if readable { readAnswers() }
        if writable, publisherSocket.isOpen { loop.markDirty(&publisherSocket) }
    }

    private mutating func connectedToRedis() {
        isRedisConnected = true
        guard let target = options.redis else { return }
        publisher.connected(to: target, output: &encoder)
        loop.markDirty(&publisherSocket)
    }

    private mutating func redisIsReady() {
        if phase == .preparing { enter(.opening) }
    }

    private mutating func readAnswers() {
        var buffer = take(&loop.readBuffer)
        switch loop.sys.receive(publisherSocket.descriptor, into: &buffer) {
        case .bytes(let count): consumeAnswers(&buffer, count)
        case .wouldBlock: break
        case .endOfStream: loseRedis("Redis closed the connection")
        case .failed(let error): loseRedis(error.reason)
        }
        loop.giveBack(&buffer)
    }

    private mutating func consumeAnswers(_ buffer: inout [UInt8], _ count: Int) {
        let total = loop.join(&buffer, count: count, in: &publisherSocket)
        var offset = 0
        var failure: String?
        reading: while true {
            switch publisher.receive(buffer, from: &offset, to: total) {
            case .none: break reading
            case .ready: redisIsReady()
            case .receivers(let message, let count):
                tally.answered += 1
                let expected = Int(message.livePages)
                guard count < (options.hasOneSubscriber ? min(1, expected) : expected) else {
                    continue
                }
                tally.unsubscribed += 1
                tally.noteOutage(at: loop.boot)
                channels[message.channel].ledger.excuse(message.number)
            case .refused(let reason):
                failure = reason
                offset = total
                break reading
            }
        }
        loop.keep(&buffer, from: offset, of: total, in: &publisherSocket)
        if let failure { loseRedis("Redis refused \(failure)") }
    }

    mutating func flushPublisher() {
        publisherSocket.isDirty = false
        guard publisherSocket.isOpen, isRedisConnected else { return }
        if !encoder.bytes.isEmpty {
            loop.queue(encoder.bytes, on: &publisherSocket)
            publisherSocket.isDirty = false
            encoder.removeAll()
        }
        if case .failed(let error) = loop.flush(&publisherSocket, reads: true) {
            loseRedis(error.reason)
        }
    }

    /// The connection has ended: what was not answered may have been published or not.
    private mutating func loseRedis(_ reason: String) {
        tally.redisComplaint = reason
        for message in publisher.disconnected() {
            tally.unanswered += 1
            tally.noteOutage(at: loop.boot)
            channels[message.channel].ledger.excuse(message.number)
        }
        encoder.removeAll()
        isRedisConnected = false
        loop.disconnect(&publisherSocket)
        redialAt = loop.sys.now() + Self.redisPause
    }

    // MARK: - Publishing

    /// Publishes what is due; what is due while Redis is gone is passed over, and counted.
    mutating func publishDue() {
        guard phase == .measuring || phase == .draining, options.redis != nil,
            let begun = measuredFrom
        else { return }
        // What goes as fast as it can is never late: it ends with the time.
        if options.window != nil, phase == .draining { return }
        let now = loop.sys.now()
        for _ in 0..<Self.publishLimit {
            guard let due = pace.due(nextMessage), begun + due <= now else { break }
            guard publisher.isReady else {
                tally.unpublished += 1
                tally.noteOutage(at: now)
                nextMessage += 1
                continue
            }
            // What waits here is late, and is measured from when it was due.
            guard publisher.hasRoom, publisherSocket.output.count < Self.publisherOutputLimit
            else { break }
            if let window = options.window, tally.due >= tally.delivered + window { break }
            publish(due: begun + due, now)
            nextMessage += 1
        }
    }

    private mutating func publish(due: BootTime, _ now: BootTime) {
        let index = Int(nextMessage % UInt64(channels.count))
        let number = channels[index].ledger.publish()
        let live = channels[index].ledger.livePages
        let text = LoadPayload(
            sender: sender, number: number,
            unixTime: (Nanoseconds(due.nanoseconds) + unixOffset).count)
        payload.removeAll(keepingCapacity: true)
        text.append(paddedTo: options.payloadBytes, to: &payload)
        publisher.publish(
            PublishedMessage(channel: index, number: number, livePages: live),
            to: channels[index].name, payload: payload, output: &encoder)
        tally.published += 1
        tally.due += UInt64(live)
        second.published += 1
        tally.publishLateness.record(now - due)
        loop.markDirty(&publisherSocket)
    }

    // MARK: - Progress

    /// The line of a phase that has begun or of a second that is over; nil while it goes on.
    mutating func takeProgress() -> String? {
        if phase != toldPhase {
            toldPhase = phase
            return "\(phase): begun"
        }
        let now = loop.boot
        guard now - second.begun >= .seconds(1) else { return nil }
        let span = now - second.begun
        defer { second = LoadSecond(begun: now) }
        guard second.begun.nanoseconds > 0 else { return nil }
        let latency = second.latency
        return "\(phase): \(liveCount) of \(order.count) pages live, "
            + "\(LoadText.perSecond(second.published, in: span)) sent and "
            + "\(LoadText.perSecond(second.delivered, in: span)) delivered a second, "
            + "p50 \(LoadText.milliseconds(latency.percentile(0.5))) "
            + "p95 \(LoadText.milliseconds(latency.percentile(0.95))) "
            + "max \(LoadText.milliseconds(latency.max)) ms, "
            + "\(tally.ends) ended, heartbeats at most "
            + "\(LoadText.milliseconds(tally.heartbeatLateness.max)) ms late"
    }
}

/// What one second has shown.
struct LoadSecond {
    var begun = BootTime(nanoseconds: 0)
    var published: UInt64 = 0
    var delivered: UInt64 = 0
    var latency = LatencyHistogram()
}
