import ArgumentParser
import Relay

/// The daemon itself, which is what the program does when it is not given a subcommand.
struct Status2: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status2",
        abstract: "Relays Redis Pub/Sub messages to browser WebSockets.",
        usage: """
            status2 [<options>]
            status2 doctor [--json]
            status2 healthcheck [--ready]
            status2 watch <url>
            status2 publish <channel> <message>|-
            status2 decode resp|ws [<file>]
            status2 trace --admin <address> [--channel <pattern>] [--for <duration>]
            """,
        version: "status2 \(Release.current)",
        subcommands: [
            Examine.self, Healthcheck.self, Watch.self, Publish.self, TraceCommand.self,
            Decode.self,
        ])

    @OptionGroup(title: "Trace") var tracing: TraceFlags

    @Option(
        help: ArgumentHelp(
            "Relay from a small broker within this process, which speaks Redis's protocol"
                + " (default: \(EmbeddedBrokerAddress.standard)).",
            valueName: "host:port"))
    var embeddedRedis: String?

    @Flag(help: "Let the embedded broker listen on an address that other machines reach.")
    var embeddedRedisAllowRemote = false

    @Flag(
        help: """
            Print the configuration in force and where it comes from, then exit: with 1 where the \
            daemon would not start or would start with another value than was written, else with 0.
            """)
    var checkConfig = false

    /// Checks the configuration or runs the daemon; gives back the exit status.
    ///
    /// - Parameter settings: the values of the flags that are settings, which the table has taken.
    /// - Throws: `ValidationError` where the command line cannot be used.
    func serve(settings: [String: String], environment: [String: String]) throws -> Int32 {
        let broker = try brokerAddress()
        let trace = try tracing.options()
        let load: @Sendable () -> Configuration = {
            var configuration = SettingsLoader.load(
                environment: environment, flags: settings, embeddedBroker: broker,
                readFile: HostFile.read)
            configuration.checkTLSFiles()
            return configuration
        }
        let configuration = load()
        if let error = configuration.usageError {
            throw ValidationError("\(error).")
        }
        if checkConfig {
            let isTold = Host.print(configuration.report)
            return isTold && !configuration.isFaulty
                ? CommandLineEntry.Status.success : CommandLineEntry.Status.failure
        }
        if let fatal = configuration.fatal {
            return CommandLineEntry.fail(.configuration, fatal.description)
        }
        let fatal = Daemon.run(
            DaemonOptions(
                settings: configuration.settings, startupWarnings: configuration.startupWarnings,
                redisReload: configuration.redisReload, reload: load, embeddedBroker: broker,
                trace: trace,
                service: ServiceEnvironment(environment, processID: Host.processID),
                release: .current),
            announce: Host.writeToStandardError)
        return fatal.map { CommandLineEntry.fail(.server, $0) } ?? CommandLineEntry.Status.success
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
}
