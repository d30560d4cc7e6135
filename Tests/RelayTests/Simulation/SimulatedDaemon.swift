import Logging
@testable import Relay
@testable import Simulation
import Synchronization

/// The relay on the simulated machine, driven by hand, turn by turn.
final class SimulatedDaemon {
    /// Where browsers connect.
    static let port: UInt16 = 9002
    /// Where the simulated Redis answers; the embedded broker has another.
    static let redisPort: UInt16 = 6379

    let world = World()
    let log = CapturedLog()
    private(set) var relay: Relay<SimulatedSys>
    /// Redis at the other end of each connection that the daemon makes.
    let redis: SimulatedRedis
    /// The lines of the trace.
    let traced: CapturedTrace
    /// Turns of the loop so far.
    private(set) var turns = 0

    init(
        _ change: (inout Settings) -> Void = { _ in }, connectionLimit: Int = 1000,
        mostConnections: Int = 10_000, clientLimit: Int = 2000,
        embeddedBroker: EmbeddedBrokerAddress? = nil, dialPolicy: World.DialPolicy = .accept,
        redisErrors: [String: String] = [:], trace: TraceOptions = TraceOptions(),
        traceCapacity: Int = 1 << 20, tls: TLSContext? = nil, redisTLS: TestTLSServer? = nil,
        refreshRedis: (@Sendable () -> RedisRefresh)? = nil,
        service: ServiceOptions = ServiceOptions(),
        prepare: (SimulatedRedis, World) -> Void = { _, _ in }
    ) {
        var settings = Settings()
        settings.listenAddress = .tcp(host: "127.0.0.1", port: Self.port)
        settings.redis.address = .tcp(host: "redis.test", port: Self.redisPort)
        change(&settings)
        let log = log
        world.dialPolicy = dialPolicy
        redis = SimulatedRedis(world)
        redis.errors = redisErrors
        redis.tls = redisTLS
        // A Redis without TLS has no answer to a handshake.
        redis.isSilent = tls != nil && redisTLS == nil
        prepare(redis, world)
        let traced = CapturedTrace(capacity: traceCapacity, format: trace.format)
        self.traced = traced
        relay = Relay(
            sys: SimulatedSys(world: world), settings: settings,
            options: RelayOptions(
                embeddedBroker: embeddedBroker, connectionLimit: connectionLimit,
                mostConnections: mostConnections, clientLimit: clientLimit,
                release: Release(revision: "test"), service: service,
                trace: trace, openTrace: { traced }, refreshRedis: refreshRedis),
            log: RelayLog { label in
                JSONLogHandler(label: label, level: .debug, sink: log, now: { 0 })
            }, tls: tls)
        relay.start()
        settle()
    }

    var now: Instant { world.now }
    var metrics: Metrics { relay.metrics }
    var phase: RelayPhase { relay.phase }

    /// When the daemon wants to go on, in the world's time.
    private var nextWakeUp: Instant? {
        relay.context.loop.nextWakeUp.map { Instant(nanoseconds: $0.nanoseconds) }
    }

    /// The process is stopped for so long, or the machine sleeps; what is sent meanwhile waits in the
    /// sockets.
    func standStill(for span: Nanoseconds) { world.standStill(for: span) }

    /// One turn of the loop.
    func turn() {
        turns += 1
        relay.turn()
    }

    /// Turns the loop until nothing is left to do at this instant.
    func settle() {
        for _ in 0..<10_000 {
            if case .stopped = relay.phase { return }
            redis.serve()
            let isTimerDue = nextWakeUp.map { $0 <= now } ?? false
            guard world.hasEvents || isTimerDue else { return }
            turn()
        }
        preconditionFailure("the loop turns without end")
    }

    /// Lets time pass, stopping at every timer on the way.
    func advance(_ span: Nanoseconds) {
        let target = now + span
        while true {
            settle()
            if case .stopped = relay.phase { return }
            guard let next = nextWakeUp, next <= target else { break }
            sleep(until: next)
        }
        sleep(until: target)
        settle()
    }

    /// One turn of the loop, whose wait ends at `instant`.
    private func sleep(until instant: Instant) {
        world.wakeUp = instant
        turn()
    }

    /// Opens a TCP connection as a browser would.
    func connect(from host: String = "10.0.0.1") -> SimulatedPage {
        guard let connection = world.connect(port: Self.port, from: host) else {
            preconditionFailure("the daemon does not listen")
        }
        return SimulatedPage(connection)
    }

    /// Whether the daemon takes new connections.
    var isListening: Bool { world.connect(port: Self.port) != nil }

    /// Sends a request and lets the daemon answer.
    func get(_ path: String, method: String = "GET", headers: [String] = []) -> SimulatedPage {
        let page = connect()
        let lines = ["\(method) \(path) HTTP/1.1", "Host: relay.test"] + headers
        page.send(lines.joined(separator: "\r\n") + "\r\n\r\n")
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

/// Log lines, kept for the test.
final class CapturedLog: LogSink {
    private let captured = Mutex<[String]>([])

    func write(_ line: [UInt8]) {
        captured.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
    }

    /// The lines of failures of links, of the probe's too.
    var linkFailures: [String] {
        lines("\"redis unavailable, retrying\"") + lines("\"redis subscribe failed\"")
            + lines("\"redis stream interrupted\"")
    }

    /// The lines with this text in them.
    func lines(_ text: String) -> [String] {
        captured.withLock { $0.filter { $0.contains(text) } }
    }
}

/// The queue of the trace, emptied only when the test reads it.
final class CapturedTrace: LogSink {
    private let queue: Mutex<LineQueue>

    init(capacity: Int, format: TraceOptions.Format) {
        queue = Mutex(
            LineQueue(capacity: capacity) {
                TraceFormatter.line(dropped: $0, at: 0, format: format)
            })
    }

    func write(_ line: [UInt8]) {
        _ = queue.withLock { $0.append(line) }
    }

    /// Lines that were dropped so far.
    var dropped: UInt64 { queue.withLock { $0.dropped } }

    /// Takes what waits.
    func takeText() -> String {
        String(decoding: queue.withLock { $0.takeAll() }, as: UTF8.self)
    }

    /// Takes what waits: the lines without their times.
    func takeLines() -> [String] {
        takeText().split(separator: "\n").map { line in
            line.split(separator: " ", maxSplits: 1).last.map(String.init) ?? ""
        }
    }
}
