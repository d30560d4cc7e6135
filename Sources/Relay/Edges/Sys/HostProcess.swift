import CLinux
import Glibc

/// The process as the system sees it: its limits and its signals.
enum HostProcess {
    /// The signals that begin a shutdown.
    static let shutdownSignals = [SIGTERM, SIGINT, SIGQUIT]

    /// The signal at which the configuration is read again: SIGHUP.
    static let reloadSignal = SIGHUP

    /// The signals that the loop handles while it goes on; but a SIGHUP that the process was started
    /// to ignore, as by `nohup`, stays ignored.
    static func otherSignals() -> [Int32] {
        [traceSignal] + (isIgnored(reloadSignal) ? [] : [reloadSignal])
    }

    /// Ignores the signals that mean nothing to the daemon and would end it: a stray one must not
    /// send every page away. One that somebody handles already, such as a profiler, is left to it.
    ///
    /// With SIGXFSZ, a trace file that may not grow is an error of its write.
    static func ignoreMeaninglessSignals() {
        let named = [SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXFSZ]
        let realTime = Array(__libc_current_sigrtmin()...__libc_current_sigrtmax())
        for number in named + realTime where isDisposition(of: number, SIG_DFL) {
            _ = signal(number, SIG_IGN)
        }
    }

    /// Whether the process ignores the signal at present.
    static func isIgnored(_ number: Int32) -> Bool { isDisposition(of: number, SIG_IGN) }

    private static func isDisposition(of number: Int32, _ wanted: __sighandler_t?) -> Bool {
        var action = sigaction()
        guard unsafe sigaction(number, nil, &action) == 0 else { return false }
        let handler = unsafe action.__sigaction_handler.sa_handler
        return unsafe unsafeBitCast(handler, to: Int.self) == unsafeBitCast(wanted, to: Int.self)
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

    /// The limit of open descriptors that a daemon would raise itself to.
    static func descriptorLimit() -> Int {
        var limit = rlimit()
        guard unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else {
            return 1024
        }
        return Int(clamping: limit.rlim_max)
    }

    /// The WebSockets that fit: each takes a descriptor for the browser and, where links are not shared,
    /// one for Redis, and some are kept for the rest of the process.
    static func connectionLimit(
        descriptors: Int, loops: Int = 1, links: RedisSubscriptions = .dedicated
    ) -> Int {
        let room = descriptors - reserve(loops)
        switch links {
        case .dedicated: return max(1, room / 2)
        case .shared: return max(1, room - sharedLinks(loops) - plainReserve)
        }
    }

    /// Whether the process is root's.
    static var isRoot: Bool { geteuid() == 0 }

    /// The processors that the process may use: those that it may run on, or fewer where a quota of
    /// its control group (`cpu.max`) is worth fewer.
    static func processors() -> Int {
        var mask = [UInt](repeating: 0, count: 64)
        let size = mask.count * MemoryLayout<UInt>.size
        let result = unsafe sched_getaffinity(0, size, &mask)
        let allowed = result == 0 ? mask.reduce(0) { $0 + $1.nonzeroBitCount } : 1
        let line = try? HostFile.read("/sys/fs/cgroup/cpu.max", limit: 256)
        let quota = line.flatMap { Self.quota(String(decoding: $0, as: UTF8.self)) }
        return max(1, min(allowed, quota ?? allowed))
    }

    /// The processors that a line of `cpu.max` is worth, rounded up: time and period in
    /// microseconds; nil for no quota.
    static func quota(_ line: String) -> Int? {
        let parts = line.split { $0 == " " || $0 == "\n" }.map { Int($0) }
        guard parts.count == 2, let time = parts[0], let period = parts[1], time > 0, period > 0
        else { return nil }
        return max(1, (time - 1) / period + 1)
    }

    /// The connections that fit beside the links of so many WebSockets: those that are no WebSockets
    /// must not keep `/health` from being answered where only the number of WebSockets is limited.
    static func clientLimit(
        descriptors: Int, webSockets: Int, loops: Int = 1, links: RedisSubscriptions = .dedicated
    ) -> Int {
        let ofLinks = links == .dedicated ? webSockets : sharedLinks(loops)
        return max(webSockets + plainReserve, descriptors - reserve(loops) - ofLinks)
    }

    /// Descriptors for shared links: in a cluster a loop has one to each master, and a probe.
    private static func sharedLinks(_ loops: Int) -> Int { 64 * loops }

    /// Descriptors for the rest of the process; each loop has two beside its connections.
    private static func reserve(_ loops: Int) -> Int { max(128, 64 + 2 * loops) }
    /// Connections that are no WebSockets, for which there is room at any limit.
    private static let plainReserve = 64

    /// Makes writes to a closed pipe or socket an error instead of the end of the process.
    static func ignoreBrokenPipes() {
        _ = signal(SIGPIPE, SIG_IGN)
    }

    /// Blocks signals in the calling thread and in those that it starts.
    static func block(_ signals: [Int32]) {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
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
        complain("status2: ended at once by a second signal", nil)
        _exit(128 + number)
    }

    /// Writes a line to standard error, with the number of a signal at its end, where that has room.
    ///
    /// It may run within a signal handler: nothing here allocates, locks or waits (signal-safety(7)).
    static func complain(_ text: StaticString, _ number: Int32?) {
        // A full pipe would hold the end up. What poll finds room for, a pipe takes whole.
        var errors = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard unsafe poll(&errors, 1, 0) == 1, errors.revents & Int16(POLLOUT) != 0 else { return }
        _ = unsafe write(STDERR_FILENO, text.utf8Start, text.utf8CodeUnitCount)
        var end: (UInt8, UInt8, UInt8) = (0, 0, UInt8(ascii: "\n"))
        var length = 1
        if let number {
            end.0 = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10 % 10)
            end.1 = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10)
            length = number > 9 ? 3 : 2
        }
        unsafe withUnsafeBytes(of: &end) { bytes in
            guard let base = bytes.baseAddress else { return }
            _ = unsafe write(STDERR_FILENO, base + (bytes.count - length), length)
        }
    }
}
