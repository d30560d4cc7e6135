@testable import Relay

/// What a page keeps that can resume, as the browser's client does, and what is known of its streams.
struct ResumeMemory {
    /// A place in a stream, as frames tell it.
    struct Position: Equatable {
        let epoch: String
        var number: Int

        init(epoch: String, number: Int) {
            self.epoch = epoch
            self.number = number
        }

        init?(_ text: some StringProtocol) {
            let parts = text.split(separator: "-", omittingEmptySubsequences: false)
            guard parts.count == 2, parts[0].utf8.count == 30, let number = Int(parts[1]) else {
                return nil
            }
            self.init(epoch: String(parts[0]), number: number)
        }

        var text: String { "\(epoch)-\(number)" }
    }

    /// The position of the last thing that it has had.
    var last: Position?
    /// What it has asked for on the present connection.
    var asked: Position?
    /// The position of the present connection's first ping.
    var offered: Position?
    /// The position of the last message of the present connection, or of its first ping.
    var present: Position?
    /// Whether it was told on the present connection that it could not resume.
    var isBehindGap = false
    /// When the last connection on which it was live had ended, as the daemon has it.
    var endedAt: Int64 = 0
    /// The process, by number, that has the present connection, and that with which it was live last.
    var (presentProcess, process) = (0, 0)
    /// When it first heard of the present stream.
    var liveSince = Int64.max
    /// Whether it has said good-bye.
    var hasSaidGoodbye = false
}

/// Which message stands at which position: the same for all pages.
struct StreamRecord {
    /// The channel of each epoch, and its messages: that with position 1 first, 0 for what no page has
    /// had.
    private var streams: [String: (channel: Int, numbers: [Int])] = [:]

    /// Notes a message; false where another one has the position, or another channel the epoch.
    mutating func note(_ position: ResumeMemory.Position, channel: Int, number: Int) -> Bool {
        var stream = streams[position.epoch] ?? (channel, [])
        guard stream.channel == channel, (0...1_000_000).contains(position.number) else {
            return false
        }
        // A page that was told a position alone has had no message yet.
        guard position.number > 0, number > 0 else {
            streams[position.epoch] = stream
            return true
        }
        while stream.numbers.count < position.number { stream.numbers.append(0) }
        let known = stream.numbers[position.number - 1]
        stream.numbers[position.number - 1] = number
        streams[position.epoch] = stream
        return known == 0 || known == number
    }
}

