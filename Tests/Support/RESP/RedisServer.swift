import Glibc

/// A `redis-server` of one's own: on a Unix socket in a temporary directory, with no files, gone
/// after a minute even when the tests do not end it.
package final class RedisServer {
    /// Whether the tests must not be skipped where there is no server.
    package static var isRequired: Bool { environment("STATUS2_REQUIRE_SERVERS") == "1" }

    /// Where the server is installed; nil where it is not.
    package static let executable: String? = find("redis-server")

    private let directory: String
    private let process: pid_t

    /// The path of the server's socket.
    package var socketPath: String { "\(directory)/redis.sock" }

    /// Starts a server; nil where there is none or it does not start.
    package init?() {
        guard let server = Self.executable, let timeout = Self.find("timeout"),
            let directory = Self.makeDirectory()
        else { return nil }
        self.directory = directory
        let arguments = [
            timeout, "60", server, "--port", "0", "--unixsocket", "\(directory)/redis.sock",
            "--save", "", "--appendonly", "no", "--enable-debug-command", "yes", "--dir", directory,
            "--logfile", "/dev/null",
        ]
        guard let process = Self.spawn(arguments) else {
            _ = unsafe rmdir(directory)
            return nil
        }
        self.process = process
    }

    deinit {
        end()
        _ = unsafe unlink(socketPath)
        _ = unsafe rmdir(directory)
    }

    /// Opens a connection, for which the server has ten seconds from its start.
    package func connect() -> RedisConnection? {
        for _ in 0..<200 {
            if let connection = RedisConnection(path: socketPath) { return connection }
            _ = poll(nil, 0, 50)
        }
        return nil
    }

    private static func environment(_ name: String) -> String? {
        guard let value = unsafe getenv(name) else { return nil }
        return unsafe String(cString: value)
    }

    private static func find(_ name: String) -> String? {
        (environment("PATH") ?? "/usr/bin:/bin").split(separator: ":")
            .map { "\($0)/\(name)" }.first { unsafe access($0, X_OK) == 0 }
    }

    private static func makeDirectory() -> String? {
        // mkdtemp wants six of this letter at the end.
        let letters = String(repeating: "X", count: 6)
        var template = Array("/tmp/resp-tests-\(letters)".utf8CString)
        guard unsafe mkdtemp(&template) != nil else { return nil }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }

    /// Starts a process that heeds every signal: a test runs on a thread that blocks them.
    private static func spawn(_ arguments: [String]) -> pid_t? {
        var strings = unsafe arguments.map { unsafe strdup($0) }
        unsafe strings.append(nil)
        defer { for index in unsafe strings.indices { unsafe free(strings[index]) } }
        var attributes = posix_spawnattr_t()
        unsafe posix_spawnattr_init(&attributes)
        defer { unsafe posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        unsafe sigemptyset(&signals)
        unsafe posix_spawnattr_setsigmask(&attributes, &signals)
        unsafe posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        var process: pid_t = 0
        guard let path = arguments.first else { return nil }
        let result = unsafe posix_spawn(&process, path, nil, &attributes, strings, environ)
        return result == 0 ? process : nil
    }

    /// Ends the process, at the latest after two seconds.
    private func end() {
        var status: CInt = 0
        kill(process, SIGTERM)
        for _ in 0..<200 {
            if unsafe waitpid(process, &status, WNOHANG) != 0 { return }
            _ = poll(nil, 0, 10)
        }
        kill(process, SIGKILL)
        unsafe waitpid(process, &status, 0)
    }
}

/// A connection to a server, which gives up after five seconds without a byte.
package final class RedisConnection {
    private let descriptor: CInt

    init?(path: String) {
        descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return nil }
        var timeout = timeval(tv_sec: 5, tv_usec: 0)
        unsafe setsockopt(
            descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout,
            socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        unsafe withUnsafeMutableBytes(of: &address.sun_path) {
            unsafe $0.copyBytes(from: path.utf8)
        }
        let size = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = unsafe withUnsafePointer(to: &address) { pointer in
            unsafe pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                unsafe Glibc.connect(descriptor, $0, size)
            }
        }
        if result != 0 {
            close(descriptor)
            return nil
        }
    }

    deinit {
        close(descriptor)
    }

    /// Sends all of the bytes; false when the server does not take them.
    package func send(_ bytes: [UInt8]) -> Bool {
        var sent = 0
        while sent < bytes.count {
            let part = Array(bytes[sent...])
            let count = unsafe Glibc.send(descriptor, part, part.count, CInt(MSG_NOSIGNAL))
            if count <= 0 { return false }
            sent += count
        }
        return true
    }

    /// The next bytes that come, at most so many; none at the end and after five seconds.
    package func receive(atMost maximum: Int) -> [UInt8] {
        var buffer = [UInt8](repeating: 0, count: maximum)
        let count = unsafe recv(descriptor, &buffer, maximum, 0)
        return count > 0 ? Array(buffer[..<count]) : []
    }
}
