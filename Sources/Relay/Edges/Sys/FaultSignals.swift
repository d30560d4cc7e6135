import CLinux
import Glibc

/// The signals that say that a program has gone wrong, whoever sends them.
///
/// Swift's runtime has handlers of its own for most of them. They print a backtrace with the memory
/// that registers point at, in which a password may stand, and after a signal that another process
/// has sent the program goes on. Here each of them ends it.
public enum FaultSignals {
    static let all = [
        SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS, SIGXCPU, SIGSTKFLT,
    ]

    /// Lets each of them end the process from now on with one line on standard error and the status
    /// of the signal, with a core dump where the system makes one; `SIGQUIT` gets the system's action.
    ///
    /// Call it before there is another thread.
    public static func endTheProcess() {
        if !HostProcess.isIgnored(SIGQUIT) { _ = signal(SIGQUIT, SIG_DFL) }
        for number in all {
            var action = sigaction()
            unsafe action.__sigaction_handler.sa_handler = { FaultSignals.end(by: $0) }
            // The system's action is in force again, and the signal not blocked, within the handler.
            action.sa_flags = SA_ONSTACK | SA_NODEFER | Int32(truncatingIfNeeded: SA_RESETHAND)
            _ = unsafe sigaction(number, &action, nil)
        }
    }

    /// Ends the process by the system's action for the signal.
    ///
    /// It runs as a signal handler: nothing here allocates, locks or waits (signal-safety(7)).
    private static func end(by number: Int32) {
        HostProcess.complain("status2: ended by signal ", number)
        _ = raise(number)
        // Only process 1 comes here, for which the kernel leaves the action out.
        _exit(128 + number)
    }
}
