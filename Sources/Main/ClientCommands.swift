import ArgumentParser
import Relay

/// `status2 healthcheck`: whether the daemon of this machine is well.
struct Healthcheck: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "healthcheck",
        abstract: "Asks the daemon of this machine whether it is well: status 0, or 1.",
        discussion: """
            It asks /health at STATUS_LISTEN_ADDR or --listen-addr, a unix: path too: whether the \
            process serves, which is what a container is to be restarted for. With --ready it asks \
            /ready: whether Redis answers too, which is what clients are to be sent elsewhere for. It \
            prints nothing but why not, on standard error.
            """)

    @Flag(help: "Ask /ready instead of /health.")
    var ready = false

    @Option(help: ArgumentHelp("The longest wait for the answer.", valueName: "duration"))
    var timeout = "3s"

    func run(_ configuration: Configuration) throws -> Int32 {
        let patience = try span(timeout, "--timeout")
        if isHindered(by: configuration, at: ["STATUS_LISTEN_ADDR", "STATUS_ENV_FILE"]) {
            return CommandLineEntry.Status.failure
        }
        return end(
            HealthCheck.run(
                configuration.settings.listenAddress, path: ready ? "/ready" : "/health",
                patience: patience))
    }
}

/// `status2 publish`: publishes to a channel of the configured Redis.
struct Publish: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "publish",
        abstract: "Publishes a message to a channel and prints how many subscribers got it.",
        discussion: """
            Redis is the daemon's: STATUS_REDIS_URL, --redis-url and the other settings of it. The \
            status is 1 where Redis cannot be reached or refuses, whoever is subscribed.
            """)

    @Argument(help: "The channel, such as demo:status.")
    var channel: String

    @Argument(help: "The message; - for all of standard input.")
    var message: String

    @Flag(help: "With -, publish each line of standard input as a message.")
    var lines = false

    func validate() throws {
        if lines, message != "-" { throw ValidationError("--lines goes with - as the message.") }
        if channel.isEmpty { throw ValidationError("The channel is empty.") }
    }

    func run(_ configuration: Configuration) throws -> Int32 {
        if isHindered(by: configuration, at: ["STATUS_REDIS_", "REDIS_", "STATUS_ENV_FILE"]) {
            return CommandLineEntry.Status.failure
        }
        let settings = configuration.settings
        for remark in PublishCommand.remarks(channel: channel, messageLength: 0, settings) {
            complain(remark)
        }
        let opened = PublishCommand.open(settings, channel: channel)
        guard let command = opened.command else { return end(.failure(opened.complaint ?? "")) }
        guard message == "-" else {
            return publish(Array(message.utf8), command, settings)
                ? CommandLineEntry.Status.success : CommandLineEntry.Status.failure
        }
        do throws(HostError) {
            return try publishInput(command, settings)
                ? CommandLineEntry.Status.success : CommandLineEntry.Status.failure
        } catch {
            return end(.failure("cannot read standard input: \(error)"))
        }
    }

    /// The most bytes that are taken for one message: the largest string of Redis.
    private static let messageLimit = 512 << 20

    private func publishInput(
        _ command: PublishCommand, _ settings: Settings
    ) throws(HostError) -> Bool {
        let input = try CaptureFile(path: nil)
        var pending: [UInt8] = []
        while let piece = try input.read() {
            pending += piece
            while lines, let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                guard publish(Array(pending[..<end]), command, settings) else { return false }
                pending.removeFirst(end + 1)
            }
            guard pending.count <= Self.messageLimit else {
                complain("the message has more than \(Self.messageLimit) bytes")
                return false
            }
        }
        return lines && pending.isEmpty || publish(pending, command, settings)
    }

    private func publish(
        _ message: [UInt8], _ command: PublishCommand, _ settings: Settings
    ) -> Bool {
        let unlikely = PublishCommand.remarks(
            channel: "a:b", messageLength: message.count, settings)
        for remark in unlikely { complain(remark) }
        let outcome = command.publish(message)
        guard let receivers = outcome.receivers else {
            complain(outcome.complaint ?? "")
            return false
        }
        return Host.print("\(receivers)\n")
    }
}

/// `status2 watch`: shows a channel's messages in a terminal.
struct Watch: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Shows a channel's messages; answers heartbeats and comes back, as a page does.",
        discussion: """
            Each message is a line on standard output, control characters escaped; what becomes of \
            the connection, outages and gaps go to standard error. It ends with 0 after a hangup or \
            --count messages, with 1 where the relay refuses the request or, with --no-reconnect, \
            where the connection ends, and never by itself else.
            """)

    @Argument(help: "The channel, such as ws://127.0.0.1:9002/demo:status; wss:// for TLS.")
    var url: String

    @Flag(help: "Print the relay's messages as JSON, notices too.")
    var json = false

    @Flag(help: "After a loss of the connection ask for the messages since the last one.")
    var resume = false

    @Flag(help: "End when the connection does, with 1.")
    var noReconnect = false

    @Option(help: ArgumentHelp("End after so many messages.", valueName: "number"))
    var count: Int?

    @Option(help: ArgumentHelp("The Origin of the request.", valueName: "origin"))
    var origin: String?

    @Option(
        help: ArgumentHelp(
            "The longest silence, after which the connection is made again.", valueName: "duration")
    )
    var silence = "75s"

    @Option(
        name: .customLong("ca-file"),
        help: ArgumentHelp(
            "Authorities that may sign the relay's certificate (default: the system's).",
            valueName: "path"))
    var authorities: String?

    func validate() throws { _ = try options() }

    func run() throws { throw ExitCode(watch(try options())) }

    private func watch(_ options: WatchCommand.Options) -> Int32 {
        Host.endQuietlyWithoutReader()
        let outcome = WatchCommand.run(
            options,
            print: { line in
                do throws(HostError) {
                    try Host.writeToStandardOutput(line)
                    return true
                } catch {
                    return false
                }
            },
            tell: { Host.writeToStandardError("status2: \($0)\n") })
        if let complaint = outcome.complaint {
            Host.writeToStandardError("status2: \(complaint)\n")
        }
        if let signal = outcome.signal { Host.end(bySignal: signal) }
        return outcome.status
    }

    private func options() throws -> WatchCommand.Options {
        guard let target = WatchTarget(url) else {
            throw ValidationError("The URL is not ws://host:port/run:channel, nor wss://.")
        }
        var options = WatchCommand.Options(target: target)
        (options.json, options.resumes, options.returns) = (json, resume, !noReconnect)
        if let count, count < 1 { throw ValidationError("The value of --count is not positive.") }
        options.count = count
        if let origin, !origin.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) {
            throw ValidationError("The value of --origin is none.")
        }
        options.origin = origin
        guard let span = LoadOptions.span(silence), span > .zero else {
            throw ValidationError("The value of --silence is not a duration such as 75s.")
        }
        options.silence = span
        if let authorities { options.tls.caFile = authorities }
        return options
    }
}
