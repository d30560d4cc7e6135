import ArgumentParser
import Relay

/// `status2 doctor`: holds the configuration against its Redis and its machine.
struct Examine: ConfiguredCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Checks the configuration against its Redis and this machine, a verdict a line.",
        discussion: """
            It reads the daemon's variables and flags. A line has the verdict (ok, unknown, warn, \
            fail), what was looked at, what was found, and what to change. The status is 0, 1 where \
            the worst is a warning, and 2 where something fails; unknown is what Redis or the machine \
            does not tell, and counts as ok. Run it as the daemon's user, under the daemon's limits.
            """)

    @Flag(help: "Print one line of JSON.")
    var json = false

    func run(_ configuration: Configuration) throws -> Int32 {
        var configuration = configuration
        configuration.checkTLSFiles()
        let diagnosis = Doctor.examine(configuration)
        guard Host.print(json ? diagnosis.json : diagnosis.lines) else {
            return CommandLineEntry.Status.usage
        }
        return diagnosis.level.status
    }
}
