import RESP

/// The commands with which a connection to Redis begins, and what their answers say.
///
/// Pure: it writes commands and reads answers; ``RedisLink`` has the connection and the clock.
///
///     HELLO 3 [AUTH …] SETNAME …     refused: AUTH, CLIENT SETNAME in RESP2
///     [SELECT] [ROLE] SUBSCRIBE      in one piece
///
/// At a node of a cluster `SSUBSCRIBE` has the place of `SUBSCRIBE` where the channel is a page's, and
/// `CLUSTER INFO` and `CLUSTER SLOTS` where the slots are asked for.
///
/// Servers, proxies and managed services refuse `HELLO` in as many words as there are of them, so
/// the words do not matter. Answers come in the order of the commands.
struct Greeting {
    /// What an answer means.
    enum Verdict: Equatable {
        /// All is well so far; one more answer is to come.
        case incomplete
        /// The subscription is acknowledged, or (a probe) would be for another channel.
        case accepted(isSubscribed: Bool)
        case failed(LinkFailure)
    }

    /// A command whose answer is awaited.
    enum Command: UInt8, Sendable {
        case hello, auth, setName, select, role, subscribe, state, slots

        var name: String {
            switch self {
            case .hello: "HELLO"
            case .auth: "AUTH"
            case .setName: "CLIENT SETNAME"
            case .select: "SELECT"
            case .role: "ROLE"
            case .subscribe: "SUBSCRIBE"
            case .state: "CLUSTER INFO"
            case .slots: "CLUSTER SLOTS"
            }
        }
    }

    /// The name that a connection goes by in `CLIENT LIST`.
    static let clientName = "status2"

    /// The command that is to be answered next.
    private(set) var awaited: Command
    /// Whether the server speaks RESP2 on this connection, as it was asked to or refuses `HELLO`.
    private(set) var isRESP2: Bool
    /// Whether `HELLO` was refused, and nothing has been answered since.
    private(set) var isRefused = false
    /// Whether it is open that the server is a master.
    private var mustTellRole: Bool

    /// Greets a server; one that a Sentinel has named must tell that it is the master.
    ///
    /// With `isRESP2` the server is spoken to in RESP2 without being asked.
    init(mustTellRole: Bool, isRESP2: Bool = false) {
        self.mustTellRole = mustTellRole
        self.isRESP2 = isRESP2
        awaited = .hello
    }

    /// Writes the first command.
    mutating func begin(at target: RedisTarget, output: inout RESPEncoder) {
        guard !isRESP2 else { return beginInRESP2(at: target, output: &output) }
        var hello = ["HELLO", "3"]
        if let (username, password) = target.credentials {
            hello += ["AUTH", username ?? "default", password.revealed]
        }
        hello += ["SETNAME", Self.clientName]
        output.command(hello)
    }

    private mutating func beginInRESP2(at target: RedisTarget, output: inout RESPEncoder) {
        isRESP2 = true
        awaited = .setName
        if let (username, password) = target.credentials {
            output.command(["AUTH"] + (username.map { [$0] } ?? []) + [password.revealed])
            awaited = .auth
        }
        output.command(["CLIENT", "SETNAME", Self.clientName])
    }

    // MARK: - Answers

    /// Takes the next answer; `reply` is nil for the subscription's push.
    mutating func answered(
        _ reply: RESPValue?, for purpose: LinkPurpose, at target: RedisTarget,
        output: inout RESPEncoder
    ) -> Verdict {
        isRefused = false
        if let reply, reply.isError {
            let failure = LinkFailure(reply: reply.string ?? "", to: awaited.name)
            if awaited == .hello, mayGoOn(after: failure, at: target) {
                beginInRESP2(at: target, output: &output)
                isRefused = true
                return .incomplete
            }
            guard isHarmless(failure, for: purpose, at: target) else { return .failed(failure) }
        } else if let failure = rejection(of: reply, asksForSlots: purpose == .topology) {
            return .failed(failure)
        }
        guard let next = next(after: awaited, for: purpose, at: target) else {
            return .accepted(isSubscribed: reply == nil)
        }
        if awaited == .hello || awaited == .setName {
            sendSelection(for: purpose, at: target, output: &output)
        }
        awaited = next
        return .incomplete
    }

