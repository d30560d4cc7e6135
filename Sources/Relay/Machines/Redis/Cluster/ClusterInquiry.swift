import RESP

/// The question where the slots of a cluster are: which node is asked, and when it is asked again.
///
/// One link of the process asks, at any node that answers: one after the other until all have been, then
/// after a back-off. The one that has answered is asked again as a quiet link is (``LivenessCheck``, at
/// instants that are a matter of chance) and, after a redirection or a failure elsewhere, soon, but
/// never twice within ``spacing``.
///
/// With it goes `CLUSTER INFO`: a node that does not reach most of the masters says `cluster_state:fail`,
/// and does so before these have agreed that another takes its place. Its answer is an old one, and the
/// next node is asked. Where all say so, there is nobody who could know better.
///
/// Pure: it writes the question; ``RedisLink`` has the connection. It is an object, since nearly no link
/// has one.
final class ClusterInquiry {
    /// The longest wait for a connection to a node: the next one may be quicker.
    static let dialLimit = Nanoseconds.seconds(2)
    /// The shortest time between two questions that were asked for; up to as much again is added by
    /// chance, so that the daemons at a cluster do not ask in step.
    static let spacing = Nanoseconds.milliseconds(100)
    /// Nodes that are asked, one after the other, in an attempt.
    static let nodeLimit = 64

    private var nodes: [RedisEndpoint] = []
    private var index = 0
    private var remaining = 0
    /// What is told if no node helps: a refusal says more than silence.
    private var failure: LinkFailure?
    private var random: SplitMix64
    private var lastQuestionAt: Instant?
    /// What a node has last told, until it is taken.
    private var topology: ClusterTopology?
    /// Whether the answer to `CLUSTER INFO` is to come before the next one.
    private(set) var isStateAwaited = false
    /// Whether the node has said that it does not reach the others.
    private var isFailing = false
    /// When the question that was asked for is to go out.
    private(set) var nextQuestion = Instant.never

    /// Makes the inquiry of a link; the seed is the source of all chance.
    init(seed: UInt64) {
        random = SplitMix64(seed: seed)
    }

    /// The node that is asked.
    var node: RedisEndpoint { nodes[index] }

    /// Begins an attempt at these nodes, of which there is one at least, in their order.
    func begin(at nodes: [RedisEndpoint]) {
        self.nodes = Array(nodes.prefix(Self.nodeLimit))
        index = 0
        remaining = self.nodes.count
        failure = nil
        beginNode()
    }

    private func beginNode() {
        nextQuestion = .never
        isStateAwaited = false
        isFailing = false
    }

    /// Goes on to the next node; false when all have been asked.
    func advance(after failed: LinkFailure) -> Bool {
        if failure.map(Self.weight) ?? 0 <= Self.weight(failed) { failure = failed }
        index = (index + 1) % nodes.count
        remaining -= 1
        beginNode()
        return remaining > 0
    }

    /// A node has answered: when it fails, all others may be asked again.
    func answered() {
        remaining = nodes.count
        failure = nil
    }

    /// Why none has helped.
    var outcome: LinkFailure {
        let failure = failure ?? .closedByRedis
        return failure.isFatalAtStart ? failure : .nodes(failure)
    }

    private static func weight(_ failure: LinkFailure) -> Int { failure.isFatalAtStart ? 2 : 1 }

    /// Something was learned that a node may know more of: it is to be asked soon, or at the instant
    /// `time`.
    func want(at time: Instant) {
        guard nextQuestion > time else { return }
        let chance = Int64.random(in: 0..<Self.spacing.count, using: &random)
        let earliest = lastQuestionAt.map { $0 + Self.spacing + Nanoseconds(chance) } ?? time
        nextQuestion = min(nextQuestion, max(time, earliest))
    }

    /// Writes the question.
    func ask(now: Instant, output: inout RESPEncoder) {
        lastQuestionAt = now
        nextQuestion = .never
        isStateAwaited = true
        Self.write(to: &output)
    }

    /// Writes the commands that are the question: `CLUSTER INFO` is answered first.
    static func write(to output: inout RESPEncoder) {
        output.command(["CLUSTER", "INFO"])
        output.command(["CLUSTER", "SLOTS"])
    }

    /// Takes the answer to `CLUSTER INFO`; one that the user may not ask says nothing.
    func judge(_ reply: RESPValue?) {
        isStateAwaited = false
        isFailing = reply?.string?.contains("cluster_state:fail") ?? false
    }

    /// Takes an answer; why it is of no use, where it is not.
    func learn(_ reply: RESPValue) -> LinkFailure? {
        guard let topology = ClusterTopology(slots: reply, askedAt: node.host) else {
            return .protocolError("the answer to CLUSTER SLOTS is not what it should be")
        }
        guard topology.coveredCount > 0 else { return .slotUnserved("no slot has a master") }
        guard !isFailing || remaining <= 1 else { return .clusterDown }
        self.topology = topology
        return nil
    }

    /// Takes what a node has told since this was last asked, and whether it reaches the others.
    func takeTopology() -> (topology: ClusterTopology, isSure: Bool)? {
        defer { topology = nil }
        return topology.map { ($0, !isFailing) }
    }
}
