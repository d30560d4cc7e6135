import Glibc

/// Where a ``LogWriter`` writes: a stream, or a file of bounded size.
struct LineOutput: ~Copyable {
    private struct File {
        let path: String
        /// The bytes after which the file is full.
        let limit: Int
        var size = 0
    }

    private var descriptor: Descriptor
    private var file: File?

    private init(descriptor: Descriptor, file: File?) {
        self.descriptor = descriptor
        self.file = file
    }

    /// Writes to an open descriptor, which is not closed.
    init(descriptor: Descriptor) {
        self.init(descriptor: descriptor, file: nil)
    }

    /// Makes a new file that only its owner may read; one that is there is kept as `path.1`.
    ///
    /// When it is full it is kept as `path.1` and a new one is made. What is no regular file, such
    /// as a terminal, is written to without a bound.
    static func file(path: String, limit: Int) throws(SystemError) -> LineOutput {
        var status = stat()
        let isThere = unsafe stat(path, &status) == 0
        if isThere, status.st_mode & S_IFMT != S_IFREG {
            let descriptor = unsafe open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY)
            guard descriptor >= 0 else { throw .last }
            return LineOutput(descriptor: descriptor)
        }
        if isThere, status.st_size > 0, unsafe rename(path, formerPath(path)) != 0 {
            throw .last
        }
        let descriptor = create(path)
        guard descriptor >= 0 else { throw .last }
        return LineOutput(descriptor: descriptor, file: File(path: path, limit: limit))
    }

    deinit {
        if file != nil { _ = Glibc.close(descriptor) }
    }

    /// Writes lines; returns how many of them could not be written.
    mutating func write(_ lines: [UInt8]) -> UInt64 {
        guard var file else { return Self.writeAll(lines[...], to: descriptor) }
        var rest = lines[...]
        var lost: UInt64 = 0
        while !rest.isEmpty {
            let part = Self.lines(of: rest, atMost: file.limit - file.size)
            if part.isEmpty {
                // A full file makes room; a line longer than a file is lost.
                if file.size == 0 || !rotate(&file) {
                    rest = rest[Self.endOfLine(rest)...]
                    lost += 1
                }
                continue
            }
            lost += Self.writeAll(part, to: descriptor)
            file.size += part.count
            rest = rest[part.endIndex...]
        }
        self.file = file
        return lost
    }

    /// As many of the lines, whole, as take at most `room` bytes.
    private static func lines(of bytes: ArraySlice<UInt8>, atMost room: Int) -> ArraySlice<UInt8> {
        if bytes.count <= room { return bytes }
        let fitting = bytes.prefix(max(0, room))
        guard let end = fitting.lastIndex(of: UInt8(ascii: "\n")) else { return fitting.prefix(0) }
        return bytes[...end]
    }

    private static func endOfLine(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.firstIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? bytes.endIndex
    }

    private mutating func rotate(_ file: inout File) -> Bool {
        guard unsafe rename(file.path, Self.formerPath(file.path)) == 0 else { return false }
        let fresh = Self.create(file.path)
        guard fresh >= 0 else { return false }
        _ = Glibc.close(descriptor)
        descriptor = fresh
        file.size = 0
        return true
    }

    private static func formerPath(_ path: String) -> String { path + ".1" }

    private static func create(_ path: String) -> Descriptor {
        let ownerOnly: mode_t = 0o600
        return unsafe open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, ownerOnly)
    }

    private static func writeAll(_ bytes: ArraySlice<UInt8>, to descriptor: Descriptor) -> UInt64 {
        unsafe bytes.withUnsafeBytes { raw in
            var written = 0
            while written < raw.count, let base = raw.baseAddress {
                let count = unsafe Glibc.write(descriptor, base + written, raw.count - written)
                if count >= 0 {
                    written += count
                } else if errno == EAGAIN {
                    var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                    _ = unsafe poll(&waiting, 1, 1000)
                } else if errno != EINTR {
                    return unsafe UInt64(raw[written...].count { $0 == UInt8(ascii: "\n") })
                }
            }
            return 0
        }
    }
}
