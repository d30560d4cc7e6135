import Foundation
import Simulation

/// What a process of the fleet does: it runs the seeds that it is given, a line for each.
enum Worker {
    static func run() {
        while let seed = readLine().flatMap({ UInt64($0) }) {
            let result = Simulator.run(seed)
            let pairs = result.pairs.map { String($0, radix: 16) }.joined(separator: ",")
            let line =
                "\(result.milliseconds) \(result.events) \(String(result.hash, radix: 16))"
                + " \(pairs) \(result.violation ?? "")\n"
            FileHandle.standardOutput.write(Data(line.utf8))
        }
    }
}

/// What a world has come to, as a worker's line says it.
struct WorldOutcome {
    let milliseconds: Int64
    let events: UInt64
    let hash: String
    let pairs: [UInt64]
    /// What has been violated; nil for nothing.
    let violation: String?

    /// nil where the line is not whole.
    init?(_ line: String) {
        let words = line.split(separator: " ", maxSplits: 4, omittingEmptySubsequences: false)
        guard words.count == 5, let milliseconds = Int64(words[0]), let events = UInt64(words[1])
        else { return nil }
        self.milliseconds = milliseconds
        self.events = events
        hash = String(words[2])
        pairs = words[3].split(separator: ",").map { UInt64($0, radix: 16) ?? 0 }
        violation = words[4].isEmpty ? nil : String(words[4])
    }
}

/// A process of the fleet, as the fleet has it.
final class WorkerProcess {
    private let process = Process()
    private let seeds = Pipe()
    private let outcomes = Pipe()
    private var unread = Data()

    init() {
        process.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
        process.arguments = ["--worker"]
        process.standardInput = seeds
        process.standardOutput = outcomes
        do {
            try process.run()
        } catch {
            print("cannot start a worker: \(error)")
            exit(2)
        }
    }

    var id: Int32 { process.processIdentifier }

    /// Runs one seed; nil where the process has ended over it.
    func run(_ seed: UInt64) -> WorldOutcome? {
        try? seeds.fileHandleForWriting.write(contentsOf: Data("\(seed)\n".utf8))
        while true {
            if let end = unread.firstIndex(of: 10) {
                let line = String(decoding: unread[..<end], as: UTF8.self)
                unread.removeSubrange(...end)
                return WorldOutcome(line)
            }
            let data = outcomes.fileHandleForReading.availableData
            if data.isEmpty { return nil }
            unread += data
        }
    }

    /// Lets the process end; returns its status.
    @discardableResult
    func end() -> Int32 {
        try? seeds.fileHandleForWriting.close()
        process.waitUntilExit()
        return process.terminationStatus
    }
}
