@testable import Relay
@testable import Simulation

/// Several event loops of one daemon on a simulated machine, in one thread: a test says which of them
/// turn.
final class SimulatedLoops {
    /// One loop; an array cannot hold what cannot be copied.
    private final class Loop {
        var relay: Relay<SimulatedSys>
        init(_ relay: consuming Relay<SimulatedSys>) { self.relay = relay }
    }

    let world = World()
    let log = CapturedLog()
    let redis: SimulatedRedis
    let share: ProcessShare
    /// The loops that stand still.
    var standing: Set<Int> = []
    /// The lines of the trace.
    let traced = CapturedTrace(capacity: 1 << 20, format: .text)
    private var loops: [Loop] = []

    init(
        _ count: Int, connectionLimit: Int = 1000, clientLimit: Int = 2000,
        service: ServiceOptions = ServiceOptions(),
        _ change: (inout Settings) -> Void = { _ in }
    ) {
        var settings = Settings()
        settings.listenAddress = .tcp(host: "127.0.0.1", port: SimulatedDaemon.port)
        settings.redis.address = .tcp(host: "redis.test", port: SimulatedDaemon.redisPort)
        settings.loops = count
        change(&settings)
        redis = SimulatedRedis(world)
        share = ProcessShare(settings, wakes: Array(repeating: {}, count: count))
        for loop in 0..<count {
            let log = log
            let traced = traced
            let relay = Relay(
                sys: SimulatedSys(world: world, loop: loop), settings: settings,
                options: RelayOptions(
                    connectionLimit: connectionLimit, clientLimit: clientLimit,
                    release: Release(revision: "test"), service: service, openTrace: { traced }),
                log: RelayLog { label in
                    JSONLogHandler(label: label, level: .debug, sink: log, now: { 0 })
                },
                place: LoopPlace(share: share, index: loop))
            loops.append(Loop(relay))
        }
        for loop in loops { loop.relay.start() }
        settle()
    }

    func phase(_ loop: Int) -> RelayPhase { loops[loop].relay.phase }
    func metrics(_ loop: Int) -> Metrics { loops[loop].relay.metrics }
    func watch(_ loop: Int) -> LoopWatch { loops[loop].relay.watch }
    func isTracing(_ loop: Int) -> Bool { loops[loop].relay.links.trace != nil }
    func bytesHeld(_ loop: Int) -> Int { loops[loop].relay.context.loop.bufferedBytes }
    /// The WebSockets and other connections of each loop.
    var connections: [Int] { share.loops.map(\.connectionCount) }

    private func isStopped(_ loop: Int) -> Bool {
        if case .stopped = loops[loop].relay.phase { return true }
        return false
    }

    private func nextWakeUp(_ loop: Int) -> Instant? {
        loops[loop].relay.context.loop.nextWakeUp.map { Instant(nanoseconds: $0.nanoseconds) }
    }

    private var turning: [Int] { loops.indices.filter { !standing.contains($0) && !isStopped($0) } }

    /// Turns the loops until none of them has anything left to do at this instant.
    func settle() {
        for _ in 0..<10_000 {
            redis.serve()
            let busy = turning.filter { loop in
                world.hasEvents(of: loop) || !share.loops[loop].inbox.isEmpty
                    || (nextWakeUp(loop).map { $0 <= world.now } ?? false)
            }
            if busy.isEmpty { return }
            for loop in busy { loops[loop].relay.turn() }
        }
        preconditionFailure("the loops turn without end")
    }

    /// Lets time pass, stopping at every timer of a loop that turns.
    func advance(_ span: Nanoseconds) {
        let target = world.now + span
        while true {
            settle()
            let next = turning.compactMap { loop in nextWakeUp(loop).map { (loop, $0) } }
                .min { $0.1 < $1.1 }
            guard let (loop, instant) = next, instant <= target else { break }
            world.wakeUp = instant
            loops[loop].relay.turn()
        }
        world.clock = max(world.clock, target.nanoseconds)
        settle()
    }

    /// Opens a TCP connection as a browser would.
    func connect(from host: String = "10.0.0.1") -> SimulatedPage {
        guard let connection = world.connect(port: SimulatedDaemon.port, from: host) else {
            preconditionFailure("the daemon does not listen")
        }
        return SimulatedPage(connection)
    }

    /// Sends a request and lets the daemon answer.
    func get(_ path: String) -> SimulatedPage {
        let page = connect()
        page.send("GET \(path) HTTP/1.1\r\nHost: relay.test\r\n\r\n")
        settle()
        page.read()
        return page
    }

    /// Opens a WebSocket and lets the daemon answer.
    func open(
        _ path: String = "/run:status", from host: String = "10.0.0.1", headers: [String] = []
    ) -> SimulatedPage {
        let page = connect(from: host)
        page.sendUpgrade(path, headers: headers)
        settle()
        return page
    }
}
