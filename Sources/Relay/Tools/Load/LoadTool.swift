/// How a load has ended.
public struct LoadOutcome: Sendable {
    /// The exit status: 0 where all held, 1 where a target was missed, 3 where it could not run.
    public let status: Int32
    /// What to print: the table or the JSON; empty where it could not run.
    public let report: String
    /// Why it could not run, one line.
    public let complaint: String?
}

/// The load tool `status2-load`: pages and a publisher on the daemon's own event loop and codecs.
public enum LoadTool {
    /// The exit statuses; 2 is that of a command line that cannot be used.
    public static let passed: Int32 = 0, missed: Int32 = 1, usage: Int32 = 2, cannotRun: Int32 = 3

    /// Descriptors of the process beside the pages' own.
    static let reserve = 32

    /// Puts the load on a relay and returns what it has shown.
    ///
    /// - Parameters:
    ///   - options: the load.
    ///   - json: whether the report is JSON instead of a table.
    ///   - progress: is handed a line a second.
    public static func run(
        _ options: LoadOptions, json: Bool, progress: (String) -> Void
    ) -> LoadOutcome {
        HostProcess.ignoreBrokenPipes()
        let descriptors = HostProcess.raiseDescriptorLimit()
        guard options.sockets + reserve <= descriptors else {
            return refusal(
                "\(options.sockets) pages do not fit: the limit of descriptors is \(descriptors),"
                    + " and \(reserve) are kept for the rest (ulimit -Hn); share the pages between"
                    + " processes with --channel-prefix")
        }
        do throws(LoadFailure) {
            let (result, _) = try measure(options, progress)
            let report = LoadReport(result: result)
            return LoadOutcome(
                status: result.failures.isEmpty ? passed : missed,
                report: json ? report.json : report.table, complaint: nil)
        } catch {
            return refusal(error.reason)
        }
    }

    private struct LoadFailure: Error {
        let reason: String
    }

    private static func refusal(_ reason: String) -> LoadOutcome {
        LoadOutcome(status: cannotRun, report: "", complaint: reason)
    }

    private static func measure(
        _ options: LoadOptions, _ progress: (String) -> Void
    ) throws(LoadFailure) -> (LoadResult, ProcessUsage) {
        let relay = try address(.tcp(host: options.target.host, port: options.target.port))
        var load = LoadLoop(
            sys: try world(options), options: options, relay: relay,
            redis: try options.redis.map(redisAddress))
        let meter = ProcessMeter()
        let before = meter.read()
        var result = load.run(progress: progress)
        let after = meter.read()
        result.processorTime = after.processorTime - before.processorTime
        if let failure = load.failure { throw LoadFailure(reason: failure) }
        if options.sockets > 0, result.tally.opened == 0 {
            let reasons = result.tally.reasons.keys.sorted().joined(separator: ", ")
            throw LoadFailure(reason: "not one page could be opened: \(reasons)")
        }
        return (result, after)
    }

    private static func world(_ options: LoadOptions) throws(LoadFailure) -> LinuxSys {
        do throws(SystemError) {
            var sys = try LinuxSys(signals: HostProcess.shutdownSignals)
            for text in options.sourceAddresses {
                guard let source = SocketAddress(numeric: text, port: 0) else {
                    throw SystemError.noSuchFile
                }
                sys.sourceAddresses.append(source)
            }
            return sys
        } catch {
            throw LoadFailure(reason: "no event loop: \(error.reason)")
        }
    }

    private static func redisAddress(
        _ target: RedisTarget
    ) throws(LoadFailure) -> SocketAddress {
        switch target.address {
        case .tcp(let host, let port): try address(.tcp(host: host, port: port))
        case .unix(let path): try address(.unix(path: path))
        case .sentinel, .cluster:
            throw LoadFailure(reason: "neither Sentinels nor a cluster's nodes are asked")
        }
    }

    private static func address(_ address: ListenAddress) throws(LoadFailure) -> SocketAddress {
        do throws(SystemError) {
            return try ListenSocket.address(of: address)
        } catch {
            throw LoadFailure(reason: "cannot look up \(address): \(error.reason)")
        }
    }
}
