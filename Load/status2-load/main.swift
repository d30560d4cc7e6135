// A load tool for relays: many pages, a publisher, and accounts of what came of each message.

public import ArgumentParser
import Glibc
public import Relay

extension LoadOptions.Scenario: ExpressibleByArgument {}
extension ReturnPolicy: ExpressibleByArgument {}
extension LoadDialect: ExpressibleByArgument {}

struct StatusLoad: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status2-load",
        abstract: "Opens pages of a relay, publishes to their channels, and checks what comes.",
        discussion: """
            Latencies run from the time at which a message was meant to be sent. The exit status is 0 \
            where every target was met, 1 where one was missed, 2 for a command line that cannot be \
            used and 3 where the load could not be run. Progress goes to standard error.
            """)

    @Option(help: ArgumentHelp("The relay.", valueName: "ws://host:port/prefix"))
    var url = "ws://127.0.0.1:9002"
    @Option(help: ArgumentHelp("Pages; with 0 it publishes only.", valueName: "number"))
    var sockets = 100
    @Option(help: ArgumentHelp("Channels (default: one for each page).", valueName: "number"))
    var channels: Int?
    @Option(help: ArgumentHelp("What the channels' names begin with.", valueName: "text"))
    var channelPrefix = "load-"
    @Option(
        help: ArgumentHelp(
            "Messages a second over all channels (default: one for each).", valueName: "number"))
    var rate: Double?
    @Option(help: ArgumentHelp("The size of a message.", valueName: "bytes"))
    var payloadBytes = 128
    @Option(
        help: ArgumentHelp("How long it measures once the pages are live.", valueName: "duration"))
    var duration = "10s"
    @Option(
        help: ArgumentHelp(
            "Over how long the pages come (default: 400 a second).", valueName: "duration"))
    var ramp: String?
    @Option(help: ArgumentHelp("The Redis to publish to.", valueName: "url"))
    var redisURL = "redis://127.0.0.1:6379"
    @Flag(help: "Leave publishing to others, such as a second process with --sockets 0.")
    var noPublish = false
    @Option(help: "How pages and messages come.")
    var scenario = LoadOptions.Scenario.steady
    @Option(
        name: .customLong("reconnect"),
        help:
            "When a page comes back whose connection has ended (default: none; script with --scenario reconnect)."
    )
    var returns: ReturnPolicy?
    @Option(help: ArgumentHelp("The relay's heartbeat cadence.", valueName: "duration"))
    var pingInterval = "5s"
    @Option(
        help: ArgumentHelp(
            "How long it waits at the end for what is under way.", valueName: "duration"))
    var drain = "5s"
    @Option(help: "What pages and the relay say to each other.")
    var dialect = LoadDialect.status
    @Option(
        help: ArgumentHelp(
            "What a page sends first, in place of init; {channel} stands for its channel.",
            valueName: "text"))
    var subscription: String?
    @Flag(help: "The relay subscribes once to a channel, and not once for each page.")
    var oneSubscriber = false
    @Option(
        help: ArgumentHelp(
            "Deliveries that may be under way at once, for what is to go as fast as it can.",
            valueName: "number"))
    var window: UInt64?
    @Option(help: ArgumentHelp("The pages' Origin.", valueName: "origin"))
    var origin: String?
    @Option(
        help: ArgumentHelp(
            "Where pages come from, in turn: one address has 28,000 ports.",
            valueName: "address,…"))
    var sourceAddresses = ""
    @Option(
        name: .customLong("p95-target"),
        help: ArgumentHelp(
            "The highest 95th percentile of the latency.", valueName: "duration"))
    var p95Target: String?
    @Option(help: ArgumentHelp("Messages that may be lost.", valueName: "number or %"))
    var maxLoss = "0"
    @Option(help: ArgumentHelp("How late a heartbeat may be.", valueName: "duration"))
    var maxHeartbeatLateness: String?
    @Option(help: ArgumentHelp("Open connections that may end.", valueName: "number"))
    var maxReconnects: UInt64?
    @Option(
        help: ArgumentHelp(
            "How long a page may be without its stream.", valueName: "duration"))
    var maxReturn: String?
    @Flag(help: "Print the report as JSON.")
    var json = false
    @Flag(help: "Print no progress.")
    var quiet = false

    func validate() throws { _ = try options() }

    /// The load that the arguments ask for.
    func options() throws -> LoadOptions {
        guard let target = LoadTarget(url) else {
            throw ValidationError("'\(url)' is not ws://host:port/prefix; TLS is not spoken.")
        }
        var options = LoadOptions(target: target)
        options.sockets = try number(sockets, in: LoadOptions.socketRange, "--sockets")
        options.channels = try number(
            channels ?? max(1, sockets), in: 1...LoadOptions.socketRange.upperBound, "--channels")
        options.channelPrefix = try prefix()
        options.rate = rate ?? Double(options.channels)
        guard LoadOptions.rateRange.contains(options.rate) else {
            throw ValidationError("--rate is not from 0 to a million.")
        }
        options.payloadBytes = try number(
            payloadBytes, in: LoadOptions.payloadRange, "--payload-bytes")
        options.duration = try span(duration, "--duration")
        options.ramp =
            try ramp.map { try span($0, "--ramp") } ?? .milliseconds(Int64(sockets) * 5 / 2)
        options.scenario = scenario
        options.returns = returns ?? (scenario == .reconnect ? .script : .none)
        options.pingInterval = try span(pingInterval, "--ping-interval")
        options.drain = try span(drain, "--drain")
        options.origin = origin
        options.dialect = dialect
        options.subscription = subscription
        options.hasOneSubscriber = oneSubscriber
        options.window = window
        options.sourceAddresses = sourceAddresses.split(separator: ",").map(String.init)
        if !noPublish { options.redis = try redis() }
        options.thresholds = try thresholds()
        return options
    }

    private func thresholds() throws -> LoadThresholds {
        var thresholds = LoadThresholds()
        thresholds.p95 = try p95Target.map { try span($0, "--p95-target") }
        guard let loss = LoadThresholds.Loss(maxLoss) else {
            throw ValidationError("--max-loss is neither a number nor a percentage.")
        }
        thresholds.loss = loss
        thresholds.heartbeatLateness = try maxHeartbeatLateness.map {
            try span($0, "--max-heartbeat-lateness")
        }
        thresholds.reconnects = maxReconnects
        thresholds.returnTime = try maxReturn.map { try span($0, "--max-return") }
        return thresholds
    }

    private func redis() throws -> RedisTarget {
        let (target, complaint) = LoadOptions.redis(redisURL)
        guard let target else {
            throw ValidationError("--redis-url \(complaint ?? "is not a URL of Redis").")
        }
        return target
    }

    private func prefix() throws -> String {
        let isSound = channelPrefix.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte & 0xDF)
                || "-_.;".utf8.contains(byte)
        }
        guard isSound, channelPrefix.utf8.count <= 256 else {
            throw ValidationError("--channel-prefix is not of letters, digits, '-', '_', '.', ';'.")
        }
        return channelPrefix
    }

    private func span(_ text: String, _ name: String) throws -> Nanoseconds {
        guard let span = LoadOptions.span(text) else {
            throw ValidationError("\(name) is not a duration such as 150ms or 1m30s.")
        }
        return span
    }

    private func number(_ value: Int, in range: ClosedRange<Int>, _ name: String) throws -> Int {
        guard range.contains(value) else {
            throw ValidationError(
                "\(name) is not from \(range.lowerBound) to \(range.upperBound).")
        }
        return value
    }
}

