@testable import Relay

/// What a page has been told on one connection.
struct Told {
    /// The number of the last message; nil before the first `ping` and the first message.
    var last: Int?
    /// Whether a message has come.
    var hasCounted = false
    /// Whether the first ping has come.
    var isLive = false
    /// When the last ping came.
    var pingedAt: Int64 = 0
    /// The losses that it was told of: milliseconds since the Unix epoch.
    var gaps: [ClosedRange<Int64>] = []
    /// Messages that are missing and that a notice has to cover soon: their numbers, and until when.
    var untold: [(number: Int, until: Int64)] = []

    /// What counts on the next connection of a page that can resume.
    var carriedOver: Told {
        var told = self
        told.isLive = false
        return told
    }
}

// What a page must get, and what it must not.
extension Page {
    /// How soon a notice follows where it may come late: an answer about the topology, the time in which
    /// others have to agree with it, and the way to the new master.
    private static let noticeLimit = Nanoseconds.seconds(12)
    private static let status = Array(#"{"type":"status","data":""#.utf8)
    private static let ping = Array(#"{"type":"ping"}"#.utf8)
    private static let hangup = Array(#"{"type":"hangup"}"#.utf8)
    private static let gap = Array(#"{"type":"gap","#.utf8)
    private static let outage = Array(#"{"type":"outage","#.utf8)

    func takeText(_ text: ArraySlice<UInt8>) {
        if text.elementsEqual(Self.ping), told.isLive || !canResume {
            takePing()
        } else if let position = positionOfPing(text) {
            begin(at: position)
            takePing()
        } else if let data = takeNumbered(text) {
            takeMessage(data.dropLast(2))
        } else if text.starts(with: Self.status), !canResume {
            takeMessage(text.dropFirst(Self.status.count).dropLast(2))
        } else if text.elementsEqual(Self.hangup) {
            hangUp()
        } else if text.starts(with: Self.gap) {
            takeGap(text)
        } else if !text.starts(with: Self.outage) {
            world.fail("page \(index) got \(String(decoding: text, as: UTF8.self))")
        }
    }

    private func takePing() {
        world.note(.ping, index)
        noteLive()
        told.pingedAt = world.clock
        if behaviour != .silent, behaviour != .late { say(#"{"type":"pong"}"#) }
    }

    /// The first ping says that the stream is live: no later message may be missing.
    private func noteLive() {
        guard !told.isLive else { return }
        told.isLive = true
        if channel.subscribedAt == 0 {
            world.fail("page \(index) was pinged, and nobody has ever subscribed to its channel")
        }
        if isBlameless, world.stage != .ending,
            !world.mayHarmLinks,
            world.redis.subscriberCount(of: channel) == 0
        {
            world.fail("page \(index) was pinged, and Redis knows of no subscription")
        }
        if told.last == nil { told.last = channel.count }
    }

    private func takeMessage(_ data: ArraySlice<UInt8>) {
        checkUntold()
        if !told.isLive { world.fail("page \(index) got a message before the first ping") }
        guard let payload = Payload.unescape(data), let number = number(of: payload) else {
            return world.fail(
                "page \(index) got a message that nobody has sent: "
                    + String(decoding: data.prefix(60), as: UTF8.self))
        }
        world.note(.message, index, number)
        checkPosition(ofMessage: number)
        let expected = Payload.repaired(Payload.make(channel.index, number, world.plan))
        if payload != expected { world.fail("page \(index) got message \(number) changed") }
        let last = told.last ?? number - 1
        if number <= last, told.hasCounted {
            world.fail("page \(index) got message \(number) after \(last)")
        }
        if number > last + 1 { checkLoss(of: last + 1...number - 1) }
        // What was under way at the first ping may come too.
        told.hasCounted = true
        told.last = number
    }

    /// The number in a payload of the page's own channel; nil for any other.
    private func number(of payload: [UInt8]) -> Int? {
        guard let hash = payload.firstIndex(of: UInt8(ascii: "#")),
            let colon = payload.firstIndex(of: UInt8(ascii: ":")), hash < colon,
            Int(String(decoding: payload[..<hash], as: UTF8.self)) == channel.index,
            let number = Int(String(decoding: payload[(hash + 1)..<colon], as: UTF8.self)),
            (1...max(1, channel.count)).contains(number)
        else { return nil }
        return number
    }

    private func takeGap(_ text: ArraySlice<UInt8>) {
        guard let from = Wire.number("from_ms", in: text), let to = Wire.number("to_ms", in: text),
            from <= to
        else {
            return world.fail(
                "page \(index) got a notice that says nothing: "
                    + String(decoding: text, as: UTF8.self))
        }
        world.note(.notice, index, Int(to))
        told.gaps.append(from...to)
        told.untold = told.untold.filter { !isCovered($0.number) }
        guard Wire.text("reason", in: text) != "resume" else { return takeFailedResume() }
        // A page that was let in without its subscription may have missed something by that.
        if told.isLive, channel !== world.denied, !isOfBeforeItsTime(until: to),
            !world.mayHarmLinks, !world.plan.faults.contains(.oversizedPayload)
        {
            world.fail("page \(index) was told of a loss, and Redis was well all the time")
        }
    }

    /// What was to be told of by now has been.
    private func checkUntold() {
        guard let late = told.untold.first(where: { $0.until < world.clock }) else { return }
        world.fail(
            "page \(index) misses message \(late.number), and no notice has covered it since")
    }

    /// Messages are missing: each must be one that a notice covers, or have a cause where no
    /// notices are sent.
    private func checkLoss(of numbers: ClosedRange<Int>) {
        for number in numbers {
            if world.plan.settings.gapNotices || canResume {
                if !isCovered(number), world.plan.isCluster, world.plan.faults.contains(.failover) {
                    // A master that was cut off relays on as a replica when it is not: the daemon
                    // waits until nodes agree, and the notice comes behind what was relayed by then.
                    told.untold.append((number, world.clock + Self.noticeLimit.count))
                } else if !isCovered(number) {
                    let age = (world.clock - channel.times[number - 1]) / 1_000_000
                    world.fail(
                        "page \(index) misses message \(number), published \(age) ms ago, and no"
                            + " notice covers it: \(told.gaps.suffix(3))"
                            + ", published at \(published(number))")
                    return
                }
            } else if !Payload.isOversized(channel.index, number, world.plan) {
                // A page that joins others on a shared link is as deaf as they are, for as long as
                // nobody knows: how long that may be is looked at where links are.
                let isShared = world.plan.settings.redisSubscriptions == .shared
                guard let brokenAt = channel.brokenAt,
                    brokenAt >= connectedAt || isShared && channel.subscribedAt >= connectedAt,
                    channel.times[number - 1] <= channel.subscribedAt
                else {
                    return world.fail("page \(index) misses message \(number) without a cause")
                }
            }
        }
    }

    /// When a message was published, by the daemon's wall clock, in milliseconds.
    private func published(_ number: Int) -> Int64 {
        let time = channel.times[number - 1]
        return (time + world.wallOffset + (time - world.start) / 1_000_000 * world.drift)
            / 1_000_000
    }

    private func isCovered(_ number: Int) -> Bool {
        let time = channel.times[number - 1]
        let drifted = time + (time - world.start) / 1_000_000 * world.drift
        // A setting of the wall clock that the daemon knows has to be covered; of others, the notice may
        // speak of any time that the clock has shown.
        let known = canResume ? nil : world.wallOffset(at: time, knownTo: connection?.loop ?? 0)
        return (known.map { [$0] } ?? world.wallOffsets).contains { offset in
            let moment = (drifted + offset) / 1_000_000
            return told.gaps.contains {
                $0.lowerBound - 1 <= moment && moment <= $0.upperBound
            }
        }
    }

    // MARK: - Ends

    /// The connection of an open page ends; `code` is that of the close frame, or 1006.
    func checkClose(_ code: Int) {
        if isToBeSentAway, code != 1012 {
            world.fail("page \(index) was to be sent away with 1012 and was closed with \(code)")
        }
        guard isBlameless, world.stage != .ending else { return }
        switch code {
        case 1011 where world.mayHarmLinks:
            guard world.plan.settings.redisMaxRetries == 0 else { return }
            world.fail("page \(index) was given up, and Redis never is")
        case 1006 where world.plan.settings.memoryBudget < 256 << 20: return
        default:
            world.fail("page \(index) did nothing wrong and was closed with \(code)")
        }
    }

    /// The connection ends without a close frame.
    func checkEnd() {
        if state == .open { return checkClose(1006) }
        guard state == .requesting, isBlameless, world.stage != .ending,
            !world.plan.faults.contains(.descriptorsExhausted)
        else { return }
        world.fail("page \(index) asked for a WebSocket and got no answer")
    }

    /// The page is closed for its silence: nothing of it may have come in time, read or not.
    func checkSilence() {
        guard let connection, isDeployed || behaviour == .late, path.bytesPerSecond == nil,
            !world.plan.faults.contains(.partialRead)
        else { return }
        let silence = Nanoseconds(connection.silenceAtWrite)
        guard silence < world.plan.settings.pongTimeout else { return }
        world.fail(
            "page \(index) was closed for its silence after \(silence.milliseconds) ms of it")
    }

    /// The page was answered with another status than 101.
    func checkAnswer(_ status: Int) {
        switch (behaviour, status) {
        case (.plain, 200), (.plain, 400), (.plain, 404), (.plain, 405), (.plain, 426),
            (.plain, 503), (.malicious, _):
            break
        case (_, 503) where !world.hasServed || world.stage == .ending: break
        case (_, 408), (_, 429), (_, 503):
            if isBlameless, status == 408 { world.fail("page \(index) was answered \(status)") }
        default: world.fail("page \(index) was answered \(status)")
        }
    }

    /// All is well and a last message has been sent: the page must have it.
    func checkSettled() {
        guard wantsToBeSubscribed else { return }
        checkUntold()
        guard state == .open, told.isLive else {
            return world.fail("page \(index) is not subscribed though all is well: \(state)")
        }
        if canResume, let last = told.last, last < channel.count {
            // What it was not there for it is told of at least.
            checkLoss(of: last + 1...channel.count)
        } else if told.last != channel.count,
            !Payload.isOversized(channel.index, channel.count, world.plan)
        {
            world.fail(
                "page \(index) has message \(told.last ?? 0) and not the last one, \(channel.count)"
            )
        }
    }
}
