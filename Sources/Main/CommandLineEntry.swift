import ArgumentParser
import Logging
import Relay

/// From arguments and environment to an exit status.
enum CommandLineEntry {
    /// The statuses with which the process ends; a command line for another use has its own.
    enum Status {
        static let success: Int32 = 0
        static let failure: Int32 = 1
        static let usage: Int32 = 2
    }

    /// Runs what the arguments, without the program's name, ask for.
    static func run(arguments: [String], environment: [String: String]) -> Int32 {
        do {
            let flags = try SettingFlags(EmbeddedRedisFlag.completed(arguments))
            var command = try Status2.parseAsRoot(flags.rest)
            if let serving = command as? Status2 {
                return try serving.serve(settings: flags.values, environment: environment)
            }
            if let configured = command as? any ConfiguredCommand {
                return try configured.run(settings: flags.values, environment: environment)
            }
            if let decoding = command as? any DecodingCommand { return decoding.decode() }
            try command.run()
            return Status.success
        } catch let error as SettingFlags.UsageError {
            return end(with: ValidationError("\(error.reason)."))
        } catch {
            return end(with: error)
        }
    }

    /// What a start that fails is called in the log: the words of the service that this one replaces.
    enum Failure: String {
        case configuration = "configuration error"
        case server = "failed to construct server"
    }

    /// Ends with one line on standard error, which is the error of a line of the log as well.
    static func fail(_ failure: Failure, _ message: String) -> Int32 {
        let line = Secret.maskingCredentials(in: message)
        Host.writeToStandardError("status2: \(line)\n")
        let handler = JSONLogHandler(
            label: "main", level: .error, sink: Host.StandardOutput(),
            now: Host.nanosecondsSinceEpoch)
        Logger(label: "main") { _ in handler }.error(
            "\(failure.rawValue)", metadata: ["error": "\(line)"])
        return Status.failure
    }

    /// Which setting an option that the parser does not know may have been meant to be.
    private static func guess(for message: String) -> String {
        let parts = message.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].hasSuffix("Unknown option "),
            let name = SettingFlags.nearest(to: String(parts[1]))
        else { return "" }
        return "\nWas '\(name)' meant?"
    }

    /// What only the daemon's own usage text has.
    private static let usageMark = "--embedded-redis "

    private static func end(with error: any Error) -> Int32 {
        let code = Status2.exitCode(for: error)
        let message = Status2.fullMessage(for: error)
        // An exit status by itself has nothing to say.
        if message.isEmpty { return code.rawValue }
        if code == .success {
            // The settings are no options of the parser: their part of the usage text is theirs.
            let settings = message.contains(usageMark) ? "\n\(SettingsTable.usage)\n" : ""
            return Host.print("\(message)\n\(settings)") ? Status.success : Status.failure
        }
        let shown = Secret.maskingCredentials(in: message)
        Host.writeToStandardError(shown + guess(for: message) + "\n")
        return code == .validationFailure ? Status.usage : code.rawValue
    }
}

/// The one option whose value may be left out, which the argument parser has no notion of.
enum EmbeddedRedisFlag {
    private static let name = "--embedded-redis"

    /// Gives a bare `--embedded-redis` its value: the word behind it where that is an address, else the
    /// standard one.
    static func completed(_ arguments: [String]) -> [String] {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        var words = arguments[..<end]
        var completed: [String] = []
        while let word = words.popFirst() {
            guard word == name else {
                completed.append(word)
                continue
            }
            let isAddress = words.first.map { !$0.hasPrefix("-") && $0.contains(":") } ?? false
            let value = isAddress ? words.removeFirst() : "\(EmbeddedBrokerAddress.standard)"
            completed.append("\(name)=\(value)")
        }
        return completed + arguments[end...]
    }
}
