import Glibc
import Relay

FaultSignals.endTheProcess()
// Before anything opens a descriptor, which would become standard output.
Host.openStandardDescriptors()
// Swift reads the arguments from /proc. Without it a question such as `--version` would start a daemon
// with whatever the environment says.
guard !CommandLine.arguments.isEmpty else {
    Host.writeToStandardError("status2: the arguments cannot be read: /proc is not mounted\n")
    exit(CommandLineEntry.Status.usage)
}
let status = CommandLineEntry.run(
    arguments: Array(CommandLine.arguments.dropFirst()), environment: Host.environment())
exit(status)
