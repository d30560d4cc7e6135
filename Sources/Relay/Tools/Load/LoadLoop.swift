import RESP
import WSFrame

/// A page with its socket and what it has received.
struct LoadEntry {
    /// Its number, from 0.
    let index: Int
    let channel: Int
    let isSlow: Bool
    var page: LoadPage
    var socket: Socket
    var sequence = SequenceChecker()
    /// What is sent once the dial has succeeded.
    var request: [UInt8] = []
    /// The sender whose numbers are followed; nil until one is known.
    var sender: UInt32?
}

/// A channel that is published to.
struct LoadChannel {
    let name: [UInt8]
    let path: String
    var ledger = PublishLedger()
}

/// Pages, a publisher and the accounts of a load, on one event loop.
///
/// What is measured is taken from the boot clock at the moment of reading, not from the loop's own
/// time, which leaves out standstills and stands still during a turn.
struct LoadLoop<S: Sys & ~Copyable>: ~Copyable {
    /// Dials begun in one turn, at most.
    static var dialLimit: Int { 128 }
    /// Messages published in one turn, at most.
    static var publishLimit: Int { 1024 }
    /// Unsent bytes to Redis over which no more is published.
    static var publisherOutputLimit: Int { 8 << 20 }
    /// The longest sleep, so that the lag of the loop is always seen.
    static var longestSleep: Nanoseconds { .milliseconds(10) }
    /// How long Redis is waited for at the start.
    static var redisLimit: Nanoseconds { .seconds(10) }
    /// The wait before Redis is dialled again.
    static var redisPause: Nanoseconds { .milliseconds(200) }

    enum Phase: Equatable {
        /// Redis is to be reached.
        case preparing
        /// Pages come; messages are not sent yet.
        case opening
        case measuring
        /// The time is over; what is under way may come.
        case draining
        case over
    }

    var loop: EventLoop<S>
    let options: LoadOptions
    let relayAddress: SocketAddress
    let redisAddress: SocketAddress?
    var phase = Phase.preparing
    /// When the present phase began, and when it ends at the latest.
    var phaseBegun: BootTime
    var phaseEnd: BootTime
    /// Why the run could not go on.
    var failure: String?

    var pages = Slab<LoadEntry>()
    var order: [SlotID] = []
    var channels: [LoadChannel]
    var liveCount = 0
    var goneCount = 0
    /// Pages of `order` that have been dialled for the first time.
    var dialled = 0

    var publisher = LoadPublisher()
    var publisherSocket: Socket
    var encoder = RESPEncoder()
    var payload: [UInt8] = []
    let sender: UInt32
    let pace: LoadPace
    /// The number of the message that is due next.
    var nextMessage: UInt64 = 0
    var isRedisConnected = false
    var redialAt = BootTime.never
    /// What the boot clock lacks to the Unix epoch.
    let unixOffset: Nanoseconds

    var tally = LoadTally()
    var measuredFrom: BootTime?
    var measured = Nanoseconds.zero
    let wakeUp: TimerID
    /// When the loop means to go on.
    var wakeUpDue = BootTime.never
    /// The phase that progress was last told of.
    var toldPhase = Phase.preparing
    /// By how much the loop woke up late for the present turn.
    var lag = Nanoseconds.zero
    /// The figures of the last second.
    var second = LoadSecond()
    var random: SplitMix64

    // Storage that is used again in every turn.
    var frame: [UInt8] = []
    private var events: [SysEvent] = []
    private var fired: [Token] = []
    private var dirty: [Token] = []

    init(
        sys: consuming S, options: LoadOptions, relay: SocketAddress, redis: SocketAddress?
    ) {
        loop = EventLoop(sys: sys)
        self.options = options
        relayAddress = relay
        redisAddress = redis
        phaseBegun = loop.boot
        phaseEnd = loop.boot + Self.redisLimit
        channels = (0..<options.channels).map { index in
            let name = options.channelName(index)
            return LoadChannel(
                name: Array(name.utf8), path: "\(options.target.prefix)/\(name)")
        }
        pace = LoadPace(
            rate: options.rate, duration: options.duration, shape: options.paceShape)
        unixOffset = Nanoseconds(loop.sys.unixTime()) - Nanoseconds(loop.sys.now().nanoseconds)
        random = SplitMix64(seed: loop.sys.random())
        sender = UInt32(truncatingIfNeeded: random.next())
        publisherSocket = loop.makeSocket(token: Token(.link))
        wakeUp = loop.makeTimer(token: Token(.gate))
    }

    // MARK: - Turns

    /// Runs until the load is over or a signal comes.
    mutating func run(progress: (String) -> Void) -> LoadResult {
        begin()
        while phase != .over {
            turn()
            if let line = takeProgress() { progress(line) }
        }
        return settle()
    }

    /// Begins with Redis, or with the pages where nobody is to be published to.
    mutating func begin() {
        redisAddress == nil ? enter(.opening) : dialRedis()
    }