    /// Whether a server that has refused `HELLO` may still take `AUTH` and RESP2: it has not said that
    /// it serves nobody now, nor judged the password.
    private func mayGoOn(after refusal: LinkFailure, at target: RedisTarget) -> Bool {
        switch refusal {
        case .loading, .busy, .tooManyClients, .protectedMode, .wrongPassword: false
        case .passwordMissing: target.credentials != nil
        default: true
        }
    }

    /// Whether the link serves its purpose although the awaited command was refused.
    private func isHarmless(
        _ failure: LinkFailure, for purpose: LinkPurpose, at target: RedisTarget
    ) -> Bool {
        switch (awaited, failure) {
        // The name is for people's eyes; a server that knows no names still serves.
        case (.setName, _): true
        // What a node says of itself is a help, and what it says of the slots is the answer.
        case (.state, _): true
        // A cluster has named its masters, and a replica of the slot has its messages too.
        case (.role, .noPermission): target.isCluster
        // A user who may subscribe, though not to the probe's channel.
        case (.subscribe, .noPermission):
            (purpose == .probe || purpose == .shared) && failure.isAboutChannel
        default: false
        }
    }

    /// What is wrong with an answer that is no error.
    private mutating func rejection(of reply: RESPValue?, asksForSlots: Bool) -> LinkFailure? {
        if (awaited == .subscribe) != (reply == nil) {
            return .protocolError("unexpected answer to \(awaited.name)")
        }
        switch awaited {
        case .hello where mustTellRole:
            guard let role = reply?.value(forKey: "role")?.string else { return nil }
            mustTellRole = false
            return role == "master" ? nil : .notMaster
        case .hello where asksForSlots: return age(of: reply)
        case .role:
            mustTellRole = false
            var parts = reply?.children
            return parts?.next()?.string == "master" ? nil : .notMaster
        default:
            return nil
        }
    }

    /// What is wrong with a node of a cluster that is older than sharded Pub/Sub, where it says so.
    private func age(of hello: RESPValue?) -> LinkFailure? {
        guard hello?.value(forKey: "mode")?.string == "cluster",
            hello?.value(forKey: "server")?.string == "redis",
            let version = hello?.value(forKey: "version")?.string,
            let major = version.split(separator: ".").first.flatMap({ Int($0) }), major < 7
        else { return nil }
        return .tooOld(version)
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
        case .role: purpose == .topology ? .state : .subscribe
        case .state: .slots
        case .subscribe, .slots: nil
        }
    }

    /// Sends what follows the greeting proper, in one piece.
    private func sendSelection(
        for purpose: LinkPurpose, at target: RedisTarget, output: inout RESPEncoder
    ) {
        if target.database != 0 { output.command(["SELECT", String(target.database)]) }
        if mustTellRole { output.command(["ROLE"]) }
        guard purpose != .topology else { return ClusterInquiry.write(to: &output) }
        output.command(bytes: [Array(purpose.subscribeVerb(at: target).utf8), purpose.channel])
    }
}

extension LinkPurpose {
    /// The command that begins the link's own subscription. What a probe and a shared link subscribe to
    /// for themselves has no slot: any node takes it.
    func subscribeVerb(at target: RedisTarget) -> String {
        if case .subscription = self, target.isCluster { return "SSUBSCRIBE" }
        return "SUBSCRIBE"
    }
}

extension RedisTarget {
    /// What the server is logged in to with; nil where nobody logs in. A user who is named without a
    /// password has an empty one, and is never another user.
    var credentials: (username: String?, password: Secret)? {
        guard username != nil || password != nil else { return nil }
        return (username, password ?? Secret(""))
    }
}
