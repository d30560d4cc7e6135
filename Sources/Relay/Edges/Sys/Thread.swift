import CLinux
import Glibc

/// Threads of the process beside its first; they block every signal but those of a fault of their own.
enum Thread {
    private final class Start: Sendable {
        let body: @Sendable () -> Void
        init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }

    /// Runs `body` in a new detached thread; false where the system has none to give.
    ///
    /// The name, of at most 15 bytes, is what `top -H` shows; without one it is the process's.
    static func start(
        named name: String? = nil, _ body: @escaping @Sendable () -> Void
    ) -> Bool {
        var all = sigset_t()
        var former = sigset_t()
        unsafe sigfillset(&all)
        for fault in FaultSignals.all { unsafe sigdelset(&all, fault) }
        unsafe pthread_sigmask(SIG_SETMASK, &all, &former)
        defer { unsafe pthread_sigmask(SIG_SETMASK, &former, nil) }
        var attributes = pthread_attr_t()
        unsafe pthread_attr_init(&attributes)
        defer { unsafe pthread_attr_destroy(&attributes) }
        unsafe pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        var thread = pthread_t()
        let start = unsafe Unmanaged.passRetained(Start(body))
        let result = unsafe pthread_create(
            &thread, &attributes,
            { argument in
                guard let argument = unsafe argument else { return nil }
                let start = unsafe Unmanaged<Start>.fromOpaque(argument).takeRetainedValue()
                start.body()
                return nil
            }, start.toOpaque())
        if result != 0 { unsafe start.release() }
        if result == 0, let name { _ = unsafe pthread_setname_np(thread, name) }
        return result == 0
    }

    /// Blocks the calling thread for so long; for the end of the process, where no loop turns.
    static func pause(_ span: Nanoseconds) {
        _ = poll(nil, 0, Int32(clamping: span.milliseconds))
    }
}

/// The clock on the wall.
enum WallClock {
    /// Nanoseconds since the Unix epoch.
    static func unixTime() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
