import CLinux
import Glibc

/// The process as the system sees it: its limits and its signals.
enum HostProcess {
    /// The signals that begin a shutdown: SIGTERM, SIGINT and SIGHUP; but a SIGHUP that the process
    /// was started to ignore, as by `nohup`, stays ignored.
    static func shutdownSignals() -> [Int32] {
        [SIGTERM, SIGINT] + (isIgnored(SIGHUP) ? [] : [SIGHUP])
    }

    private static func isIgnored(_ number: Int32) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        let handler = unsafe action.__sigaction_handler.sa_handler
        return unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
    }

    /// The signal that switches the trace on and off: SIGUSR1.
    static let traceSignal = SIGUSR1

    /// Raises the limit of open descriptors to what is allowed, and returns it.
    static func raiseDescriptorLimit() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 1024
        }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if unsafe setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &raised) == 0 {
                limit = raised
            }
        }
        return Int(clamping: limit.rlim_cur)
    }

    /// The WebSockets that fit: each takes a descriptor for the browser and one for Redis, and some
    /// are kept for the rest of the process.
    static func connectionLimit(descriptors: Int) -> Int {
        max(1, (descriptors - reserve) / 2)
    }

    /// The connections that fit beside the links of so many WebSockets: those that are no WebSockets
    /// must not keep `/health` from being answered where only the number of WebSockets is limited.
    static func clientLimit(descriptors: Int, webSockets: Int) -> Int {
        max(webSockets + plainReserve, descriptors - reserve - webSockets)
    }

    private static let reserve = 128
    /// Connections that are no WebSockets, for which there is room at any limit.
    private static let plainReserve = 64

    /// Makes writes to a closed pipe or socket an error instead of the end of the process.
    static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Lets the next of these signals end the process at once, whatever the loop is doing.
    ///
    /// The system's own action would not do: the kernel leaves it out for process 1, which the
    /// daemon is in a container.
    static func endAtNext(_ signals: [Int32]) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in signals {
            _ = signal(number) { HostProcess.end(bySignal: $0) }
            unsafe sigaddset(&set, number)
        }
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }

    /// Ends the process with the status by which shells name a signal: 128 and its number.
    ///
    /// It may run as a signal handler: nothing here allocates, locks or waits (signal-safety(7)).
    static func end(bySignal number: Int32) -> Never {
        let line: StaticString = "status2: ended at once by a second signal\n"
        // A full pipe would hold the end up. What poll finds room for, a pipe takes whole.
        var errors = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        if unsafe poll(&errors, 1, 0) == 1, errors.revents & Int16(POLLOUT) != 0 {
            _ = unsafe write(STDERR_FILENO, line.utf8Start, line.utf8CodeUnitCount)
        }
        _exit(128 + number)
    }
}
