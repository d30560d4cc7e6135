/// How a command has ended.
public struct CommandOutcome: Sendable {
    /// The exit status.
    public let status: Int32
    /// What went wrong, one line for standard error; nil where nothing did.
    public let complaint: String?
    /// The signal that has ended it, of which the process is to die now; nil where it has ended by itself.
    public var signal: Int32?

    /// All went well.
    public static let success = CommandOutcome(status: 0, complaint: nil)

    /// Ends with 1 and a line.
    public static func failure(_ complaint: String) -> CommandOutcome {
        CommandOutcome(status: 1, complaint: complaint)
    }
}

/// Asks a daemon of this machine whether it is well, as `curl -f` would, for containers without one.
public enum HealthCheck {
    /// The most bytes of an answer that are read.
    private static let answerLimit = 64 * 1024

    /// Asks at the configured listen address, and waits for so long at the most.
    ///
    /// - Parameter path: `/health` or `/ready`.
    public static func run(
        _ address: ListenAddress, path: String, patience: Nanoseconds
    ) -> CommandOutcome {
        if case .tcp(_, 0) = address {
            return .failure("the listen address \(address) has any free port, which nobody knows")
        }
        let deadline = BootClock.now() + patience
        var failure = LinkFailure.refused
        for target in targets(of: address) {
            do throws(LinkFailure) {
                return try ask(target, path, by: deadline)
            } catch {
                failure = error
            }
        }
        let reason = failure == .dialTimeout ? "no answer in time" : "\(failure)"
        return .failure("\(path) at \(address): \(reason)")
    }

    /// Where a process of the same machine reaches the address.
    static func targets(of address: ListenAddress) -> [ListenAddress] {
        guard case .tcp(let host, let port) = address else { return [address] }
        switch host {
        case "0.0.0.0": return [.tcp(host: "127.0.0.1", port: port)]
        case "", "::": return ["127.0.0.1", "::1"].map { .tcp(host: $0, port: port) }
        default: return [address]
        }
    }

    private static func ask(
        _ address: ListenAddress, _ path: String, by deadline: BootTime
    ) throws(LinkFailure) -> CommandOutcome {
        let stream = try CommandStream(to: address, by: deadline)
        let request = "GET \(path) HTTP/1.0\r\nUser-Agent: status2-healthcheck\r\n\r\n"
        try stream.send(Array(request.utf8), by: deadline)
        var answer: [UInt8] = []
        while answer.count < answerLimit {
            let bytes = try stream.receive(by: deadline)
            if bytes.isEmpty { break }
            answer += bytes
        }
        guard let status = status(of: answer) else {
            return .failure("\(path) at \(address): no answer in HTTP")
        }
        if status == 200 { return .success }
        let text = String(decoding: answer, as: UTF8.self)
        let body = text.splitOnce("\r\n\r\n").map { String($0.1).trimmingBlanks() } ?? ""
        return .failure("\(path) at \(address): \(status) \(body.prefix(200).debugDescription)")
    }

    /// The status of `HTTP/1.1 200 OK`; nil where the bytes begin otherwise.
    static func status(of answer: [UInt8]) -> Int? {
        let line = answer.prefix { $0 != UInt8(ascii: "\r") }
        guard line.count >= 12, line.starts(with: "HTTP/1.".utf8), line[8] == 0x20 else {
            return nil
        }
        return Int(String(decoding: line[9..<12], as: UTF8.self))
    }
}
