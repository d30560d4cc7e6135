import RESP

/// The commands with which a connection to Redis begins, and what their answers say.
///
/// Pure: it writes commands and reads answers; ``RedisLink`` has the connection and the clock.
///
///     HELLO 3 [AUTH …] SETNAME …     not known: AUTH, CLIENT SETNAME in RESP2
///     [SELECT] [ROLE] SUBSCRIBE      in one piece; a probe sends PING in place of SUBSCRIBE
///
/// Answers come in the order of the commands.
struct Greeting {
    /// What an answer means.
    enum Verdict: Equatable {
        /// All is well so far; one more answer is to come.
        case incomplete
        /// The subscription is acknowledged (a probe: Redis has answered).
        case accepted
        case failed(LinkFailure)
    }

    /// A command whose answer is awaited.
    enum Command: UInt8, Sendable {
        case hello, auth, setName, select, role, subscribe, ping

        var name: String {
            switch self {
            case .hello: "HELLO"
            case .auth: "AUTH"
            case .setName: "CLIENT SETNAME"
            case .select: "SELECT"
            case .role: "ROLE"
            case .subscribe: "SUBSCRIBE"
            case .ping: "PING"
            }
        }
    }

    /// The name that a connection goes by in `CLIENT LIST`.
    static let clientName = "status2"
    /// The channel that a probe subscribes to, if it may, where it may not send `PING`.
    private static let probeChannel = "status2:probe"

    /// The command that is to be answered next.
    private(set) var awaited = Command.hello
    /// Whether it is open that the server is a master.
    private var mustTellRole: Bool

    /// Greets a server; one that a Sentinel has named must tell that it is the master.
    init(mustTellRole: Bool) {
        self.mustTellRole = mustTellRole
    }

    /// Writes the first command.
    func begin(at target: RedisTarget, output: inout RESPEncoder) {
        var hello = ["HELLO", "3"]
        if let password = target.password {
            hello += ["AUTH", target.username ?? "default", password.revealed]
        }
        hello += ["SETNAME", Self.clientName]
        output.command(hello)
    }

    // MARK: - Answers

    /// Takes the next answer; `reply` is nil for the subscription's push.
    mutating func answered(
        _ reply: RESPValue?, for purpose: LinkPurpose, at target: RedisTarget,
        output: inout RESPEncoder
    ) -> Verdict {
        if let reply, reply.isError {
            let text = reply.string ?? ""
            if awaited == .hello, Self.saysUnknown(text) {
                goOnInRESP2(at: target, output: &output)
                return .incomplete
            }
            let failure = LinkFailure(reply: text, to: awaited.name)
            if awaited == .ping, case .noPermission = failure {
                // Redis answers; that the user may subscribe remains to be shown.
                output.command(["SUBSCRIBE", Self.probeChannel])
                awaited = .subscribe
                return .incomplete
            }
            guard isHarmless(failure, for: purpose) else { return .failed(failure) }
        } else if let failure = rejection(of: reply) {
            return .failed(failure)
        }
        guard let next = next(after: awaited, for: purpose, at: target) else { return .accepted }
        if awaited == .hello || awaited == .setName {
            sendSelection(for: purpose, at: target, output: &output)
        }
        awaited = next
        return .incomplete
    }

    /// Whether the link serves its purpose although the awaited command was refused.
    private func isHarmless(_ failure: LinkFailure, for purpose: LinkPurpose) -> Bool {
        switch (awaited, failure) {
        // The name is for people's eyes; a server that knows no names still serves.
        case (.setName, _): true
        // A probe whose user may subscribe, though not to this channel.
        case (.subscribe, .noPermission(let reply)):
            purpose == .probe && !reply.contains("'subscribe' command")
        default: false
        }
    }

    /// What is wrong with an answer that is no error.
    private mutating func rejection(of reply: RESPValue?) -> LinkFailure? {
        if (awaited == .subscribe) != (reply == nil) {
            return .protocolError("unexpected answer to \(awaited.name)")
        }
        switch awaited {
        case .hello where mustTellRole:
            guard let role = reply?.value(forKey: "role")?.string else { return nil }
            mustTellRole = false
            return role == "master" ? nil : .notMaster
        case .role:
            mustTellRole = false
            var parts = reply?.children
            return parts?.next()?.string == "master" ? nil : .notMaster
        default:
            return nil
        }
    }

    // MARK: - Commands

    /// The command that is sent, and therefore answered, behind another.
    private func next(
        after command: Command, for purpose: LinkPurpose, at target: RedisTarget
    ) -> Command? {
        switch command {
        case .auth: .setName
        case .hello, .setName:
            target.database == 0 ? next(after: .select, for: purpose, at: target) : .select
        case .select: mustTellRole ? .role : next(after: .role, for: purpose, at: target)
        case .role: purpose == .probe ? .ping : .subscribe
        case .subscribe, .ping: nil
        }
    }

    private static func saysUnknown(_ text: String) -> Bool {
        text.hasPrefix("NOPROTO") || text.lowercased().contains("unknown command")
    }

    private mutating func goOnInRESP2(at target: RedisTarget, output: inout RESPEncoder) {
        if let password = target.password {
            let user = target.username.map { [$0] } ?? []
            output.command(["AUTH"] + user + [password.revealed])
        }
        output.command(["CLIENT", "SETNAME", Self.clientName])
        awaited = target.password == nil ? .setName : .auth
    }

    /// Sends what follows the greeting proper, in one piece.
    private func sendSelection(
        for purpose: LinkPurpose, at target: RedisTarget, output: inout RESPEncoder
    ) {
        if target.database != 0 { output.command(["SELECT", String(target.database)]) }
        if mustTellRole { output.command(["ROLE"]) }
        switch purpose {
        case .probe: output.command(["PING"])
        case .subscription(let channel):
            output.command(bytes: [Array("SUBSCRIBE".utf8), channel])
        }
    }
}
