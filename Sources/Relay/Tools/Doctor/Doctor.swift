/// `status2 doctor`: holds a configuration against its Redis and its machine.
public struct Doctor {
    /// The longest wait for each answer of Redis.
    static let patience = Nanoseconds.seconds(5)

    let configuration: Configuration
    private(set) var diagnosis = Diagnosis()

    var settings: Settings { configuration.settings }

    private init(_ configuration: Configuration) { self.configuration = configuration }

    /// Looks at everything; it publishes one message to a channel of its own and changes nothing.
    public static func examine(_ configuration: Configuration) -> Diagnosis {
        var doctor = Doctor(configuration)
        doctor.examineConfiguration()
        doctor.examineMachine()
        doctor.examineRedis()
        return doctor.diagnosis
    }

    /// Writes a verdict down.
    mutating func note(
        _ subject: String, _ level: Verdict.Level, _ text: String, _ advice: String? = nil
    ) {
        diagnosis.verdicts.append(
            Verdict(subject: subject, level: level, text: text, advice: advice))
    }

    // MARK: - The configuration by itself

    private mutating func examineConfiguration() {
        for problem in configuration.problems {
            note(
                "configuration", problem.outcome == .fatal ? .fail : .warn, "\(problem)",
                "status2 --check-config prints what is in force")
        }
        for warning in configuration.warnings { note("configuration", .warn, "\(warning)") }
        if HostProcess.isRoot, settings.namesFiles {
            note(
                "user", .unknown, "root reads files that the daemon's user may not",
                "run it as that user: docs/commands.md")
        }
        if configuration.problems.isEmpty, configuration.warnings.isEmpty {
            noteSound()
        }
        examineOrigins()
        if settings.sendsHangup {
            note(
                "hangup", .warn, "pages of the deployed script stay away after a restart",
                "leave STATUS_SEND_HANGUP unset, unless all pages take a hangup for \"later\"")
        } else {
            note("hangup", .ok, "pages come back after a restart")
        }
        examineHeartbeat()
    }

    private mutating func noteSound() {
        guard configuration.entries.contains(where: { $0.origin != .standard }) else {
            // On a server that is most often a file that was not named.
            return note(
                "configuration", .unknown, "these are the defaults: nothing is set here",
                "--env-file names the file of the daemon's settings, where it has one")
        }
        note("configuration", .ok, "every value is taken as it was written")
    }

    private mutating func examineOrigins() {
        let flawed = settings.allowedOrigins.filter { OriginPattern.flaw(of: $0) != nil }
        if settings.allowedOrigins.isEmpty {
            note(
                "origins", .warn, "pages of every site may connect",
                "set STATUS_ALLOWED_ORIGINS to the hosts of your pages")
        } else if flawed.count == settings.allowedOrigins.count {
            note(
                "origins", .fail, "no pattern can match a page",
                "mend what the warnings of the configuration name")
        } else if settings.allowedOrigins.contains("*") {
            note(
                "origins", .warn, "the pattern * lets in pages of every site",
                "name the hosts of your pages")
        } else {
            let count = settings.allowedOrigins.count
            note("origins", .ok, count == 1 ? "1 pattern" : "\(count) patterns")
        }
    }

    /// Proxies close a connection that is silent: nginx and cloud load balancers after 60 s, HAProxy
    /// after 50 s in the examples of its manual.
    private mutating func examineHeartbeat() {
        let interval = GoDuration.print(settings.pingInterval)
        if settings.pingInterval > .seconds(30) {
            note(
                "heartbeat", .warn, "a ping every \(interval)",
                "proxies close connections that are silent for 50 to 60 s: 30s or less leaves room"
                    + " for one that is late")
        } else {
            note(
                "heartbeat", .ok, "a ping every \(interval), within the time-outs of usual proxies")
        }
    }
}
