import ArgumentParser
import Relay

/// A subcommand that reads the daemon's configuration: the same variables and flags.
protocol ConfiguredCommand: ParsableCommand {
    /// Runs with a configuration that can be used; gives back the exit status.
    func run(_ configuration: Configuration) throws -> Int32
}

extension ConfiguredCommand {
    /// Loads the configuration and runs; one with which the daemon would not start is a failure.
    ///
    /// - Throws: `ValidationError` where the command line cannot be used.
    func run(settings: [String: String], environment: [String: String]) throws -> Int32 {
        let configuration = SettingsLoader.load(
            environment: environment, flags: settings, readFile: HostFile.read)
        if let error = configuration.usageError { throw ValidationError("\(error).") }
        return try run(configuration)
    }

    /// Whether a problem of these settings is in the way, which is told of.
    func isHindered(by configuration: Configuration, at names: [String]) -> Bool {
        let problem = configuration.problems.first { problem in
            problem.outcome == .fatal && names.contains { problem.name.hasPrefix($0) }
        }
        guard let problem else { return false }
        complain("\(problem)")
        return true
    }

    /// Writes a line to standard error.
    func complain(_ message: String) {
        Host.writeToStandardError("status2: \(Secret.maskingCredentials(in: message))\n")
    }

    /// Tells how a command has ended and gives back its exit status.
    func end(_ outcome: CommandOutcome) -> Int32 {
        if let complaint = outcome.complaint { complain(complaint) }
        return outcome.status
    }

    /// Reads a span of time such as `3s`.
    func span(_ text: String, _ name: String) throws -> Nanoseconds {
        guard let span = LoadOptions.span(text), span > .zero else {
            throw ValidationError("The value of \(name) is not a duration such as 3s or 500ms.")
        }
        return span
    }
}
