import CLinux
import Glibc

/// The file that the kernel made for a Unix socket, known by its number, lest another's be removed.
struct SocketFile {
    private let path: String
    private let device: dev_t
    private let inode: ino_t

    /// The socket file at the address; nil where the address is none of a file, or nothing is there.
    init?(at address: SocketAddress) {
        guard address.family == AF_UNIX else { return nil }
        var status = stat()
        guard unsafe lstat(address.description, &status) == 0 else { return nil }
        path = address.description
        device = status.st_dev
        inode = status.st_ino
    }

    /// Removes the file, unless another has taken its place.
    func remove() {
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_dev == device, status.st_ino == inode
        else { return }
        _ = unsafe unlink(path)
    }
}

/// Opening of listening sockets.
enum ListenSocket {
    /// The socket address behind a configured one; a host name is looked up, which may block: this
    /// runs once, before the loop serves anybody.
    static func address(of listenAddress: ListenAddress) throws(SystemError) -> SocketAddress {
        let address: SocketAddress?
        switch listenAddress {
        case .unix(let path):
            address = SocketAddress(path: path)
        case .tcp("", let port):
            address = hasIPv6() ? .any(port: port) : SocketAddress(numeric: "0.0.0.0", port: port)
        case .tcp(let host, let port):
            if let numeric = SocketAddress(numeric: host, port: port) {
                address = numeric
            } else if case .addresses(let found) = Resolver.lookUp(host: host, port: port) {
                address = found.first
            } else {
                address = nil
            }
        }
        guard let address else { throw SystemError(code: EADDRNOTAVAIL) }
        return address
    }

    /// Opens a nonblocking listening socket; the file of a Unix socket gets `mode`, or what the
    /// umask leaves.
    static func open(
        _ address: SocketAddress, mode: SocketMode? = nil, backlog: Int32
    ) throws(SystemError) -> Descriptor {
        if address.family == AF_UNIX { removeStaleSocket(at: address) }
        let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | flags, 0)
        guard descriptor >= 0 else { throw .last }
        let size = socklen_t(MemoryLayout<Int32>.size)
        var on: Int32 = 1
        var off: Int32 = 0
        if address.family != AF_UNIX {
            _ = unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, size)
        }
        if address.family == AF_INET6 {
            _ = unsafe setsockopt(descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, size)
        }
        let bound = bind(descriptor, to: address, mode: address.family == AF_UNIX ? mode : nil)
        guard bound == 0, Glibc.listen(descriptor, backlog) == 0 else {
            let error = SystemError.last
            _ = Glibc.close(descriptor)
            throw error
        }
        return descriptor
    }

    /// Takes a listening socket that the service manager has opened: a descriptor of our own for it,
    /// nonblocking, and its address. A file that belongs to it is the service manager's.
    ///
    /// - Throws: `EINVAL` where the descriptor is no stream socket that listens.
    static func adopt(
        _ inherited: Descriptor
    ) throws(SystemError) -> (Descriptor, SocketAddress) {
        guard option(SO_TYPE, of: inherited) == Int32(SOCK_STREAM.rawValue),
            option(SO_ACCEPTCONN, of: inherited) == 1,
            let address = localAddress(of: inherited)
        else { throw SystemError(code: EINVAL) }
        let descriptor = fcntl(inherited, F_DUPFD_CLOEXEC, 0)
        guard descriptor >= 0 else { throw .last }
        // Of the socket, not of the descriptor: it is so for whoever else has it.
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        return (descriptor, address)
    }

    private static func option(_ name: Int32, of descriptor: Descriptor) -> Int32? {
        var value: Int32 = 0
        var length = socklen_t(MemoryLayout<Int32>.size)
        guard unsafe getsockopt(descriptor, SOL_SOCKET, name, &value, &length) == 0 else {
            return nil
        }
        return value
    }

    /// Binds the socket. The kernel makes its file with all permissions but those in the umask, so
    /// that it has the right ones from its first moment on.
    private static func bind(
        _ descriptor: Descriptor, to address: SocketAddress, mode: SocketMode?
    ) -> Int32 {
        let former = mode.map { umask(mode_t(SocketMode.all.bits & ~$0.bits)) }
        let result = unsafe address.withSockaddr { unsafe Glibc.bind(descriptor, $0, $1) }
        // Nothing of what umask does touches errno.
        if let former { _ = umask(former) }
        return result
    }

    /// The address that the socket is bound to.
    static func localAddress(of descriptor: Descriptor) -> SocketAddress? {
        let (result, address) = unsafe SocketAddress.written { pointer, length in
            unsafe getsockname(descriptor, pointer, length)
        }
        return result == 0 ? address : nil
    }

    /// A socket file outlives a process that was killed; it is taken away when nobody answers there.
    private static func removeStaleSocket(at address: SocketAddress) {
        let path = address.description
        var status = stat()
        guard unsafe lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFSOCK else { return }
        let probe = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard probe >= 0 else { return }
        defer { _ = Glibc.close(probe) }
        let result = unsafe address.withSockaddr { unsafe connect(probe, $0, $1) }
        if result != 0, errno == ECONNREFUSED { _ = unsafe unlink(path) }
    }

    private static func hasIPv6() -> Bool {
        let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue), 0)
        guard probe >= 0 else { return false }
        _ = Glibc.close(probe)
        return true
    }
}
