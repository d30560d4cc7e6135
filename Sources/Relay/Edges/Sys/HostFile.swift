import Glibc

/// Files as the operating system has them, read whole.
public enum HostFile {
    /// Reads a regular file, or as many of its bytes as show that it has more than `limit`.
    ///
    /// It never waits: a pipe is refused, whoever may be about to write to it.
    public static func read(
        _ path: String, limit: Int
    ) throws(SecretFile.ReadError) -> [UInt8] {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .refused(SystemError.last.reason) }
        defer { _ = close(descriptor) }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw .refused(SystemError.last.reason)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var length = 0
        while length < bytes.count {
            let count = unsafe bytes.withUnsafeMutableBytes { buffer in
                let rest = unsafe UnsafeMutableRawBufferPointer(rebasing: buffer[length...])
                return unsafe Glibc.read(descriptor, rest.baseAddress, rest.count)
            }
            if count == 0 { break }
            if count > 0 {
                length += count
            } else if errno != EINTR {
                throw .refused(SystemError.last.reason)
            }
        }
        return Array(bytes[..<length])
    }
}
