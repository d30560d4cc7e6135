import Glibc

let status = CommandLineEntry.run(
    arguments: Array(CommandLine.arguments.dropFirst()), environment: Host.environment())
exit(status)
