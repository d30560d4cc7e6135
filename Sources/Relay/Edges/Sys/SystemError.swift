import Glibc

/// A failed system call: its `errno`.
struct SystemError: Error, Equatable, Sendable {
    let code: Int32

    init(code: Int32) {
        self.code = code
    }

    /// The error of the call that just failed in this thread.
    static var last: SystemError { SystemError(code: errno) }

    static let connectionRefused = SystemError(code: ECONNREFUSED)
    static let connectionReset = SystemError(code: ECONNRESET)
    static let brokenPipe = SystemError(code: EPIPE)
    static let timedOut = SystemError(code: ETIMEDOUT)
    static let interrupted = SystemError(code: EINTR)
    static let noDescriptors = SystemError(code: EMFILE)
    static let addressNotAvailable = SystemError(code: EADDRNOTAVAIL)
    static let noSuchFile = SystemError(code: ENOENT)

    /// Whether the process or the system has run out of descriptors or buffers: it passes.
    var isExhaustion: Bool {
        code == EMFILE || code == ENFILE || code == ENOBUFS || code == ENOMEM
    }

    /// The C library's words for the error.
    var reason: String {
        var buffer = [CChar](repeating: 0, count: 128)
        guard unsafe strerror_r(code, &buffer, buffer.count) == 0 else { return "error \(code)" }
        let length = buffer.firstIndex(of: 0) ?? buffer.count
        let text = String(
            decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return text.prefix(1).lowercased() + text.dropFirst()
    }
}
