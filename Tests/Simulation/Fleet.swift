import Foundation
import Simulation
import Synchronization

/// Many seeds in parallel processes, with one line of progress.
///
/// A process gets its next seed when it has run the last one, so that none waits for another's long
/// worlds; one that a world has ended is replaced, and the seeds behind that one are run all the same.
final class Fleet: Sendable {
    private let first: UInt64
    private let count: UInt64
    private let jobs: Int
    /// How long a failing world may take to be made smaller.
    private static let shrinkingSeconds = 120.0
    private let keepsGoing: Bool
    /// Whether the first failure is made smaller before it is shown.
    private let shrinks: Bool
    private let hashes: String?
    private let begun = Date()
    private let progress = Mutex(Progress())

    private struct Progress {
        /// Seeds that workers have been given.
        var dealt: UInt64 = 0
        var done: UInt64 = 0
        /// Whether no more seeds are to be run.
        var isOver = false
        /// The processes that are at work.
        var workers: Set<Int32> = []
        var milliseconds: Int64 = 0
        var events: UInt64 = 0
        var pairs = [UInt64](repeating: 0, count: Simulator.faultCount)
        var failures: [(seed: UInt64, text: String)] = []
        var hashes: [(seed: UInt64, hash: String)] = []
        var shown = Date.distantPast
    }

    init(count: UInt64, _ options: inout Options) {
        self.count = count
        first = options.take("--first").flatMap { UInt64($0) } ?? 1
        jobs =
            options.take("--jobs").flatMap { Int($0) }
            ?? ProcessInfo.processInfo.activeProcessorCount
        keepsGoing = options.has("--keep-going")
        shrinks = !options.has("--no-shrink") && !keepsGoing
        hashes = options.take("--hashes")
    }

    func run() {
        // A worker that has ended is told by the end of what it writes.
        signal(SIGPIPE, SIG_IGN)
        let group = DispatchGroup()
        for _ in 0..<jobs {
            group.enter()
            Thread.detachNewThread {
                self.work()
                group.leave()
            }
        }
        group.wait()
        progress.withLock { show($0) }
        print("")
        finish()
    }

    /// One process after the other, as long as there are seeds.
    private func work() {
        while progress.withLock({ $0.dealt < count && !$0.isOver }) {
            let worker = WorkerProcess()
            _ = progress.withLock { $0.workers.insert(worker.id) }
            while let seed = deal() {
                guard let outcome = worker.run(seed) else {
                    noteEnd(worker.end(), during: seed)
                    break
                }
                note(outcome, of: seed)
            }
            _ = progress.withLock { $0.workers.remove(worker.id) }
            worker.end()
        }
    }

    /// The next seed that nobody has been given.
    private func deal() -> UInt64? {
        progress.withLock { progress in
            guard progress.dealt < count, !progress.isOver else { return nil }
            defer { progress.dealt += 1 }
            return first + progress.dealt
        }
    }

    private func note(_ outcome: WorldOutcome, of seed: UInt64) {
        progress.withLock { progress in
            progress.done += 1
            progress.milliseconds += outcome.milliseconds
            progress.events += outcome.events
            if hashes != nil { progress.hashes.append((seed, outcome.hash)) }
            for (index, set) in outcome.pairs.enumerated() where index < progress.pairs.count {
                progress.pairs[index] |= set
            }
            if let violation = outcome.violation { fail(seed, violation, &progress) }
            if isatty(1) == 1, Date().timeIntervalSince(progress.shown) > 1 {
                progress.shown = Date()
                show(progress)
            }
        }
    }

    private func noteEnd(_ status: Int32, during seed: UInt64) {
        progress.withLock { progress in
            // Those that were at work when another one's world failed have been ended for it.
            guard !progress.isOver else { return }
            fail(seed, "the process ended with status \(status)", &progress)
        }
    }

    private func fail(_ seed: UInt64, _ text: String, _ progress: inout Progress) {
        progress.failures.append((seed, text))
        guard !keepsGoing, !progress.isOver else { return }
        progress.isOver = true
        for worker in progress.workers { kill(worker, SIGTERM) }
    }

    private func show(_ progress: Progress) {
        let wall = max(0.001, Date().timeIntervalSince(begun))
        let hours = Double(progress.milliseconds) / 3_600_000
        let reached = progress.pairs.reduce(0) { $0 + $1.nonzeroBitCount }
        let text = String(
            format: "%llu of %llu seeds, %.1f h simulated, %.1f h/s, %.0f events/s,"
                + " %d of %d fault pairs, %d failures", progress.done, count, hours, hours / wall,
            Double(progress.events) / wall, reached, progress.pairs.count * progress.pairs.count,
            progress.failures.count)
        FileHandle.standardOutput.write(Data((isatty(1) == 1 ? "\r\(text)" : text).utf8))
    }

    private func finish() {
        let end = progress.withLock { $0 }
        if let hashes {
            let lines = end.hashes.sorted { $0.seed < $1.seed }.map { "\($0.seed) \($0.hash)\n" }
            try? lines.joined().write(toFile: hashes, atomically: true, encoding: .utf8)
        }
        let failures = end.failures.sorted { $0.seed < $1.seed }
        guard let least = failures.first else { return }
        for failure in failures.prefix(20) {
            print("seed \(failure.seed): \(failure.text)")
            print("  again: Scripts/simulate --seed \(failure.seed) --shrink")
        }
        if shrinks { showSmaller(least.seed) }
        exit(1)
    }

    /// Shows a failing world as small as it still fails, with what happened last; another process does
    /// it, which the world may end, and has a limit for that.
    private func showSmaller(_ seed: UInt64) {
        // What has been printed so far stands before what that process prints.
        fflush(nil)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = ["--seed", "\(seed)", "--shrink"]
        let end = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in end.signal() }
        guard (try? process.run()) != nil else { return }
        if end.wait(timeout: .now() + Self.shrinkingSeconds) == .timedOut {
            process.terminate()
            print("seed \(seed) takes long to be made smaller: the line above does it")
        }
    }
}
