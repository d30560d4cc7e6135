import ArgumentParser
import Relay

/// The daemon itself, which is what the program does when it is not given a subcommand.
struct Status2: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status2",
        abstract: "Relays Redis Pub/Sub messages to browser WebSockets.",
        usage: """
            status2 [<options>]
            status2 decode resp|ws [<file>]
            """,
        discussion: SettingsTable.environmentUsage,
        version: "status2 \(Release.version)",
        subcommands: [Decode.self])

    @OptionGroup(title: "Connections") var connections: ConnectionOptions
    @OptionGroup(title: "Redis") var redis: RedisOptions
    @OptionGroup(title: "TLS to Redis") var redisTLS: RedisTLSOptions
    @OptionGroup(title: "Limits") var limits: LimitOptions
    @OptionGroup(title: "Operation") var operation: OperationOptions
    @OptionGroup(title: "Trace") var tracing: TraceFlags

    @Option(
        help: ArgumentHelp(
            "Relay from a small broker within this process, which speaks Redis's protocol"
                + " (default: \(EmbeddedBrokerAddress.standard)).",
            valueName: "host:port"))
    var embeddedRedis: String?

    @Flag(help: "Let the embedded broker listen on an address that other machines reach.")
    var embeddedRedisAllowRemote = false

    @Flag(help: "Print the configuration in force and where it comes from, then exit.")
    var checkConfig = false

    /// Checks the configuration or runs the daemon; gives back the exit status.
    ///
    /// - Throws: `ValidationError` where the command line cannot be used.
    func serve(environment: [String: String]) throws -> Int32 {
        let broker = try brokerAddress()
        let trace = try tracing.options()
        var configuration = SettingsLoader.load(
            environment: environment, flags: flags, embeddedBroker: broker)
        if let error = configuration.usageError {
            throw ValidationError("\(error).")
        }
        configuration.checkTLSFiles()
        if checkConfig {
            print(configuration.report, terminator: "")
            return configuration.isFaulty
                ? CommandLineEntry.Status.failure : CommandLineEntry.Status.success
        }
        if let fatal = configuration.fatal {
            return CommandLineEntry.fail(fatal.description)
        }
        let fatal = Daemon.run(
            DaemonOptions(
                settings: configuration.settings, startupWarnings: configuration.startupWarnings,
                embeddedBroker: broker, trace: trace),
            announce: Host.writeToStandardError)
        return fatal.map(CommandLineEntry.fail) ?? CommandLineEntry.Status.success
    }

    private func brokerAddress() throws -> EmbeddedBrokerAddress? {
        guard let embeddedRedis else {
            if embeddedRedisAllowRemote {
                throw ValidationError("--embedded-redis-allow-remote goes with --embedded-redis.")
            }
            return nil
        }
        guard let address = EmbeddedBrokerAddress(embeddedRedis) else {
            throw ValidationError("The value of --embedded-redis is not host:port.")
        }
        guard address.isLoopback || embeddedRedisAllowRemote else {
            throw ValidationError(
                "The embedded broker has no protection: to let it listen on \(address), which other"
                    + " machines may reach, add --embedded-redis-allow-remote.")
        }
        return address
    }

    /// The settings that were given as flags.
    private var flags: [String: String] {
        let all =
            connections.values + redis.values + redisTLS.values + limits.values + operation.values
        // The table is the one list of settings; an option that it lacks, or lacks an option, is a
        // mistake in this program.
        precondition(all.map(\.flag).sorted() == SettingsTable.rows.map(\.flag).sorted())
        return all.reduce(into: [:]) { $0[$1.flag] = $1.value }
    }
}
