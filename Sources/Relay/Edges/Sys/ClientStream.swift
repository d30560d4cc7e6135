import CLinux
import Glibc

/// A connection of a command, which has one at a time and nothing to do but to wait for it.
///
/// Every call waits until its deadline at the longest, and then throws ``SystemError/timedOut``; a signal
/// ends it with ``SystemError/interrupted``.
struct ClientStream: ~Copyable {
    private let descriptor: Descriptor

    /// Connects to an address.
    init(to address: SocketAddress, by deadline: BootTime) throws(SystemError) {
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw .last }
        let size = socklen_t(MemoryLayout<Int32>.size)
        var on: Int32 = 1
        if address.family != AF_UNIX {
            _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        }
        if unsafe address.withSockaddr({ unsafe connect(descriptor, $0, $1) }) != 0 {
            guard errno == EINPROGRESS || errno == EINTR else { throw .last }
            try wait(for: POLLOUT, by: deadline)
        }
        var code: Int32 = 0
        var length = size
        _ = unsafe getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
        if code != 0 { throw SystemError(code: code) }
    }

    deinit { _ = Glibc.close(descriptor) }

    /// Sends all of the bytes.
    func send(_ bytes: [UInt8], by deadline: BootTime) throws(SystemError) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno == EAGAIN {
                try wait(for: POLLOUT, by: deadline)
            } else if errno != EINTR {
                throw .last
            }
        }
    }

    /// Reads what has come, as soon as there is something; 0 at the end of the stream.
    func receive(into buffer: inout [UInt8], by deadline: BootTime) throws(SystemError) -> Int {
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe recv(descriptor, $0.baseAddress, $0.count, 0)
            }
            if count >= 0 { return count }
            if errno == EAGAIN {
                try wait(for: POLLIN, by: deadline)
            } else if errno != EINTR {
                throw .last
            }
        }
    }

    private func wait(for events: Int32, by deadline: BootTime) throws(SystemError) {
        while true {
            let isInterrupted = Interruption.signal != nil
            let ready = Interruption.poll(
                descriptor, for: events, BootClock.milliseconds(until: deadline))
            if ready > 0 { return }
            if !isInterrupted, Interruption.signal != nil { throw .interrupted }
            if ready == 0 { throw .timedOut }
            if errno != EINTR { throw .last }
        }
    }
}

/// The boot clock, as commands read it.
enum BootClock {
    static func now() -> BootTime {
        var time = timespec()
        unsafe clock_gettime(CLOCK_BOOTTIME, &time)
        return BootTime(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    /// Waits; a signal that the process handles or watches for may end it sooner.
    static func wait(until deadline: BootTime) {
        _ = Interruption.poll(-1, for: 0, milliseconds(until: deadline))
    }

    /// The time that is left, rounded up, as `poll` takes it; -1 where the time never comes.
    fileprivate static func milliseconds(until deadline: BootTime) -> Int32 {
        guard deadline < .never else { return -1 }
        let left = max(0, (deadline - now()).count)
        return Int32(clamping: left / 1_000_000 + (left % 1_000_000 == 0 ? 0 : 1))
    }
}
