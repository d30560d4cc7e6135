import RESP

/// The question for the master of a service: which Sentinel is asked, and what the others said.
///
/// The question is asked at every attempt of a link, before the server is dialed:
///
///     waiting        the dial gate opens          resolving a Sentinel's host, dialing it
///     dialing        connected                    asking: [AUTH], SENTINEL GET-MASTER-ADDR-BY-NAME
///     asking         a host and a port            resolving the master's host, dialing it
///     any of these   failure or timeout           resolving the next Sentinel's host
///
/// The greeting then tells whether the server really is the master: a fail-over may be under way.
/// A probe that was quiet asks the Sentinels again in place of Redis, so that a master that was
/// replaced, and lives on, is noticed.
///
/// Pure: it writes the question and reads the answer; ``RedisLink`` makes the connections. Each
/// Sentinel is asked once; the first that names a master has the last word. It is an object, since few
/// links have one, and those only on their way.
final class SentinelQuery {
    /// What an answer means.
    enum Verdict: Equatable {
        /// The answer to another command; one more is to come.
        case incomplete
        /// The master of the service; the host may be a name.
        case master(SentinelService.Endpoint)
        /// This Sentinel is of no help.
        case failed(LinkFailure)
    }

    /// The longest wait for a connection to a Sentinel: the next one may be quicker.
    static let dialLimit = Nanoseconds.seconds(2)
    /// The longest wait for an answer where commands to Redis have no limit.
    static let unlimitedAnswerLimit = Nanoseconds.seconds(5)
    /// The longest name of a host that is taken from an answer, in bytes (RFC 1035, section 2.3.4).
    private static let hostLimit = 253

    private let service: SentinelService
    /// The place in the service's list of the Sentinel that is asked.
    private(set) var index: Int
    private var remaining: Int
    /// What is told if no Sentinel helps: a refusal says more than silence.
    private var failure: LinkFailure?
    private var awaitsAuth = false

    /// Begins with the Sentinel at place `first`; the others follow in their order.
    init(service: SentinelService, first: Int) {
        self.service = service
        index = first % service.sentinels.count
        remaining = service.sentinels.count
    }

    /// The Sentinel that is asked.
    var sentinel: SentinelService.Endpoint { service.sentinels[index] }

    /// Goes on to the next Sentinel; false when all have been asked.
    func advance(after failed: LinkFailure) -> Bool {
        if failure.map(Self.weight) ?? 0 <= Self.weight(failed) { failure = failed }
        index = (index + 1) % service.sentinels.count
        remaining -= 1
        return remaining > 0
    }

    /// Why none has helped.
    var outcome: LinkFailure {
        switch failure {
        case .unknownService(let name)?: .unknownService(name)
        case let failure: .sentinel(failure ?? .closedByRedis)
        }
    }

    private static func weight(_ failure: LinkFailure) -> Int {
        switch failure {
        case .unknownService: 2
        default: failure.isFatalAtStart ? 3 : 1
        }
    }

    /// Writes the question, behind the credentials if there are any.
    func ask(username: String?, password: Secret?, output: inout RESPEncoder) {
        awaitsAuth = username != nil || password != nil
        if awaitsAuth {
            // A user who is named without a password has an empty one.
            output.command(
                ["AUTH"] + (username.map { [$0] } ?? []) + [password?.revealed ?? ""])
        }
        output.command(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", service.name])
    }

    /// Takes an answer.
    func answered(_ reply: RESPValue) -> Verdict {
        if reply.isError {
            let command = awaitsAuth ? "AUTH" : "SENTINEL"
            return .failed(LinkFailure(reply: reply.string ?? "", to: command))
        }
        if awaitsAuth {
            awaitsAuth = false
            return .incomplete
        }
        if reply.isNull { return .failed(.unknownService(service.name)) }
        let parts = Array(reply.children)
        guard parts.count == 2, let host = parts[0].string, let port = parts[1].string,
            (1...Self.hostLimit).contains(host.utf8.count), let number = UInt16(port), number != 0
        else { return .failed(.protocolError("a Sentinel's answer is not an address")) }
        return .master(SentinelService.Endpoint(host: host, port: number))
    }
}
