// `environ` is a global variable; it is read once, while there is one thread.
@unsafe @preconcurrency import Glibc
import Relay

/// What Main itself asks of the operating system, before there is a daemon.
enum Host {
    /// Whether the process was started without standard output; asked before anything is opened.
    private static let hasStandardOutput = !(fcntl(STDOUT_FILENO, F_GETFD) < 0 && errno == EBADF)

    /// Opens those of the descriptors 0, 1 and 2 that are closed on `/dev/null`: the next one that is
    /// opened, a socket say, would take the number, and lines of the log would be written into it.
    static func openStandardDescriptors() {
        _ = hasStandardOutput
        for descriptor in STDIN_FILENO...STDERR_FILENO
        where fcntl(descriptor, F_GETFD) < 0 && errno == EBADF {
            // The lowest free number is given, and those below are taken by now.
            let opened = unsafe open("/dev/null", O_RDWR)
            // There is nobody to tell, and to go on would be worse.
            if opened != descriptor { _exit(CommandLineEntry.Status.failure) }
        }
    }

    /// The process's environment; of a name that occurs twice, the first counts, as with `getenv`.
    static func environment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = unsafe environ
        while let text = unsafe entry.pointee {
            let pair = unsafe String(cString: text).utf8
                .split(separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(Substring(pair[0]))
            if pair.count == 2 && variables[name] == nil {
                variables[name] = String(Substring(pair[1]))
            }
            unsafe entry = unsafe entry.successor()
        }
        return variables
    }

    /// The number of this process.
    static var processID: Int32 { getpid() }

    /// Writes a text to standard error at once.
    static func writeToStandardError(_ text: String) {
        write(Array(text.utf8), to: STDERR_FILENO)
    }

    /// Writes all of the bytes to standard output.
    static func writeToStandardOutput(_ bytes: [UInt8]) throws(HostError) {
        guard hasStandardOutput else { throw HostError(code: EBADF) }
        try writeAll(bytes, to: STDOUT_FILENO)
    }

    /// Prints what a command was asked for; false, with a line on standard error, where it could not
    /// be written: a script must not take what is cut short for the whole.
    static func print(_ text: String) -> Bool {
        do throws(HostError) {
            try writeToStandardOutput(Array(text.utf8))
            return true
        } catch {
            writeToStandardError("status2: cannot write standard output: \(error)\n")
            return false
        }
    }

    /// Lets the process end without a word when nobody reads its output any more, as in `| head`.
    static func endQuietlyWithoutReader() {
        _ = signal(SIGPIPE, SIG_DFL)
    }

    /// Ends the process as a signal does that is not handled: who has started it sees that.
    static func end(bySignal number: Int32) -> Never {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        unsafe sigaddset(&set, number)
        _ = signal(number, SIG_DFL)
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        raise(number)
        _exit(128 + number)
    }

    /// The time in nanoseconds since the Unix epoch.
    static func nanosecondsSinceEpoch() -> Int64 {
        var time = timespec()
        guard unsafe clock_gettime(CLOCK_REALTIME, &time) == 0 else { return 0 }
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }

    /// A sink that writes to standard output at once, for the few lines before the daemon's own.
    struct StandardOutput: LogSink {
        func write(_ line: [UInt8]) {
            Host.write(line, to: STDOUT_FILENO)
        }
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32) {
        // There is nobody left to tell that the streams are gone.
        do throws(HostError) { try writeAll(bytes, to: descriptor) } catch {}
    }

    private static func writeAll(_ bytes: [UInt8], to descriptor: Int32) throws(HostError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.write(descriptor, $0.baseAddress, $0.count)
            }
            if count < 0 && errno != EINTR { throw .last }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
