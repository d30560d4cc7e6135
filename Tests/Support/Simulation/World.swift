@testable import Relay

/// The simulated machine and what is around it: clocks, descriptors, the network, browsers, Redis.
///
/// Time passes only in ``wait(until:into:)`` and where the daemon is made to stand still: then
/// everything that is due outside happens, in the order of its time. All of it comes from the seed,
/// or from a test that drives the world by hand (``Hand``).
@dynamicMemberLookup
final class World {
    /// Where browsers connect.
    static let port: UInt16 = 9002
    /// Where Redis answers.
    static let redisPort: UInt16 = 6379

    let plan: Plan
    var record = Record()
    var agenda = Agenda()
    /// What the world does wrong now.
    var active: FaultSet = []
    /// The faults that were ever active at the same time, as bits of a set for each fault.
    var pairs: [UInt64]
    /// How many things have happened outside the daemon.
    var happenings: UInt64 = 0

    // Clocks.

    /// The time since the machine was started, its sleep included, in nanoseconds.
    var clock: Int64 = 1_000_000_000_000
    let start: Int64 = 1_000_000_000_000
    /// How much of that the machine has slept: the monotonic clock stands still then.
    var slept: Int64 = 0
    /// What the wall clock is ahead of the time since the start.
    var wallOffset: Int64 = 1_700_000_000_000_000_000
    /// All that ``wallOffset`` has been.
    var wallOffsets: [Int64] = [1_700_000_000_000_000_000]
    /// How the wall clock was set last, since when, and the loops of which process have read it since.
    var wallSettings: [WallSetting] = []
    /// How much faster the wall clock goes, in millionths.
    var drift: Int64 = 0
    var isAsleep = false
    /// Whether the daemon stands still, asleep or not.
    var isStandingStill = false
    /// How long the daemon has stood still, in all.
    var stoodStill: Int64 = 0
    /// A standstill that strikes at the daemon's next call but so many.
    var dueStandstill: (span: Int64, calls: Int) = (0, 0)
    var isInterrupted = false

    // The kernel.

    var connections: [Connection?] = []
    /// Descriptors that the daemon holds open, listeners left out.
    var openDescriptors = 0
    var listeners: [Listener] = []
    var readyList: [Connection] = []
    var readyHead = 0
    var signals: [Int32] = []
    /// Those of a process that was killed are nobody's any more.
    var pendingLookUps: [LookUp?] = []
    var answers: [(loop: Int, event: SysEvent)] = []
    /// The event loop whose call it is.
    var acting = 0
    /// The tokens of connections that were closed, of late.
    var formerTokens: [(loop: Int, token: Token)] = []
    var turnCount = 0
    var memoryReleases = 0
    /// Which process of the daemon it is that runs: the first is 0.
    var processNumber = 0
    /// What stands at which position of the streams that pages have heard.
    var streams = StreamRecord()
    /// Whether the daemon has served at all.
    var hasServed = false
    /// One of several event loops stands still until then, and the others go on.
    var standing: (loop: Int, until: Int64) = (-1, 0)
    /// The dials so far that are not decided or whose greeting is not answered.
    var dialsInFlight = 0
    var dialTimes: [Int64] = []

    // A test.

    /// Whether a test says when time passes, and what comes.
    var isByHand = false
    var hand = Hand()

    // Who is outside.

    var pages: [Page] = []
    var redis: RedisServer
    /// Where it is a script that answers the daemon's dials.
    var scriptedRedis: ScriptedRedis?
    var channels: [Channel] = []
    var redisPath: Path
    /// The address that Redis has now: the last part of `127.0.0.`.
    var redisHost = 1
    /// The process is to be killed after this turn, and started again after so long.
    var restart: Nanoseconds?
    /// What is wrong, once something is.
    var violation: String?
    /// When every page must be subscribed again.
    var recoveryLimit: Int64 = .max
    /// When all that was published must have arrived.
    var arrivalLimit: Int64 = .max
    /// When the daemon must have ended.
    var stopLimit: Int64 = .max
    /// Whether the daemon says, too, that it has its pages' subscriptions.
    var recovery = Recovery.unknown
    /// How far the run is.
    var stage = Stage.disturbed
    var daemonRandom: SplitMix64
    var kernelDice: Dice
    var networkDice: Dice
    var faultDice: Dice
    var actorDice: Dice
    /// Who can resume.
    var resumeDice: Dice

