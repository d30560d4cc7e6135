import Glibc
import Relay

FaultSignals.endTheProcess()
// Before anything opens a descriptor, which would become standard output.
Host.openStandardDescriptors()
let status = CommandLineEntry.run(
    arguments: Array(CommandLine.arguments.dropFirst()), environment: Host.environment())
exit(status)
