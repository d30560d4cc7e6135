import Logging

@testable import Relay

/// One run: the daemon in the world that a seed has made, until it has ended or something is wrong.
final class Simulation {
    /// What came of a run.
    struct Outcome {
        /// What is wrong; nil where nothing is.
        var violation: String?
        /// The hash of all that has happened.
        var hash: UInt64 = 0
        /// The time that has passed in the world.
        var span = Nanoseconds.zero
        /// The turns of the daemon's loop and what happened outside it.
        var events: UInt64 = 0
        /// The faults that were there together.
        var pairs: [UInt64] = []
        /// The last that happened.
        var lines: [String] = []
    }

    /// How long a process that has ended at its start is down, as `Restart=always` has it.
    private static let restartWait = Nanoseconds.seconds(1)

    private let world: World
    private let log: (String) -> any LogHandler
    private var process: DaemonProcess

    init(
        _ plan: Plan, keeping lines: Int = 80,
        log: @escaping (String) -> any LogHandler = { _ in SilentLog() }
    ) {
        world = World(plan)
        world.record.kept = lines
        self.log = log
        process = Self.makeProcess(in: world, log)
    }

    private static func makeProcess(
        in world: World, _ log: @escaping (String) -> any LogHandler
    ) -> DaemonProcess {
        let limit = world.plan.connectionLimit
        let options = RelayOptions(
            connectionLimit: limit, clientLimit: 2 * limit, release: Release(revision: "simulated"))
        return DaemonProcess(in: world, options: options, log: log)
    }

    /// The process is killed, or has ended at its start, and another one begins after a while.
    private func startAgain(after span: Nanoseconds) {
        world.killDaemon(for: span)
        process = Self.makeProcess(in: world, log)
        process.start()
    }

    /// Runs to the end.
    func run() -> Outcome {
        process.start()
        var isStopped = false
        while world.violation == nil, !isStopped {
            process.turn()
            if case .stopped(let fatal) = process.phase {
                // Its supervisor starts it again.
                if fatal != nil, world.stage != .ending, world.violation == nil {
                    startAgain(after: Self.restartWait)
                } else {
                    isStopped = true
                }
            } else if let span = world.restart {
                startAgain(after: span)
            }
            if world.clock > world.stopLimit, !isStopped {
                world.fail("the daemon was asked to end and has not")
            }
        }
        var outcome = Outcome()
        outcome.violation = world.violation
        outcome.hash = world.record.hash
        outcome.span = Nanoseconds(world.clock - world.start)
        outcome.events = world.happenings + UInt64(world.turnCount)
        outcome.pairs = world.pairs
        if world.violation != nil {
            outcome.lines = world.record.lines(from: world.start)
        }
        return outcome
    }
}

/// A log that nobody reads.
struct SilentLog: LogHandler {
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.critical

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {}
}