    /// A listening socket.
    final class Listener {
        let descriptor: Descriptor
        let token: Token
        let port: UInt16
        var isPaused = false
        var backlog: [Connection] = []
        var taken = 0

        init(_ descriptor: Descriptor, token: Token, port: UInt16) {
            self.descriptor = descriptor
            self.token = token
            self.port = port
        }

        var hasWaiting: Bool { taken < backlog.count }
    }

    /// A name look-up that is under way.
    struct LookUp {
        let token: Token
        let port: UInt16
        let loop: Int
    }

    /// What is known of the daemon's own view, which is looked at behind its next turn.
    enum Recovery {
        case unknown, asked, confirmed
    }

    /// A setting of the wall clock, and who knows of it.
    struct WallSetting {
        let since: Int64
        let offset: Int64
        var process = -1
        var loops: UInt8 = 0
    }

    /// The parts of a run.
    enum Stage: Int {
        /// Things go wrong.
        case disturbed
        /// Nothing goes wrong any more: everybody comes back.
        case recovering
        /// Every page must be subscribed, and gets a last message.
        case settled
        /// They have it, and nothing is on its way.
        case quiet
        /// Some leave for good.
        case parting
        /// They are gone, but for what is kept of those that may come back.
        case parted
        /// The daemon was asked to end.
        case ending
    }

    init(_ plan: Plan) {
        self.plan = plan
        let seed = plan.seed
        daemonRandom = SplitMix64(seed: seed ^ 0x5DEE_CE66)
        kernelDice = Dice(seed: seed, 2)
        networkDice = Dice(seed: seed, 3)
        faultDice = Dice(seed: seed, 4)
        actorDice = Dice(seed: seed, 5)
        resumeDice = Dice(seed: seed, 8)
        redisPath = Path(latency: plan.latency)
        redis = RedisServer()
        pairs = Array(repeating: 0, count: Fault.allCases.count)
        if plan.faults.contains(.clockDrift) { drift = faultDice.pick(-100...100) }
        redis.world = self
        redis.isOld = plan.faults.contains(.redisOld)
        if plan.faults.contains(.loss) { redisPath.loss = faultDice.pick(of: [0.001, 0.02]) }
        for index in 0..<plan.channels { channels.append(Channel(index)) }
        for index in 0..<plan.pages { pages.append(Page(index, in: self)) }
        planRun()
    }

    // MARK: - Clocks

    var monotonic: Int64 { clock - slept }

    /// Nanoseconds since the Unix epoch, as the machine has them.
    var wall: Int64 { clock + wallOffset + (clock - start) / 1_000_000 * drift }

    /// An event loop reads the wall clock.
    func readWall(of loop: Int) -> Int64 {
        if wallSettings.last?.offset != wallOffset {
            wallSettings.append(WallSetting(since: clock, offset: wallOffset))
        }
        let last = wallSettings.count - 1
        if wallSettings[last].process != processNumber {
            wallSettings[last].process = processNumber
            wallSettings[last].loops = 0
        }
        wallSettings[last].loops |= 1 << UInt8(loop)
        return wall
    }

    /// How the wall clock was set at a time, where an event loop of the present process knows.
    func wallOffset(at time: Int64, knownTo loop: Int) -> Int64? {
        guard let setting = wallSettings.last(where: { $0.since <= time }),
            setting.process == processNumber, setting.loops >> UInt8(loop) & 1 == 1
        else { return nil }
        return setting.offset
    }

    /// Notes what is wrong; the first finding stays.
    func fail(_ text: @autoclosure () -> String) {
        guard violation == nil else { return }
        violation = text()
    }

    func note(_ kind: Record.Kind, _ first: Int, _ second: Int = 0) {
        record.note(kind, at: clock, Int64(first), Int64(second))
    }

