import ArgumentParser
import Relay

/// `status2 trace`: prints what a running daemon and Redis say to each other.
struct TraceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "trace",
        abstract: "Prints the traffic with Redis of a running daemon, for a while.",
        discussion: """
            It asks the daemon's admin listener (STATUS_ADMIN_ADDR). Passwords are masked. The trace \
            ends by itself, and with this command. The status is 0 when the time is over, 1 when the \
            daemon cannot be asked or refuses, and 2 when the command line cannot be used.
            """)

    @Option(
        help: ArgumentHelp(
            "The daemon's admin listener.", valueName: "host:port|unix:/path"))
    var admin: String

    @Option(
        help: ArgumentHelp(
            "Only links whose channel the shell pattern stands for, such as 'run:*'.",
            valueName: "pattern"))
    var channel: String?

    @Option(help: ArgumentHelp("Only the link with this number.", valueName: "n"))
    var link: UInt64?

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("How long, at most 1h.", valueName: "duration"))
    var span = "30s"

    @Option(help: "How the lines are written: text, json or hex.")
    var format = "text"

    @Flag(help: "Ends the trace that is on, whoever has begun it, and prints nothing.")
    var off = false

    func run() throws {
        Host.endQuietlyWithoutReader()
        let client: AdminClient
        do throws(AdminClient.Failure) {
            client = try AdminClient(admin)
        } catch {
            throw fail("--admin: \(error.reason)", CommandLineEntry.Status.usage)
        }
        let status: Int
        var refusal: [UInt8] = []
        var isWritten = true
        do throws(AdminClient.Failure) {
            if off {
                status = try client.request(
                    "DELETE", "/debug/trace", refusal: &refusal, print: { _ in true })
            } else {
                status = try watch(client, &refusal, &isWritten)
            }
        } catch {
            throw fail(error.reason)
        }
        guard isWritten else { throw fail("cannot write standard output") }
        guard status == 200 else {
            // The daemon reads the pattern, the span and the format.
            throw fail(
                "the daemon refuses: \(String(decoding: refusal, as: UTF8.self))",
                status == 400
                    ? CommandLineEntry.Status.usage : CommandLineEntry.Status.failure)
        }
    }

    /// Prints the lines as they come, as long as they can be written; what comes with another status
    /// goes to `refusal`.
    private func watch(
        _ client: AdminClient, _ refusal: inout [UInt8], _ isWritten: inout Bool
    ) throws(AdminClient.Failure) -> Int {
        var pairs = [("for", span), ("format", format)]
        if let channel { pairs.append(("channel", channel)) }
        if let link { pairs.append(("link", String(link))) }
        return try client.request(
            "POST", "/debug/trace", query: pairs, refusal: &refusal,
            print: { (bytes: [UInt8]) -> Bool in
                do throws(HostError) {
                    try Host.writeToStandardOutput(bytes)
                    return true
                } catch {
                    isWritten = false
                    return false
                }
            })
    }

    private func fail(
        _ reason: String, _ status: Int32 = CommandLineEntry.Status.failure
    ) -> ExitCode {
        Host.writeToStandardError("status2: trace: \(reason.trimmingNewlines())\n")
        return ExitCode(status)
    }
}

extension String {
    fileprivate func trimmingNewlines() -> Substring {
        var rest = self[...]
        while rest.last == "\n" { rest.removeLast() }
        return rest
    }
}
