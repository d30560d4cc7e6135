import ArgumentParser
import Relay

/// What of the traffic with Redis is traced; flags of the daemon without environment variables.
struct TraceFlags: ParsableArguments {
    @Flag(
        help: """
            Write the traffic with Redis to standard error, passwords masked. SIGUSR1 switches the \
            trace on and off at any time, with the other flags of this group in force.
            """)
    var trace = false

    @Option(
        help: ArgumentHelp(
            "Only links whose channel the shell pattern stands for.", valueName: "pattern"))
    var traceChannel: String?

    @Option(help: ArgumentHelp("Only the link with this number.", valueName: "n"))
    var traceLink: UInt64?

    @Option(
        help: ArgumentHelp(
            "The bytes shown of each string (default: 1024 in text form, else all).",
            valueName: "n"))
    var traceMaxBytes: Int?

    @Option(
        help: ArgumentHelp(
            "How values are written (default: text); json and hex are what decode resp reads.",
            valueName: "text|json|hex"),
        transform: TraceFlags.format)
    var traceFormat = TraceOptions.Format.text

    @Option(
        help: ArgumentHelp(
            """
            Write to this file instead; when it is full, or is there already, it is kept under its \
            name with .1 behind it.
            """, valueName: "path"))
    var traceFile: String?

    @Option(
        help: ArgumentHelp(
            """
            The bytes after which the file is full, at least \(TraceOptions.File.leastLimit) \
            (default: \(TraceOptions.File.standardLimit)).
            """, valueName: "n"))
    var traceFileSize: Int?

    private static func format(_ text: String) throws -> TraceOptions.Format {
        guard let format = TraceOptions.Format(rawValue: text) else {
            throw ValidationError("It is one of text, json and hex.")
        }
        return format
    }

    /// The options that the flags stand for.
    ///
    /// - Throws: `ValidationError` where a value cannot be used.
    func options() throws -> TraceOptions {
        var options = TraceOptions()
        options.isOn = trace
        options.format = traceFormat
        if let traceLink, traceLink < 1 {
            throw ValidationError("The value of --trace-link is not a positive number.")
        }
        options.link = traceLink
        if let traceMaxBytes, traceMaxBytes < 0 {
            throw ValidationError("The value of --trace-max-bytes is negative.")
        }
        options.maximumStringBytes = traceMaxBytes
        if let traceChannel, !options.restrict(toChannels: traceChannel) {
            throw ValidationError("The value of --trace-channel is not a shell pattern.")
        }
        let least = TraceOptions.File.leastLimit
        if let traceFileSize, traceFile == nil || traceFileSize < least {
            throw ValidationError(
                "--trace-file-size goes with --trace-file and is at least \(least).")
        }
        options.file = traceFile.map {
            TraceOptions.File(
                path: $0, limit: traceFileSize ?? TraceOptions.File.standardLimit)
        }
        return options
    }
}
