import RESP

// What comes from Redis: messages, acknowledgements, answers.
extension RedisLink {
    /// Consumes bytes from `offset` up to the next thing to do; `offset` moves on.
    ///
    /// Call it again until it says ``LinkAction/none``; the bytes from `offset` are to be kept.
    mutating func receive(
        _ bytes: Span<UInt8>, from offset: inout Int, now: Instant, output: inout RESPEncoder
    ) -> LinkAction {
        heard(now: now)
        while true {
            let step: PubSubStep
            do throws(RESPError) {
                step = try parser.next(bytes, from: offset)
            } catch {
                let first = isFirstWord ? bytes.extracting(offset...) : nil
                return failed(LinkFailure(error, firstBytes: first), now: now)
            }
            hasHeard = hasHeard || step.event != .incomplete
            offset = step.end
            switch step.event {
            case .incomplete:
                return .none
            case .message(let channel, let payload):
                if isReceiving { return .message(channel: channel, payload: payload) }
            case .oversized(let channel, let length):
                if isReceiving { return .oversized(channel: channel, length: length) }
            case .subscribed(let channel, _):
                if purpose == .shared, state == .live {
                    return acknowledged(bytes.extracting(channel))
                }
                if let action = answered(nil, now: now, output: &output) { return action }
            case .unsubscribed(let channel, _):
                guard isReceiving else { continue }
                if let action = ended(channel, bytes.extracting(channel)) { return action }
            case .reply(let value):
                if Subscription.isForeignMessage(value) { return .remarked(.foreignMessage) }
                if value.kind == .push { continue }
                if state == .asking {
                    if let action = sentinelAnswered(value, now: now) { return action }
                    continue
                }
                if let action = answered(value, now: now, output: &output) { return action }
            }
        }
    }

    /// Whether a server that is greeted, or a Sentinel that is asked, has said nothing so far.
    var isFirstWord: Bool { !hasHeard && [.greeting, .asking].contains(state) }

    private mutating func sentinelAnswered(_ reply: RESPValue, now: Instant) -> LinkAction? {
        switch query?.answered(reply) {
        case .incomplete?, nil: return nil
        case .failed(let failure)?: return failed(failure, now: now)
        case .master(let endpoint)?:
            note(.answered)
            namingSentinel = query?.index
            node = endpoint
            query = nil
            return resolve(host: endpoint.host, port: endpoint.port, now: now)
        }
    }

    /// Notes that bytes have come, also such of which nothing can be made yet: part of a TLS record.
    mutating func heard(now: Instant) {
        liveness.heard(now: now)
        switch state {
        case .greeting, .unsubscribing: awaitAnswer(now: now)
        case .live:
            liveness.endDoubt()
            if isAwaiting { awaitAnswer(now: now) }
        default: break
        }
    }

    /// Takes an answer; `reply` is nil for the subscription's push.
    private mutating func answered(
        _ reply: RESPValue?, now: Instant, output: inout RESPEncoder
    ) -> LinkAction? {
        switch state {
        case .greeting:
            if greeting.awaited == .state { inquiry?.judge(reply) }
            if greeting.awaited == .slots, let reply, !reply.isError,
                let failure = inquiry?.learn(reply)
            {
                return failed(failure, now: now)
            }
            switch greeting.answered(reply, for: purpose, at: target, output: &output) {
            case .failed(let failure): return failed(failure, now: now)
            case .incomplete:
                awaitAnswer(now: now)
                return nil
            case .accepted(let isSubscribed):
                becomeLive(isSubscribed: isSubscribed)
                return .live
            }
        case .live:
            if let reply, purpose == .topology { return answeredSlots(reply, now: now) }
            return purpose == .shared ? answeredWhileShared(reply) : answeredWhileLive(reply)
        case .unsubscribing:
            // A user who may not unsubscribe: the end of the connection does it as well.
            return reply?.isError == true ? .unsubscribed : nil
        default: return nil
        }
    }

    private mutating func becomeLive(isSubscribed: Bool) {
        liveness.end()
        parser.releaseStorage()
        state = .live
        subscription.isAcknowledged = isSubscribed
        if !greeting.isRESP2 { hello = .answered }
        note(.answered)
        settle()
    }

    /// Takes the answer to the question where the slots are.
    private mutating func answeredSlots(_ reply: RESPValue, now: Instant) -> LinkAction? {
        guard liveness.isAsking else { return nil }
        if let inquiry, inquiry.isStateAwaited {
            inquiry.judge(reply)
            awaitAnswer(now: now)
            return nil
        }
        liveness.end()
        stateDeadline = .never
        if reply.isError {
            return failed(LinkFailure(reply: reply.string ?? "", to: "CLUSTER SLOTS"), now: now)
        }
        if let failure = inquiry?.learn(reply) { return failed(failure, now: now) }
        inquiry?.answered()
        return .mapped
    }

