import Logging
import RESP

/// The canary's thread: it publishes to a channel of its own and waits for the message at a page of
/// its own, by the daemon's own listener.
///
/// It has connections that wait (``CommandStream``), so that nothing of it is on an event loop. What
/// Redis does not take is not held against delivery: `/ready` has another word for it.
struct CanaryFlight: Sendable {
    /// What the channels of all canaries begin with.
    static let channelPrefix = "status2-canary:"
    /// The longest wait for the page to be live, and for a message.
    static let patience = Nanoseconds.seconds(5)
    /// The wait before connections are made again.
    private static let pause = Nanoseconds.seconds(1)
    /// The same where Redis does not allow what is asked.
    private static let refusedPause = Nanoseconds.seconds(10)
    /// The wait before it is asked again whether the daemon lets pages in.
    private static let startPause = Nanoseconds.milliseconds(50)

    let canary: Canary
    /// Where the daemon listens.
    let address: ListenAddress
    let interval: Nanoseconds
    /// The settings of Redis with the passwords that the files have by now.
    let settings: @Sendable () -> Settings
    let log: Logger
    /// No other daemon on the same Redis has this one.
    let channel: String

    init(
        _ canary: Canary, address: ListenAddress, interval: Nanoseconds, log: Logger,
        settings: @escaping @Sendable () -> Settings
    ) {
        self.canary = canary
        self.address = address
        self.interval = interval
        self.log = log
        self.settings = settings
        var system = SystemRandomNumberGenerator()
        channel = Self.channelPrefix + String(system.next(), radix: 16)
    }

    /// Why one round of connections has ended.
    private enum Fault: Error {
        /// Something was published, or could have been, and does not come.
        case undelivered(String)
        /// Redis or the door of the daemon refuses for now; others tell of that.
        case elsewhere(String)
        /// Its user may not publish, which nobody else would tell of.
        case forbidden(String)
    }

    /// Flies from when the daemon lets pages in until it is stopped.
    func run() {
        while !canary.isStarted, !canary.isStopped {
            BootClock.wait(until: BootClock.now() + Self.startPause)
        }
        var toldOfRefusal = false
        while !canary.isStopped {
            let delivered = canary.findings.latency.count
            var pause = Self.pause
            do throws(Fault) {
                try fly()
            } catch {
                if canary.findings.latency.count > delivered { toldOfRefusal = false }
                note(error, &toldOfRefusal)
                if case .forbidden = error { pause = Self.refusedPause }
            }
            BootClock.wait(until: BootClock.now() + pause)
        }
    }

    private func note(_ fault: Fault, _ toldOfRefusal: inout Bool) {
        // Whoever is on the way down closes its pages.
        guard !canary.isStopped else { return }
        switch fault {
        case .forbidden(let reason):
            guard !toldOfRefusal else { return }
            toldOfRefusal = true
            log.warning(
                "the canary may not publish, and finds nothing out",
                metadata: ["error": "\(reason)"])
        case .elsewhere(let reason):
            log.debug("the canary waits", metadata: ["error": "\(reason)"])
        case .undelivered(let reason):
            guard canary.missed() else { return }
            log.warning(
                "canary lost: what is published does not come back",
                metadata: ["error": "\(reason)", "misses": .stringConvertible(Canary.missLimit)])
        }
    }

    /// One page and one connection to Redis, for as long as all is well.
    private func fly() throws(Fault) {
        let redis: ChannelPublisher
        do throws(LinkFailure) {
            redis = try ChannelPublisher(
                settings(), patience: Self.patience, channel: Array(channel.utf8))
        } catch {
            throw .elsewhere("\(error)")
        }
        var page = try openPage()
        // In the log its end is not that of a page that has vanished.
        defer { page.leave() }
        var number: UInt64 = 0
        while !canary.isStopped {
            number += 1
            let begun = BootClock.now()
            try publish("\(number)", on: redis)
            try page.wait(for: "\(number)", by: begun + Self.patience)
            let span = BootClock.now() - begun
            if canary.delivered(after: span) {
                log.info(
                    "the canary is back",
                    metadata: ["latency_ms": .stringConvertible(span.milliseconds)])
            }
            try page.idle(until: begun + interval)
        }
    }

    private func publish(_ text: String, on redis: ChannelPublisher) throws(Fault) {
        do throws(LinkFailure) {
            _ = try redis.publish(Array(text.utf8))
        } catch {
            if case .noPermission = error { throw .forbidden("\(redis.verb): \(error)") }
            throw .elsewhere("\(redis.verb): \(error)")
        }
    }

    private func openPage() throws(Fault) -> Page {
        do throws(LinkFailure) {
            var page = try Page(address, channel, by: BootClock.now() + Self.patience)
            do throws(LinkFailure) {
                try page.open(by: BootClock.now() + Self.patience)
            } catch {
                page.leave()
                throw error
            }
            return page
        } catch {
            if case .refusedCommand(let status) = error { throw .elsewhere(status) }
            throw .undelivered(
                error == .dialTimeout
                    ? "its page does not become live; may its user have \(Self.channelPrefix)*?"
                    : "no page of its own: \(error)")
        }
    }

    /// The page: a WebSocket by the daemon's own listener.
    private struct Page {
        private let stream: CommandStream
        private var session: WatchSession

        init(
            _ address: ListenAddress, _ channel: String, by deadline: BootTime
        ) throws(LinkFailure) {
            guard let target = WatchTarget("ws://localhost/\(channel)") else {
                throw .protocolError("no channel")
            }
            stream = try CommandStream(to: address, by: deadline)
            var system = SystemRandomNumberGenerator()
            session = WatchSession(target, resumingAt: nil, origin: nil, seed: system.next())
            try stream.send(session.takeOutput(), by: deadline)
        }

        /// Waits for the first ping, which says that the stream is live.
        mutating func open(by deadline: BootTime) throws(LinkFailure) {
            while true {
                for event in try next(by: deadline) {
                    switch event {
                    case .ping: return
                    case .refused(let status): throw .refusedCommand("status \(status)")
                    default: continue
                    }
                }
            }
        }

        /// Waits for a message.
        mutating func wait(for text: String, by deadline: BootTime) throws(Fault) {
            do throws(LinkFailure) {
                while true {
                    for case .message(text, _, _) in try next(by: deadline) { return }
                }
            } catch {
                throw .undelivered(
                    error == .dialTimeout ? "a message did not come in time" : "\(error)")
            }
        }

        /// Answers heartbeats until then.
        mutating func idle(until deadline: BootTime) throws(Fault) {
            do throws(LinkFailure) {
                while BootClock.now() < deadline { _ = try next(by: deadline) }
            } catch {
                if error != .dialTimeout { throw .elsewhere("the page has ended: \(error)") }
            }
        }

        /// Ends the page for good, if that is still to be said.
        mutating func leave() {
            session.sayGoodBye()
            try? stream.send(session.takeOutput(), by: BootClock.now() + .milliseconds(100))
        }

        private mutating func next(by deadline: BootTime) throws(LinkFailure) -> [WatchSession
            .Event]
        {
            let bytes = try stream.receive(by: deadline)
            if bytes.isEmpty { throw .reset }
            let events = session.receive(bytes)
            try stream.send(session.takeOutput(), by: BootClock.now() + CanaryFlight.patience)
            for case .closed(let code, let reason) in events {
                throw .protocolError("close \(code) \(reason)")
            }
            return events
        }
    }
}
