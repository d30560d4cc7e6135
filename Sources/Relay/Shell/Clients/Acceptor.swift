import Logging

/// The listener for browsers: which connections are taken from it, and when taking pauses.
struct Acceptor<S: Sys & ~Copyable>: ~Copyable {
    /// Connections accepted in one turn, at most.
    static var turnLimit: Int { 64 }
    /// How long accepting pauses when descriptors or memory have run out.
    static var pause: Nanoseconds { .milliseconds(200) }
    /// How long nobody is taken at a start whose Redis does not answer, at most; a page would wait no
    /// longer for its subscription, and who asks for `/health` is not to take the daemon for dead.
    static var startLimit: Nanoseconds { .seconds(2) }
    /// The connections that may be taken at once: those of so long a time at the permitted rate.
    static var burst: Nanoseconds { .seconds(1) }
    /// The shortest pause of accepting for its rate: the loop must not turn for each connection.
    static var ratePause: Nanoseconds { .milliseconds(10) }

    /// What accepting has come to.
    enum Outcome {
        case accepted(Descriptor, peer: SocketAddress)
        /// Nobody waits, or no more may be taken now.
        case nobody
        /// Descriptors or memory have run out, and accepting pauses: somebody has to make room.
        case wantsRoom
    }

    private var listener: Descriptor?
    /// Where browsers connect, with the port that was really bound.
    private(set) var boundAddress: SocketAddress?
    private let timer: TimerID
    /// Bounds how many connections are taken in a second.
    private var bucket: TokenBucket
    private var failureLogLimit = LogRateLimit(lines: 1, per: .seconds(10))
    private var rateLogLimit = LogRateLimit(lines: 1, per: .seconds(10))

    init(_ context: inout LoopContext<S>) {
        timer = context.loop.makeTimer(token: Token(.listener))
        bucket = TokenBucket(ratePerSecond: context.settings.acceptRate, burst: Self.burst)
    }

    /// Opens the listener. Who comes waits in the kernel's backlog until Redis has answered for the
    /// first time: a page that would be refused now is let in a moment later.
    mutating func listen(_ context: inout LoopContext<S>) throws(SystemError) {
        let (descriptor, bound) = try context.loop.sys.listen(
            context.settings.listenAddress, token: Token(.listener))
        listener = descriptor
        boundAddress = bound
        context.log.server.info("listening", metadata: ["address": "\(bound)"])
        let patience = min(ClientConnection.openingLimit(context.settings), Self.startLimit)
        pauseAccepting(until: context.loop.now + patience, &context)
    }

    /// Closes the listener: no more connections are taken.
    mutating func close(_ context: inout LoopContext<S>) {
        if let descriptor = listener.take() { context.loop.sys.stopListening(descriptor) }
    }

    /// Takes up another rate.
    mutating func adopt(ratePerSecond: Int) {
        bucket = TokenBucket(ratePerSecond: ratePerSecond, burst: Self.burst)
    }

    /// Takes the next connection; `taken` have been taken in this turn.
    mutating func accept(taken: Int, _ context: inout LoopContext<S>) -> Outcome {
        guard let listener, taken < Self.turnLimit else { return .nobody }
        guard bucket.take(now: context.loop.now) else {
            // After the first one nobody may be left: the next turn will tell.
            if taken == 0 { pauseForRate(&context) }
            return .nobody
        }
        switch context.loop.sys.accept(listener) {
        case .wouldBlock: return .nobody
        case .accepted(let descriptor, let peer): return .accepted(descriptor, peer: peer)
        case .failed(let error):
            pauseForWant(error, &context)
            return .wantsRoom
        }
    }

    // MARK: - Pauses

    /// More connections come than may: the others wait in the kernel's backlog.
    private mutating func pauseForRate(_ context: inout LoopContext<S>) {
        context.metrics.acceptPauses += 1
        if case .logged(let suppressed) = rateLogLimit.admit(at: context.loop.now) {
            context.log.server.warning(
                "accepting pauses: more connections than STATUS_ACCEPT_RATE",
                metadata: ["suppressed": .stringConvertible(suppressed)])
        }
        pauseAccepting(
            until: max(bucket.earliest, context.loop.now + Self.ratePause), &context)
    }

    /// Out of descriptors or memory: accepting pauses instead of failing in a circle.
    private mutating func pauseForWant(
        _ error: SystemError, _ context: inout LoopContext<S>
    ) {
        context.metrics.acceptFailures += 1
        if case .logged(let suppressed) = failureLogLimit.admit(at: context.loop.now) {
            context.log.server.error(
                "accept failed; accepting pauses",
                metadata: [
                    "error": "\(error.reason)", "suppressed": .stringConvertible(suppressed),
                ])
        }
        pauseAccepting(until: context.loop.now + Self.pause, &context)
    }

    private func pauseAccepting(until deadline: Instant, _ context: inout LoopContext<S>) {
        guard let listener else { return }
        context.loop.sys.rewatch(listener, token: Token(.listener), for: [])
        context.loop.arm(timer, at: deadline)
    }

    /// The pause is over, or what it was for.
    func resume(_ context: inout LoopContext<S>) {
        guard let listener else { return }
        context.loop.disarm(timer)
        context.loop.sys.rewatch(listener, token: Token(.listener), for: .read)
    }
}
