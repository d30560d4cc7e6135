import CLinux
import Glibc

/// The process as the system sees it: its limits and its signals.
enum HostProcess {
    /// The signals that begin a shutdown: SIGTERM and SIGINT.
    static let shutdownSignals = [SIGTERM, SIGINT]
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

    /// Gives signals back to the system: the next one ends the process at once.
    static func restore(signals: [Int32]) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for number in signals {
            _ = signal(number, SIG_DFL)
            unsafe sigaddset(&set, number)
        }
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
    }
}
