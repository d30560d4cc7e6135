import Logging

@testable import Relay

/// The daemon's process on the simulated machine: its event loops, which turn in one thread in an order
/// of chance, and what they share.
final class DaemonProcess {
    /// One event loop; an array cannot hold what cannot be copied.
    final class Loop {
        var relay: Relay<SimulatedSys>
        var checks: Checks

        init(_ relay: consuming Relay<SimulatedSys>, _ checks: Checks) {
            self.relay = relay
            self.checks = checks
        }

        var isStopped: Bool {
            if case .stopped = relay.phase { true } else { false }
        }

        /// When the loop wants to go on.
        var nextWakeUp: Int64 { relay.context.loop.nextWakeUp?.nanoseconds ?? .max }
    }

    let share: ProcessShare
    let loops: [Loop]
    private let world: World
    private var checks: ProcessChecks

    /// Makes the process; ``start()`` begins.
    init(
        in world: World, options: RelayOptions,
        log: @escaping (String) -> any LogHandler = { _ in SilentLog() }
    ) {
        self.world = world
        let plan = world.plan
        let settings = plan.settings
        let share = ProcessShare(settings, wakes: Array(repeating: {}, count: plan.loops))
        self.share = share
        loops = share.loops.indices.map { index in
            var relay = Relay(
                sys: SimulatedSys(world: world, loop: index), settings: settings,
                options: options, log: RelayLog(log), place: LoopPlace(share: share, index: index))
            relay.context.loop.timerLimit = plan.timerLimit
            return Loop(relay, Checks(plan))
        }
        checks = ProcessChecks(plan)
    }

    /// Whether every subscription that a page hears is in force: one that is kept for pages that may come
    /// back stands for none of them.
    private var isEveryPageLive: Bool {
        loops.allSatisfy { loop in
            loop.relay.hub.ids.allSatisfy { id in
                guard !loop.relay.hub[id].pages.isEmpty else { return true }
                guard loop.relay.hub[id].state == .acknowledged, let link = loop.relay.hub[id].link
                else { return false }
                return loop.relay.links.entries[link].machine.isLive
            }
        }
    }

    func start() {
        for loop in loops { loop.relay.start() }
    }

    /// How far the process is: its first loop ends last.
    var phase: RelayPhase { loops[0].relay.phase }

    /// One turn of one of the loops, and a look at what it has come to.
    func turn() {
        guard let index = nextLoop() else { return }
        world.acting = index
        loops[index].relay.turn()
        if loops.allSatisfy({ $0.relay.phase == .serving }) { world.hasServed = true }
        loops[index].checks.look(at: loops[index].relay, in: world)
        checks.look(at: self, in: world)
        if world.recovery == .asked {
            world.recovery = isEveryPageLive ? .confirmed : .unknown
        }
        if case .stopped(let fatal) = phase { checks.lookAtEnd(of: self, fatal: fatal, in: world) }
    }

    // MARK: - Several loops

    /// The loop that turns next; where there are several, time passes until one has something to do.
    private func nextLoop() -> Int? {
        guard loops.count > 1 else { return 0 }
        while world.violation == nil {
            world.catchUp()
            let busy = loops.indices.filter(isBusy)
            if !busy.isEmpty { return world.kernelDice.pick(of: busy) }
            let awake = loops.indices.filter { !loops[$0].isStopped && !isStanding($0) }
            var end = awake.map { loops[$0].nextWakeUp }.min() ?? .max
            if isStanding(world.standing.loop) { end = min(end, world.standing.until) }
            world.step(until: end)
        }
        return nil
    }

    private func isStanding(_ index: Int) -> Bool {
        index == world.standing.loop && world.clock < world.standing.until
    }

    private func isBusy(_ index: Int) -> Bool {
        guard !loops[index].isStopped, !isStanding(index) else { return false }
        return world.isInterrupted || world.hasEvents(of: index)
            || !share.loops[index].inbox.isEmpty || loops[index].nextWakeUp <= world.clock
    }
}
