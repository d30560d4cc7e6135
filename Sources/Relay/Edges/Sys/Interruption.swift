import CLinux
import Glibc
import Synchronization

/// A signal that ends a command: the command learns of it where it waits, and may say good-bye first.
///
/// Where it does anything else, such as writing to a pipe that is full, the signal ends it as ever. It
/// is the process's, as signals are; a daemon reads its signals in its loop and watches for none here.
enum Interruption {
    /// The signals, but for those that the process was started to ignore.
    private static let signals = (HostProcess.shutdownSignals + [HostProcess.reloadSignal])
        .filter { !HostProcess.isIgnored($0) }
    /// What they are read from; -1, which `poll` passes over, as long as none is watched for.
    private static let source = Atomic<Descriptor>(-1)
    private static let taken = Atomic<Int32>(0)

    private static var set: sigset_t {
        var set = sigset_t()
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal) }
        return set
    }

    /// Watches from now on; at most once.
    static func watch() {
        var set = set
        // Without it they end the process wherever it is.
        let opened = unsafe signalfd(-1, &set, Int32(SFD_NONBLOCK) | Int32(SFD_CLOEXEC))
        source.store(opened, ordering: .relaxed)
    }

    /// The signal that has come, if any has.
    static var signal: Int32? {
        let number = taken.load(ordering: .relaxed)
        return number == 0 ? nil : number
    }

    /// Waits until something may be done with the descriptor, the time is over, or a signal has come;
    /// what `poll` says of the descriptor.
    static func poll(_ descriptor: Descriptor, for events: Int32, _ milliseconds: Int32) -> Int32 {
        let source = source.load(ordering: .relaxed)
        var watched = [
            pollfd(fd: descriptor, events: Int16(events), revents: 0),
            pollfd(fd: source, events: Int16(POLLIN), revents: 0),
        ]
        guard source >= 0 else { return unsafe Glibc.poll(&watched, 1, milliseconds) }
        var set = set
        unsafe pthread_sigmask(SIG_BLOCK, &set, nil)
        let ready = unsafe Glibc.poll(&watched, 2, milliseconds)
        let code = errno
        var info = signalfd_siginfo()
        let size = MemoryLayout<signalfd_siginfo>.size
        if unsafe read(source, &info, size) == size {
            taken.store(Int32(info.ssi_signo), ordering: .relaxed)
        }
        unsafe pthread_sigmask(SIG_UNBLOCK, &set, nil)
        // What the caller asks for is why `poll` has failed, not that no signal was there.
        errno = code
        return watched[0].revents != 0 ? 1 : min(ready, 0)
    }
}