func complain(_ message: String) {
    let line = Array("\(message)\n".utf8)
    _ = unsafe line.withUnsafeBytes { unsafe write(STDERR_FILENO, $0.baseAddress, $0.count) }
}

/// Prints all of the text; false, with a line on standard error, where it could not be written.
func show(_ text: String) -> Bool {
    var rest = Array(text.utf8)[...]
    while !rest.isEmpty {
        let count = unsafe rest.withUnsafeBytes {
            unsafe write(STDOUT_FILENO, $0.baseAddress, $0.count)
        }
        if count < 0 && errno != EINTR {
            complain("status2-load: cannot write standard output")
            return false
        }
        rest = rest.dropFirst(max(0, count))
    }
    return true
}

FaultSignals.endTheProcess()
do {
    let arguments = try StatusLoad.parse()
    let quiet = arguments.quiet
    let outcome = LoadTool.run(try arguments.options(), json: arguments.json) { line in
        if !quiet { complain(line) }
    }
    if let complaint = outcome.complaint { complain("status2-load: \(complaint)") }
    exit(show(outcome.report) ? outcome.status : LoadTool.cannotRun)
} catch {
    let code = StatusLoad.exitCode(for: error)
    if code == .success {
        exit(show("\(StatusLoad.fullMessage(for: error))\n") ? LoadTool.passed : LoadTool.cannotRun)
    }
    complain(StatusLoad.fullMessage(for: error))
    exit(code == .validationFailure ? LoadTool.usage : code.rawValue)
}
