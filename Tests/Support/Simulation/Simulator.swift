import Logging

@testable import Relay

/// Runs of seeds, as the command line asks for them.
package enum Simulator {
    /// What one seed came to, in a line that another process can read.
    package struct Result {
        /// The seed.
        package let seed: UInt64
        /// What is wrong; nil where nothing is.
        package let violation: String?
        /// The hash of all that has happened.
        package let hash: UInt64
        /// The time that has passed in the world.
        package let milliseconds: Int64
        /// How much has happened.
        package let events: UInt64
        /// The faults that were there together: for each a set.
        package let pairs: [UInt64]
        /// The last that happened before the violation.
        package let lines: [String]
    }

    /// What is changed of a seed's world.
    package struct Change {
        /// How many pages there are.
        package var pages: Int?
        /// The names of the faults that are there.
        package var faults: [String]?
        /// How long things go wrong.
        package var seconds: Int64?

        /// Changes nothing.
        package init() {}
    }

    /// How many kinds of faults there are.
    package static var faultCount: Int { Fault.allCases.count }

    /// Runs a seed.
    package static func run(
        _ seed: UInt64, _ change: Change = Change(), keeping lines: Int = 80,
        logsTo log: (@Sendable (String) -> Void)? = nil
    ) -> Result {
        run(Plan(seed: seed, change: planned(change)), keeping: lines, logsTo: log)
    }

    /// Runs the production configuration.
    package static func runProduction(pages: Int, hours: Int64, seed: UInt64) -> Result {
        run(Plan.production(seed: seed, pages: pages, hours: hours), keeping: 80, logsTo: nil)
    }

    private static func run(
        _ plan: Plan, keeping lines: Int, logsTo log: (@Sendable (String) -> Void)?
    ) -> Result {
        let simulation: Simulation
        if let log {
            let sink = LineSink(write: log)
            simulation = Simulation(plan, keeping: lines) { label in
                JSONLogHandler(label: label, level: .debug, sink: sink, now: { 0 })
            }
        } else {
            simulation = Simulation(plan, keeping: lines)
        }
        let outcome = simulation.run()
        return Result(
            seed: plan.seed, violation: outcome.violation, hash: outcome.hash,
            milliseconds: outcome.span.milliseconds, events: outcome.events,
            pairs: outcome.pairs, lines: outcome.lines)
    }

    private static func planned(_ change: Change) -> Plan.Change {
        var planned = Plan.Change()
        planned.pages = change.pages
        planned.seconds = change.seconds
        if let names = change.faults {
            planned.faults = FaultSet(
                Fault.allCases.filter { names.contains("\($0)") })
        }
        return planned
    }

    /// The world of a seed in one line.
    package static func describe(_ seed: UInt64, _ change: Change = Change()) -> String {
        let plan = Plan(seed: seed, change: planned(change))
        return "\(plan.pages) pages, \(plan.channels) channels, \(plan.duration.milliseconds) ms,"
            + " \(plan.settings.redisSubscriptions) links, \(plan.loops) loops,"
            + "\(plan.isCluster ? " a cluster," : "") faults: \(plan.faults.list.map { "\($0)" }.joined(separator: ","))"
    }

    /// Makes a failing world smaller for as long as it still fails.
    package static func shrink(_ seed: UInt64, _ change: Change) -> Change {
        var best = change
        let plan = Plan(seed: seed, change: planned(change))
        best.faults = plan.faults.list.map { "\($0)" }
        best.pages = plan.pages
        best.seconds = max(1, (plan.duration.milliseconds + 999) / 1000)
        guard let kind = kind(of: run(seed, best).violation) else { return change }
        var tries = 0
        var hasChanged = true
        while hasChanged, tries < 200 {
            hasChanged = false
            for candidate in smaller(best) where tries < 200 {
                tries += 1
                guard self.kind(of: run(seed, candidate).violation) == kind else { continue }
                best = candidate
                hasChanged = true
                break
            }
        }
        return best
    }

    private static func smaller(_ change: Change) -> [Change] {
        var candidates: [Change] = []
        if let pages = change.pages, pages > 1 {
            for fewer in Set([1, pages / 2, pages - 1]).sorted() where fewer >= 1 && fewer < pages {
                var candidate = change
                candidate.pages = fewer
                candidates.append(candidate)
            }
        }
        if let seconds = change.seconds, seconds > 4 {
            for less in [seconds / 2, seconds * 4 / 5] {
                var candidate = change
                candidate.seconds = less
                candidates.append(candidate)
            }
        }
        for fault in change.faults ?? [] {
            var candidate = change
            candidate.faults?.removeAll { $0 == fault }
            candidates.append(candidate)
        }
        return candidates
    }

    /// What is wrong without the numbers, so that another violation is not taken for the same.
    private static func kind(of violation: String?) -> String? {
        violation.map { String($0.filter { !$0.isNumber }.prefix(30)) }
    }
}

/// Log lines, handed on.
private struct LineSink: LogSink {
    let write: @Sendable (String) -> Void

    func write(_ line: [UInt8]) { write(String(decoding: line.dropLast(), as: UTF8.self)) }
}
