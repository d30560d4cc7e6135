import Foundation
import Simulation

/// What the command line asks for.
enum Command {
    private static let usage = """
        usage: simulate --seeds N [--first SEED] [--jobs N] [--keep-going] [--no-shrink]
                                                               many seeds, in parallel processes
               simulate --seed SEED [--pages N] [--seconds N] [--faults A,B] [--shrink]
                        [--lines N] [--log]
               simulate --production PAGES [--hours N] [--seed SEED]
        """

    static func run(_ arguments: [String]) {
        var options = Options(arguments)
        if options.has("--worker") {
            Worker.run()
        } else if let count = options.take("--seeds").flatMap({ UInt64($0) }) {
            Fleet(count: count, &options).run()
        } else if let pages = options.take("--production").flatMap({ Int($0) }) {
            runProduction(pages, &options)
        } else if let seed = options.take("--seed").flatMap({ UInt64($0) }) {
            replay(seed, &options)
        } else {
            print(usage)
            exit(2)
        }
    }

    private static func runProduction(_ pages: Int, _ options: inout Options) {
        let seed = options.take("--seed").flatMap { UInt64($0) } ?? 1
        let hours = options.take("--hours").flatMap { Int64($0) } ?? 24
        let begun = Date()
        let result = Simulator.runProduction(pages: pages, hours: hours, seed: seed)
        let wall = Date().timeIntervalSince(begun)
        print(
            "\(pages) pages, \(result.milliseconds / 3_600_000) h of production:"
                + " \(String(format: "%.1f", wall)) s, \(result.events) events,"
                + " hash \(String(result.hash, radix: 16))")
        finish(result)
    }

    private static func replay(_ seed: UInt64, _ options: inout Options) {
        var change = Simulator.Change()
        change.pages = options.take("--pages").flatMap { Int($0) }
        change.seconds = options.take("--seconds").flatMap { Int64($0) }
        change.faults = options.take("--faults")?.split(separator: ",").map(String.init)
        if options.has("--shrink"), Simulator.run(seed, change).violation != nil {
            change = Simulator.shrink(seed, change)
            print("smallest: \(line(seed, change))")
        }
        print("seed \(seed): \(Simulator.describe(seed, change))")
        var log: (@Sendable (String) -> Void)?
        if options.has("--log") { log = { line in print(line) } }
        let kept = options.take("--lines").flatMap { Int($0) } ?? 80
        let result = Simulator.run(seed, change, keeping: kept, logsTo: log)
        print("hash \(String(result.hash, radix: 16)), \(result.events) events")
        finish(result)
    }

    private static func finish(_ result: Simulator.Result) {
        guard let violation = result.violation else { return print("held") }
        for line in result.lines { print("  \(line)") }
        print("violation: \(violation)")
        exit(1)
    }

    /// The command that runs a world again.
    static func line(_ seed: UInt64, _ change: Simulator.Change) -> String {
        var line = "Scripts/simulate --seed \(seed)"
        if let pages = change.pages { line += " --pages \(pages)" }
        if let seconds = change.seconds { line += " --seconds \(seconds)" }
        if let faults = change.faults {
            line += " --faults \(faults.isEmpty ? "none" : faults.joined(separator: ","))"
        }
        return line
    }
}

/// The words of the command line that are left.
struct Options {
    private var words: [String]

    init(_ words: [String]) { self.words = words }

    /// Takes the word behind a name.
    mutating func take(_ name: String) -> String? {
        guard let index = words.firstIndex(of: name), index + 1 < words.count else { return nil }
        let value = words[index + 1]
        words.removeSubrange(index...index + 1)
        return value
    }

    /// Takes a name that stands alone.
    mutating func has(_ name: String) -> Bool {
        guard let index = words.firstIndex(of: name) else { return false }
        words.remove(at: index)
        return true
    }
}