    /// Takes the answer to what a quiet link has asked, or one that nobody waits for.
    private mutating func answeredWhileLive(_ reply: RESPValue?) -> LinkAction? {
        let wasAsking = liveness.isAsking
        liveness.end()
        parser.releaseStorage()
        stateDeadline = .never
        guard let reply, reply.isError else { return nil }
        let text = reply.string ?? ""
        guard wasAsking else { return .remarked(.unexpectedError(text)) }
        guard subscription.isAskedFor else { return .remarked(.pingRefused(text)) }
        let failure = LinkFailure(reply: text, to: "SUBSCRIBE")
        return failure.isAboutChannel ? nil : .failed(failure)
    }

    // MARK: - Many subscriptions

    /// Takes the push that acknowledges a subscription of a shared link.
    private mutating func acknowledged(_ name: Span<UInt8>) -> LinkAction {
        guard case .subscribe(let id, let channel)? = openCommands.next, name.isEqual(to: channel)
        else { return .failed(.protocolError("Redis acknowledged what was not asked for")) }
        openCommands.answered()
        return .acknowledged(id)
    }

    /// Takes the push that says that a subscription has ended, as it was asked to or not.
    private mutating func ended(_ range: Range<Int>, _ name: Span<UInt8>) -> LinkAction? {
        if purpose == .shared {
            guard case .unsubscribe(let id, let channel)? = openCommands.next,
                name.isEqual(to: channel)
            else { return .withdrawn(channel: range) }
            openCommands.answered()
            return .ended(id)
        }
        guard subscription.isOwn(name) else { return nil }
        if state == .unsubscribing { return .unsubscribed }
        return .failed(
            target.isCluster ? .slotLeft : .protocolError("Redis ended the subscription"))
    }

    /// Takes a reply on a shared link: that to `PING`, or an error, which may be about any command.
    private mutating func answeredWhileShared(_ reply: RESPValue?) -> LinkAction? {
        let text = reply?.isError == true ? reply?.string ?? "" : nil
        if let text, !openCommands.isNext(about: LinkFailure(reply: text, to: "SUBSCRIBE")) {
            return nil
        }
        switch openCommands.next {
        case .ping?:
            openCommands.answered()
            liveness.end()
            return text.map { .remarked(.pingRefused($0)) }
        case .subscribe(let id, _)?:
            guard let text else { return nil }
            openCommands.answered()
            let failure = LinkFailure(reply: text, to: "SUBSCRIBE")
            return failure.isAboutChannel || target.isCluster && failure.isOfSlot
                ? .refused(id, failure) : .failed(failure)
        case .unsubscribe(let id, _)?:
            guard let text else { return nil }
            openCommands.answered()
            return .refused(id, LinkFailure(reply: text, to: "UNSUBSCRIBE"))
        case nil:
            return text.map { .remarked(.unexpectedError($0)) }
        }
    }

    /// Whether a shared link may be asked for one more subscription, or for the end of one.
    var takesRequests: Bool { purpose == .shared && state == .live && openCommands.hasRoom }

    /// Asks Redis for the messages of one more channel; ``takesRequests`` must say so.
    mutating func subscribe(
        _ id: SlotID, to channel: [UInt8], now: Instant, output: inout RESPEncoder
    ) {
        let verb = target.isCluster ? "SSUBSCRIBE" : "SUBSCRIBE"
        request(.subscribe(id, channel: channel), verb, channel, now, &output)
    }

    /// Asks Redis for the messages of a channel no more; ``takesRequests`` must say so.
    mutating func unsubscribe(
        _ id: SlotID, from channel: [UInt8], now: Instant, output: inout RESPEncoder
    ) {
        let verb = target.isCluster ? "SUNSUBSCRIBE" : "UNSUBSCRIBE"
        request(.unsubscribe(id, channel: channel), verb, channel, now, &output)
    }

    /// Sends a command. What is open already keeps its deadline: a link that is deaf must not be
    /// spared because more is asked of it.
    private mutating func request(
        _ command: OpenCommands.Command, _ verb: String, _ channel: [UInt8], _ now: Instant,
        _ output: inout RESPEncoder
    ) {
        if !isAwaiting { awaitAnswer(now: now) }
        output.command(bytes: [Array(verb.utf8), channel])
        openCommands.sent(command)
    }

    /// Asks a quiet link whether it lives.
    mutating func ask(now: Instant, output: inout RESPEncoder) {
        if subscription.isAskedFor {
            liveness.subscribe(subscription.channel, now: now, output: &output)
        } else if let inquiry {
            liveness.ask(inquiry, now: now, output: &output)
        } else {
            liveness.ping(now: now, output: &output)
            if purpose == .shared { openCommands.sent(.ping) }
        }
    }
}
