import CLinux
import Glibc

/// What a service manager can be told (sd_notify(3)).
enum ServiceNotice: Equatable, Sendable {
    /// How the daemon is, in words.
    case status(String)
    /// The daemon serves, for the first time or again after a reload.
    case ready(String)
    /// The settings are read again; ``ready(_:)`` says that it is done.
    case reloading
    /// The way down has begun, and takes so long at most.
    case stopping(String, atMost: Nanoseconds)
    /// A sign of life.
    case watchdog

    /// The notice as the protocol has it: assignments, one a line.
    ///
    /// - Parameter monotonicMicroseconds: `CLOCK_MONOTONIC`, by which a reload is told from the last.
    func text(monotonicMicroseconds: Int64) -> String {
        switch self {
        case .status(let words): "STATUS=\(Self.line(words))"
        case .ready(let words): "READY=1\nSTATUS=\(Self.line(words))"
        case .reloading: "RELOADING=1\nMONOTONIC_USEC=\(monotonicMicroseconds)"
        case .stopping(let words, let span):
            "STOPPING=1\nSTATUS=\(Self.line(words))\nEXTEND_TIMEOUT_USEC=\(span.count / 1000)"
        case .watchdog: "WATCHDOG=1"
        }
    }

    /// The words in one line, so that no part of them is an assignment.
    private static func line(_ words: String) -> String {
        String(words.map { $0.isNewline ? " " : $0 })
    }
}

/// The service manager that has started the process: systemd, or what speaks as it does.
///
/// It is told by datagrams to a Unix socket, which are never waited for.
struct ServiceManager: Sendable {
    private let socket: Descriptor
    private let address: SocketAddress

    /// The manager that listens at a path, or at an abstract name behind an `@`; nil where there is
    /// no such address.
    init?(at name: String) {
        let found =
            name.hasPrefix("@")
            ? SocketAddress(abstract: String(name.dropFirst())) : SocketAddress(path: name)
        guard let found else { return nil }
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        // One for the whole life of the process: it is not closed.
        socket = Glibc.socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | flags, 0)
        guard socket >= 0 else { return nil }
        address = found
    }

    /// Tells the manager; false where it did not take the notice.
    @discardableResult
    func tell(_ notice: ServiceNotice) -> Bool {
        var time = timespec()
        unsafe clock_gettime(CLOCK_MONOTONIC, &time)
        let microseconds = Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
        let text = Array(notice.text(monotonicMicroseconds: microseconds).utf8)
        return unsafe text.withUnsafeBytes { bytes in
            unsafe address.withSockaddr { pointer, length in
                unsafe sendto(
                    socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL), pointer, length)
                    == bytes.count
            }
        }
    }
}
