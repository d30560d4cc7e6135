import Glibc

/// Why a call to the operating system failed.
struct HostError: Error, CustomStringConvertible {
    private let code: Int32

    init(code: Int32) { self.code = code }

    /// The error of the call that just failed.
    static var last: HostError { HostError(code: errno) }

    /// The C library's words.
    var description: String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        let length = buffer.firstIndex(of: 0) ?? buffer.count
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

/// A file, or standard input, that is read from its start to its end.
struct CaptureFile: ~Copyable {
    /// Bytes read at once, at most.
    private static let pieceSize = 64 * 1024

    private let descriptor: Int32

    /// Opens a file; without a path it is standard input.
    init(path: String?) throws(HostError) {
        guard let path else {
            descriptor = STDIN_FILENO
            return
        }
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        if descriptor < 0 { throw .last }
    }

    deinit {
        if descriptor != STDIN_FILENO { close(descriptor) }
    }

    /// The next bytes, as soon as there are any; nil at the end.
    func read() throws(HostError) -> [UInt8]? {
        var buffer = [UInt8](repeating: 0, count: Self.pieceSize)
        while true {
            let count = unsafe buffer.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress, $0.count)
            }
            if count > 0 { return Array(buffer[..<count]) }
            if count == 0 { return nil }
            if errno != EINTR { throw .last }
        }
    }
}
