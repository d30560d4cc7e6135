import Foundation
import Simulation

/// One of the processes that run seeds: every so many of them, a line for each.
enum Worker {
    static func run(first: UInt64, _ options: inout Options) {
        let step = options.take("--step").flatMap { UInt64($0) } ?? 1
        let end = options.take("--end").flatMap { UInt64($0) } ?? first + 1
        var seed = first
        while seed < end {
            say("begin \(seed)")
            let result = Simulator.run(seed)
            let pairs = result.pairs.map { String($0, radix: 16) }.joined(separator: ",")
            say(
                "end \(seed) \(result.milliseconds) \(result.events)"
                    + " \(String(result.hash, radix: 16)) \(pairs) \(result.violation ?? "")")
            seed += step
        }
    }

    private static func say(_ line: String) {
        FileHandle.standardOutput.write(Data((line + "\n").utf8))
    }
}

/// Many seeds in parallel processes, with one line of progress.
final class Fleet {
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
    private var done: UInt64 = 0
    private var milliseconds: Int64 = 0
    private var events: UInt64 = 0
    private var pairs = [UInt64](repeating: 0, count: Simulator.faultCount)
    private var failures: [(seed: UInt64, text: String)] = []
    private var lines: [String] = []

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
        let workers = (0..<jobs).map { start($0) }
        var buffers = workers.map { _ in Data() }
        var present = workers.map { _ in UInt64?.none }
        var open = Set(workers.indices)
        var shown = Date.distantPast
        while !open.isEmpty {
            for index in open.sorted() {
                let data = workers[index].pipe.fileHandleForReading.availableData
                if data.isEmpty {
                    open.remove(index)
                    workers[index].process.waitUntilExit()
                    noteEnd(of: workers[index].process, during: present[index])
                    continue
                }
                buffers[index] += data
                while let end = buffers[index].firstIndex(of: 10) {
                    let line = String(decoding: buffers[index][..<end], as: UTF8.self)
                    buffers[index].removeSubrange(...end)
                    present[index] = take(line)
                }
            }
            if isatty(1) == 1, Date().timeIntervalSince(shown) > 1 {
                shown = Date()
                show()
            }
            if !failures.isEmpty, !keepsGoing {
                for index in open { workers[index].process.terminate() }
                break
            }
        }
        show()
        print("")
        finish()
    }

    private func start(_ index: Int) -> (process: Process, pipe: Pipe) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = [
            "--worker", "\(first + UInt64(index))", "--step", "\(jobs)", "--end",
            "\(first + count)",
        ]
        let pipe = Pipe()
        process.standardOutput = pipe
        do {
            try process.run()
        } catch {
            print("cannot start a worker: \(error)")
            exit(2)
        }
        return (process, pipe)
    }

    /// Takes a worker's line; returns the seed that it runs now.
    private func take(_ line: String) -> UInt64? {
        let words = line.split(separator: " ", maxSplits: 6, omittingEmptySubsequences: false)
        guard words.count > 1, let seed = UInt64(words[1]) else { return nil }
        guard words[0] == "end", words.count == 7 else { return seed }
        done += 1
        milliseconds += Int64(words[2]) ?? 0
        events += UInt64(words[3]) ?? 0
        if hashes != nil { lines.append("\(seed) \(words[4])") }
        for (index, set) in words[5].split(separator: ",").enumerated() where index < pairs.count {
            pairs[index] |= UInt64(set, radix: 16) ?? 0
        }
        if !words[6].isEmpty { failures.append((seed, String(words[6]))) }
        return nil
    }

    private func noteEnd(of process: Process, during seed: UInt64?) {
        guard let seed else { return }
        failures.append((seed, "the process ended with status \(process.terminationStatus)"))
    }

    private func show() {
        let wall = max(0.001, Date().timeIntervalSince(begun))
        let hours = Double(milliseconds) / 3_600_000
        let reached = pairs.reduce(0) { $0 + $1.nonzeroBitCount }
        let text = String(
            format: "%llu of %llu seeds, %.1f h simulated, %.1f h/s, %.0f events/s,"
                + " %d of %d fault pairs, %d failures", done, count, hours, hours / wall,
            Double(events) / wall, reached, pairs.count * pairs.count, failures.count)
        FileHandle.standardOutput.write(Data((isatty(1) == 1 ? "\r\(text)" : text).utf8))
    }

    private func finish() {
        if let hashes {
            let text = lines.sorted { $0.count != $1.count ? $0.count < $1.count : $0 < $1 }
            try? (text.joined(separator: "\n") + "\n").write(
                toFile: hashes, atomically: true, encoding: .utf8)
        }
        guard !failures.isEmpty else { return }
        for failure in failures.sorted(by: { $0.seed < $1.seed }).prefix(20) {
            print("seed \(failure.seed): \(failure.text)")
            print("  again: Scripts/simulate --seed \(failure.seed) --shrink")
        }
        if shrinks, let seed = failures.map(\.seed).min() { showSmaller(seed) }
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