// What a page does that can resume, and what it must get.
extension Page {
    private static let status = Array(#"{"type":"status","id":""#.utf8)
    private static let data = Array(#"","data":""#.utf8)
    private static let ping = Array(#"{"type":"ping","id":""#.utf8)

    /// Whether the daemon tells it positions.
    var canResume: Bool { resumes && world.plan.settings.resumeWindow > .zero }

    /// What its request asks for.
    var query: String { resumes ? "?resume=\(memory.asked?.text ?? "1")" : "" }

    /// A connection is made: it asks for what it has missed.
    func beginResuming() {
        memory.presentProcess = world.processNumber
        memory.asked = memory.last
        memory.offered = nil
        memory.present = nil
        memory.isBehindGap = false
    }

    /// The connection has ended.
    func noteEnd(of connection: Connection?) {
        guard told.isLive else { return }
        memory.endedAt = min(world.clock, connection?.closedAt ?? world.clock)
    }

    /// It forgets all: another page is loaded.
    func forgetStream() { memory = ResumeMemory() }

    // MARK: - Frames with positions

    /// The position of a first ping; nil where the text is none.
    func positionOfPing(_ text: ArraySlice<UInt8>) -> ResumeMemory.Position? {
        guard canResume, !told.isLive, text.starts(with: Self.ping), text.suffix(2) == [0x22, 0x7D]
        else { return nil }
        let id = text.dropFirst(Self.ping.count).dropLast(2)
        return ResumeMemory.Position(String(decoding: id, as: UTF8.self))
    }

    /// The first ping tells where the stream is.
    func begin(at position: ResumeMemory.Position) {
        memory.offered = position
        memory.present = position
        memory.process = memory.presentProcess
        if position.epoch != memory.last?.epoch { memory.liveSince = world.clock }
        if !world.streams.note(position, channel: channel.index, number: 0) {
            world.fail("page \(index) was told the position of another channel's stream")
        }
        if let asked = memory.asked, !memory.isBehindGap, position != asked {
            world.fail("page \(index) asked for \(asked.text) and is at \(position.text)")
        }
        if memory.isBehindGap || position.epoch != memory.last?.epoch { memory.last = position }
    }

    /// A status frame with its position; the data as they stand in the JSON.
    func takeNumbered(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard canResume, text.starts(with: Self.status) else { return nil }
        let rest = text.dropFirst(Self.status.count)
        guard let quote = rest.firstIndex(of: 0x22), rest[quote...].starts(with: Self.data),
            let position = ResumeMemory.Position(String(decoding: rest[..<quote], as: UTF8.self))
        else { return nil }
        if var present = memory.present {
            present.number += 1
            if position != present {
                world.fail(
                    "page \(index) got the message at \(position.text) and not at \(present.text)")
            }
        }
        memory.present = position
        memory.last = position
        return rest[(quote + Self.data.count)...]
    }

    /// A message has come: the same for all that are told its position.
    func checkPosition(ofMessage number: Int) {
        guard canResume, let present = memory.present,
            !world.streams.note(present, channel: channel.index, number: number)
        else { return }
        world.fail("page \(index) got message \(number) at the position of another")
    }

    /// Whether a notice that ends then is of what was before the page heard of its stream, as one is
    /// for a page that was let in without its subscription: who comes back is told of it again.
    func isOfBeforeItsTime(until milliseconds: Int64) -> Bool {
        guard canResume, memory.liveSince != .max else { return false }
        let drift = (memory.liveSince - world.start) / 1_000_000 * world.drift
        // The daemon knows its wall clock to two milliseconds, and rounds outwards.
        return world.wallOffsets.contains { offset in
            milliseconds <= (memory.liveSince + drift + offset) / 1_000_000 + 3
        }
    }

    // MARK: - What it cannot have

    /// The page is told that it could not resume: there must be a reason.
    func takeFailedResume() {
        guard let asked = memory.asked, canResume else {
            return world.fail("page \(index) could not resume, and has not asked for it")
        }
        if memory.isBehindGap { world.fail("page \(index) was told twice that it cannot resume") }
        memory.isBehindGap = true
        // Where memory ran short it has had a part of what it has missed, and not the rest.
        if memory.offered != nil { memory.present = nil }
        // A process does not know how the wall clock was set under the former one: where it was
        // set back since, the time of the stream's beginning says nothing by the clock as it is now.
        if memory.process != memory.presentProcess, let gap = told.gaps.last,
            world.wallOffsets.contains(where: { $0 > world.wallOffset })
        {
            told.gaps.append(0...gap.upperBound)
        }
        if mustBeHeld {
            world.fail("page \(index) could not resume at \(asked.text), though nothing was wrong")
        }
    }

    /// Whether all that it has missed must be there: nothing has happened that ends a stream, its
    /// window is not over, and the messages are not too long.
    private var mustBeHeld: Bool {
        let settings = world.plan.settings
        guard !world.mayHarmLinks, channel !== world.denied,
            memory.process == memory.presentProcess,
            settings.memoryBudget >= 256 << 20, world.stage != .ending,
            world.pages.count < Hub.keptLimit
        else { return false }
        // The daemon counts from when it took the page for gone, which is before the handshake's end.
        let handshake = ClientConnection.closeLimit + ClientConnection.lingerLimit
        let away = Nanoseconds(world.clock - memory.endedAt) + handshake + world.plan.lateness
        guard away < settings.resumeWindow else { return false }
        var bytes = 0
        var number = told.last ?? 0
        while number < channel.count {
            number += 1
            if !Payload.isOversized(channel.index, number, world.plan) {
                bytes += Payload.make(channel.index, number, world.plan).count
                bytes += ResumeStream.messageCost
            }
        }
        return bytes <= settings.resumeChannelBytes
    }
}

// What the daemon keeps for pages that may come back.
extension Page {
    /// The daemon has closed a connection of the page: it may keep its subscription for a while.
    func noteClose() {
        guard canResume, !memory.hasSaidGoodbye else { return }
        channel.keptSince.append(world.clock)
    }
}

extension World {
    /// How long the daemon may keep a subscription, with what it needs to find that it is over.
    var keepingLimit: Nanoseconds {
        // The daemon's time leaves standstills out, of which there are none in the end.
        let stops = stage == .parted ? Nanoseconds(stoodStill + slept) : .zero
        return plan.settings.resumeWindow + Relay<SimulatedSys>.upkeepInterval + plan.lateness
            + .seconds(2) + stops
    }

    /// How many subscriptions of a channel may be kept for pages that may come back.
    func keptSubscriptions(of channel: Channel) -> Int {
        let earliest = clock - keepingLimit.count
        channel.keptSince.removeAll { $0 < earliest }
        let isShared = plan.settings.redisSubscriptions == .shared
        return isShared ? min(plan.loops, channel.keptSince.count) : channel.keptSince.count
    }
}
