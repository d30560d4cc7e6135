import CLinux
import Glibc

/// Asks the admin listener of a running daemon, for the command line: it blocks.
public struct AdminClient: Sendable {
    /// Why nothing came of a request, in words.
    public struct Failure: Error, Sendable {
        /// A clause that follows the name of the command.
        public let reason: String
    }

    private let address: SocketAddress
    private let host: String

    /// Takes the address that ``Settings/adminAddress`` has: `host:port` of this machine, or
    /// `unix:/path`.
    public init(_ text: String) throws(Failure) {
        do throws(InvalidValue) {
            let parsed = try AdminAddress.parse(text)
            host = if case .tcp = parsed { parsed.description } else { "localhost" }
            do throws(SystemError) {
                address = try ListenSocket.address(of: parsed)
            } catch {
                throw InvalidValue("cannot be looked up: \(error.reason)")
            }
        } catch {
            throw Failure(reason: "\(text) \(error.reason)")
        }
    }

    /// Sends a request without a body, and hands the body of the answer to `print` as it comes, until
    /// it ends or `print` gives back false. The body of an answer that is not 200 becomes `refusal`.
    ///
    /// - Returns: the status of the answer.
    public func request(
        _ method: String, _ path: String, query: [(name: String, value: String)] = [],
        refusal: inout [UInt8], print: ([UInt8]) -> Bool
    ) throws(Failure) -> Int {
        var target = path
        for (index, pair) in query.enumerated() {
            target +=
                (index == 0 ? "?" : "&") + pair.name + "=" + PercentEncoding.encode(pair.value)
        }
        let descriptor = try connected()
        defer { _ = close(descriptor) }
        let head = "\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\nContent-Length: 0\r\n\r\n"
        try send(Array(head.utf8), over: descriptor)
        var answer = AdminAnswer()
        var buffer = [UInt8](repeating: 0, count: 64 * 1024)
        while !answer.isComplete {
            let count = unsafe recv(descriptor, &buffer, buffer.count, 0)
            if count < 0 && errno == EINTR { continue }
            guard count > 0 else {
                guard count == 0, answer.endsWithConnection else {
                    throw Failure(reason: "the daemon has ended the connection amid its answer")
                }
                break
            }
            var content: [UInt8] = []
            do throws(AdminAnswer.Malformed) {
                try answer.feed(Array(buffer[..<count]), content: &content)
            } catch {
                throw Failure(reason: "the answer cannot be read: \(error.reason)")
            }
            if answer.status != 200 {
                refusal += content.prefix(AdminAnswer.headLimit)
                guard refusal.count < AdminAnswer.headLimit else { break }
            } else if !content.isEmpty, !print(content) {
                break
            }
        }
        return answer.status ?? 0
    }

    private func connected() throws(Failure) -> Descriptor {
        let type = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
        let descriptor = socket(address.family, type, 0)
        guard descriptor >= 0 else { throw Failure(reason: SystemError.last.reason) }
        let result = unsafe address.withSockaddr { unsafe connect(descriptor, $0, $1) }
        guard result == 0 else {
            let error = SystemError.last
            _ = close(descriptor)
            throw Failure(reason: "cannot connect to \(address): \(error.reason)")
        }
        return descriptor
    }

    private func send(_ bytes: [UInt8], over descriptor: Descriptor) throws(Failure) {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = unsafe rest.withUnsafeBytes {
                unsafe Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 && errno != EINTR { throw Failure(reason: SystemError.last.reason) }
            rest = rest.dropFirst(max(0, count))
        }
    }
}