    /// One turn of the loop: events, timers, what is due by the clock, and the writes it all led to.
    mutating func turn() {
        armWakeUp()
        var events = take(&self.events)
        loop.wait(into: &events)
        lag = max(.zero, loop.sys.now() - wakeUpDue)
        for event in events { handle(event) }
        events.removeAll(keepingCapacity: true)
        self.events = events

        var fired = take(&self.fired)
        _ = loop.fireTimers(into: &fired)
        for token in fired where token.kind == .client { handleTimer(token.id) }
        fired.removeAll(keepingCapacity: true)
        self.fired = fired

        let now = loop.sys.now()
        // A turn that does much is late for what comes meanwhile, as one that begins late is.
        if now >= wakeUpDue { tally.loopLag.record(now - wakeUpDue) }
        goOn(now)
        publishDue()
        dialDue(now)
        flushDirty()
    }

    private mutating func handle(_ event: SysEvent) {
        switch event {
        case .socket(let token, let readable, let writable):
            if token.kind == .link {
                publisherEvent(readable: readable, writable: writable)
            } else if pages.contains(token.id), pages[token.id].socket.isOpen {
                pageEvent(token.id, readable: readable, writable: writable)
            }
        case .signal:
            if failure == nil, phase == .preparing { failure = "interrupted" }
            if let begun = measuredFrom, phase == .measuring { measured = loop.sys.now() - begun }
            enter(.over)
        case .resolved:
            break
        }
    }

    /// Sees to it that the loop goes on when the next thing is due by the clock.
    private mutating func armWakeUp() {
        let now = loop.sys.now()
        var due = min(now + Self.longestSleep, phaseEnd)
        if phase == .measuring, let next = pace.due(nextMessage) {
            due = min(due, phaseBegun + next)
        }
        if let next = nextDial() { due = min(due, next) }
        wakeUpDue = max(now, due)
        loop.arm(wakeUp, at: loop.now + (wakeUpDue - loop.boot))
    }

    // MARK: - Phases

    /// Goes from phase to phase.
    private mutating func goOn(_ now: BootTime) {
        switch phase {
        case .preparing:
            if now >= phaseEnd {
                failure = "no connection to Redis: \(tally.redisComplaint ?? "no answer")"
                enter(.over)
            }
        case .opening:
            let isSettled = dialled == order.count && liveCount + goneCount == order.count
            if isSettled || now >= phaseEnd { enter(.measuring) }
        case .measuring:
            if now >= phaseEnd {
                measured = now - phaseBegun
                enter(.draining)
            }
        case .draining:
            let isComplete = tally.delivered >= tally.due && publisher.unansweredCount == 0
            if (isComplete && options.redis != nil) || now >= phaseEnd { enter(.over) }
        case .over: break
        }
        if redialAt <= now { dialRedis() }
    }

    mutating func enter(_ next: Phase) {
        let now = loop.sys.now()
        phase = next
        phaseBegun = now
        switch next {
        case .preparing: break
        case .opening:
            makePages(now)
            phaseEnd = now + options.ramp + LoadPage.openLimit
            // Pages that come while the rate grows are part of what is measured.
            if options.scenario == .ramp { enter(.measuring) }
        case .measuring:
            measuredFrom = now
            phaseEnd = now + options.duration
        case .draining: phaseEnd = now + options.drain
        case .over: phaseEnd = .never
        }
    }

    /// Makes the records of all pages, to be dialled over the ramp.
    private mutating func makePages(_ now: BootTime) {
        let ramp: Nanoseconds =
            switch options.scenario {
            case .connectStorm: .zero
            case .ramp: options.duration
            case .steady, .burst, .slowReaders, .reconnect: options.ramp
            }
        for index in 0..<options.sockets {
            let share = Double(index) / Double(options.sockets)
            let due = now + Nanoseconds(Int64(Double(ramp.count) * share))
            order.append(
                pages.insert { id in
                    LoadEntry(
                        index: index, channel: index % options.channels,
                        isSlow: options.isSlow(index),
                        page: LoadPage(
                            dialDue: due, pingInterval: options.pingInterval,
                            policy: options.returns, dialect: options.dialect),
                        socket: loop.makeSocket(token: Token(.client, id)))
                })
        }
    }

    /// Settles the accounts of every page.
    private mutating func settle() -> LoadResult {
        var result = LoadResult(options: options, tally: tally, measured: measured)
        let now = loop.sys.now()
        for id in order where !pages[id].isSlow {
            let ledger = channels[pages[id].channel].ledger
            if pages[id].page.isLive {
                let published = options.redis == nil ? nil : ledger.published
                pages[id].sequence.endOfRun(published: published)
                if let lateness = pages[id].page.heartbeat.overdue(at: now) {
                    result.tally.noteHeartbeat(lateness, lag: .zero)
                }
            } else {
                result.absentPages += 1
            }
            let sequence = pages[id].sequence
            result.lost += sequence.unlisted
            result.missed += sequence.missedAtEnds
            for range in sequence.missing {
                let excused = ledger.excusedCount(in: range)
                result.missed += excused
                result.lost += UInt64(range.count) - excused
            }
        }
        return result
    }

    // MARK: - Sending

    private mutating func flushDirty() {
        var dirty = take(&self.dirty)
        loop.takeDirty(into: &dirty)
        for token in dirty {
            if token.kind == .link {
                flushPublisher()
            } else if pages.contains(token.id) {
                flushPage(token.id)
            }
        }
        dirty.removeAll(keepingCapacity: true)
        self.dirty = dirty
    }
}