    func plan(_ kind: Happening.Kind, in span: Nanoseconds, _ subject: Int, _ detail: Int = 0) {
        agenda.plan(kind, at: clock + max(0, span.count), subject, detail)
    }

    /// The daemon reads the boot clock.
    func readClock() -> Int64 {
        spend()
        return clock
    }

    /// Whether any link to Redis may have been lost without a fault of the daemon's.
    var mayHarmLinks: Bool {
        // A standstill of minutes fills a shared link's buffer without any fault of Redis's.
        redis.hasOverrun || plan.faults.list.contains { $0.harmsLinks }
    }

    /// The channel that the daemon's user may not subscribe to for a while.
    var denied: Channel? {
        guard plan.faults.contains(.redisNoPermission), !channels.isEmpty else { return nil }
        return channels[Int(plan.seed % UInt64(channels.count))]
    }

    func channel(named name: [UInt8]) -> Channel? {
        // The name is "run", its number, ":status".
        guard let index = Int(String(decoding: name.dropFirst(3).dropLast(7), as: UTF8.self)),
            channels.indices.contains(index), channels[index].name == name
        else { return nil }
        return channels[index]
    }

    // MARK: - Time passes

    /// Lets happen what is due by now.
    func catchUp() {
        while let time = agenda.nextTime, time <= clock, let next = agenda.next() { happen(next) }
    }

    /// Lets time pass in which the daemon does nothing.
    func pass(_ span: Int64) {
        let target = clock + span
        while let time = agenda.nextTime, time <= target, let next = agenda.next() {
            clock = max(clock, time)
            happen(next)
        }
        clock = max(clock, target)
    }

    /// The daemon stands still, and everything else goes on.
    func standStill(_ wanted: Int64) {
        let span = withinDisturbance(wanted)
        note(.standstill, Int(span))
        stoodStill += span
        isStandingStill = true
        pass(span)
        isStandingStill = isAsleep
    }

    /// The machine sleeps: the monotonic clock stands still, and nothing reaches it.
    func sleep(_ wanted: Int64) {
        guard !isAsleep else { return }
        let span = withinDisturbance(wanted)
        note(.suspend, Int(span))
        isAsleep = true
        isStandingStill = true
        stoodStill += span
        let begun = clock
        pass(span)
        slept += clock - begun
        isAsleep = false
        isStandingStill = false
    }

    /// A span that ends before things cease to go wrong.
    func withinDisturbance(_ span: Int64) -> Int64 {
        max(0, min(span, start + plan.duration.count - clock - 1_000_000))
    }

    func happen(_ next: Happening) {
        happenings += 1
        let subject = Int(next.subject)
        switch next.kind {
        case .outbound: moveOutbound(subject)
        case .inbound: moveInbound(subject)
        case .resetArrives: resetArrives(subject)
        case .resetLeaves: resetLeaves(subject)
        case .dialDecided: decideDial(subject)
        case .arrival: arrive(pages[subject], Int(next.detail))
        case .keepAlive: probe(subject)
        case .browser: pages[subject].act(Int(next.detail))
        case .publish: channels[subject].publishNext(in: self, Int(next.detail))
        case .lookUp: answerLookUp(subject)
        case .fault: changeFault(subject, Int(next.detail))
        case .redis where subject == 1: redis.beginStandstill(Int(next.detail))
        case .redis where subject == 2: redis.elect(Int(next.detail))
        case .redis: redis.change(Int(next.detail))
        case .stage: enter(Stage(rawValue: subject) ?? .ending)
        case .script: isInterrupted = true
        }
    }

    /// The daemon has made a call; it may take time, and the process may be stopped in it.
    func spend() {
        guard !isByHand else { return }
        clock += 1_000 + Int64(kernelDice.bits() & 0x3FFF)
        if plan.faults.contains(.slowTurn), stage == .disturbed,
            kernelDice.chance(plan.mischief / 20)
        {
            clock += kernelDice.pick(1_000_000...60_000_000)
        }
        guard dueStandstill.span > 0 else { return }
        dueStandstill.calls -= 1
        guard dueStandstill.calls <= 0 else { return }
        let span = dueStandstill.span
        dueStandstill.span = 0
        standStill(span)
    }
}
