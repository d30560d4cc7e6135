import CLinux
import Glibc

/// An address of a socket: IPv4, IPv6 or a path in the file system.
struct SocketAddress: Hashable, Sendable {
    /// The bytes of the C structure `sockaddr_in`, `sockaddr_in6` or `sockaddr_un`.
    private let bytes: [UInt8]

    fileprivate init(bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The protocol family: `AF_INET`, `AF_INET6` or `AF_UNIX`.
    var family: Int32 {
        bytes.count < 2 ? AF_UNSPEC : Int32(UInt16(bytes[0]) | UInt16(bytes[1]) << 8)
    }

    /// The port, or 0 for a path.
    var port: UInt16 {
        family == AF_UNIX || bytes.count < 4 ? 0 : UInt16(bytes[2]) << 8 | UInt16(bytes[3])
    }

    /// The address without its port; nil for a path.
    var networkAddress: NetworkAddress? {
        switch family {
        case AF_INET: NetworkAddress(bytes: bytes.dropFirst(4).prefix(4))
        case AF_INET6: NetworkAddress(bytes: bytes.dropFirst(8).prefix(16))
        default: nil
        }
    }

    /// Whether it can be reached from this machine alone (127.0.0.0/8, ::1, a path).
    var isLoopback: Bool {
        switch family {
        case AF_UNIX: true
        case AF_INET: bytes.count >= 8 && bytes[4] == 127
        case AF_INET6: bytes.count >= 24 && bytes[8..<23].allSatisfy { $0 == 0 } && bytes[23] == 1
        default: false
        }
    }

    /// An address of numbers, such as `127.0.0.1` or `::1`; nil where the text is not one.
    init?(numeric host: String, port: UInt16) {
        var address4 = sockaddr_in()
        if unsafe inet_pton(AF_INET, host, &address4.sin_addr) == 1 {
            address4.sin_family = sa_family_t(AF_INET)
            address4.sin_port = port.bigEndian
            bytes = unsafe withUnsafeBytes(of: &address4) { unsafe Array($0) }
            return
        }
        var address6 = sockaddr_in6()
        guard unsafe inet_pton(AF_INET6, host, &address6.sin6_addr) == 1 else { return nil }
        address6.sin6_family = sa_family_t(AF_INET6)
        address6.sin6_port = port.bigEndian
        bytes = unsafe withUnsafeBytes(of: &address6) { unsafe Array($0) }
    }

    /// A path in the file system; nil where it is empty or longer than the kernel takes (107 bytes).
    init?(path: String) {
        var address = sockaddr_un()
        let path = Array(path.utf8)
        let room = MemoryLayout.size(ofValue: address.sun_path)
        guard !path.isEmpty, path.count < room, !path.contains(0) else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) { target in
            unsafe target.copyBytes(from: path)
        }
        bytes = unsafe withUnsafeBytes(of: &address) { unsafe Array($0) }
    }

    /// A name in the abstract name space of Unix sockets (unix(7)), which is no file; nil where it is
    /// empty or longer than the kernel takes (107 bytes).
    init?(abstract name: String) {
        let family = UInt16(AF_UNIX)
        let name = Array(name.utf8)
        guard !name.isEmpty, name.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
            return nil
        }
        // The name has no end of its own: the length of the structure says where it ends.
        bytes = [UInt8(truncatingIfNeeded: family), UInt8(family >> 8), 0] + name
    }

    /// Any address of this machine, in IPv6 and IPv4 alike.
    static func any(port: UInt16) -> SocketAddress? {
        SocketAddress(numeric: "::", port: port)
    }

    /// The address that `getsockname` and its like write.
    static func written(
        by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
    ) -> (result: Int32, address: SocketAddress) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { rebound in
                unsafe call(rebound, &length)
            }
        }
        let bytes = unsafe withUnsafeBytes(of: &storage) { unsafe Array($0.prefix(Int(length))) }
        return (result, SocketAddress(bytes: bytes))
    }

    /// A copy of a C structure.
    @unsafe static func copy(of pointer: UnsafePointer<sockaddr>, length: socklen_t)
        -> SocketAddress
    {
        SocketAddress(
            bytes: unsafe Array(UnsafeRawBufferPointer(start: pointer, count: Int(length))))
    }

    /// Hands the C structure to `body`.
    func withSockaddr<Result>(
        _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
    ) -> Result {
        unsafe bytes.withUnsafeBytes { raw in
            var storage = sockaddr_storage()
            return unsafe withUnsafeMutableBytes(of: &storage) { target in
                unsafe target.copyMemory(from: raw)
                return unsafe target.withMemoryRebound(to: sockaddr.self) { rebound in
                    guard let base = rebound.baseAddress else {
                        preconditionFailure("an address structure has no storage")
                    }
                    return unsafe body(base, socklen_t(raw.count))
                }
            }
        }
    }
}

extension SocketAddress: CustomStringConvertible {
    /// The address in words: `127.0.0.1:6379`, `[::1]:6379`, or a path.
    var description: String {
        switch family {
        case AF_INET:
            return "\(hostDescription):\(port)"
        case AF_INET6:
            return "[\(hostDescription)]:\(port)"
        default:
            return String(decoding: bytes.dropFirst(2).prefix { $0 != 0 }, as: UTF8.self)
        }
    }

    /// The address without its port.
    var hostDescription: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let offset = family == AF_INET ? 4 : 8
        guard family != AF_UNIX, bytes.count > offset else { return "" }
        unsafe bytes.withUnsafeBytes { raw in
            guard let base = raw.baseAddress else { return }
            _ = unsafe inet_ntop(family, base + offset, &text, socklen_t(text.count))
        }
        let length = text.firstIndex(of: 0) ?? text.count
        return String(decoding: text[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
