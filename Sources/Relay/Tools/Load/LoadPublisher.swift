import DequeModule
import RESP

/// A message on its way to Redis.
struct PublishedMessage: Equatable {
    let channel: Int
    let number: UInt64
    /// Pages on the channel whose stream was live when it was sent.
    let livePages: UInt32
}

/// A connection to Redis that publishes, pipelined, and reads how many subscribers each message had.
///
/// Pure: bytes in, answers out. What was not answered when the connection ends may have been
/// published or not; the shell is handed it.
struct LoadPublisher {
    /// Messages that Redis has not answered; no more are sent then.
    static let unansweredLimit = 65_536

    /// What the bytes of Redis say.
    enum Answer: Equatable {
        /// Nothing more: all bytes are consumed.
        case none
        /// The greeting has been answered: messages may be sent.
        case ready
        /// A message had so many subscribers.
        case receivers(PublishedMessage, count: Int)
        /// Redis refused the log-in or a message, or what came was no answer.
        case refused(String)
    }

    private enum Greeting {
        case logIn, ping
    }

    private var parser = RESPParser()
    private var unanswered = Deque<PublishedMessage>()
    /// The answer of the greeting that is due; nil behind it.
    private var greeting: Greeting?
    /// Whether messages may be sent.
    private(set) var isReady = false

    var unansweredCount: Int { unanswered.count }
    /// Whether a further message may be sent.
    var hasRoom: Bool { isReady && unanswered.count < Self.unansweredLimit }

    /// The connection is made; writes the log-in, if one is needed, and a `PING`: what is no Redis, or
    /// one that refuses this connection, is found before anything is published.
    mutating func connected(to target: RedisTarget, output: inout RESPEncoder) {
        greeting = .ping
        if let password = target.password {
            output.command(["AUTH"] + (target.username.map { [$0] } ?? []) + [password.revealed])
            greeting = .logIn
        }
        output.command("PING")
    }

    /// Writes a message.
    mutating func publish(
        _ message: PublishedMessage, to channel: [UInt8], payload: [UInt8],
        output: inout RESPEncoder
    ) {
        output.arrayHeader(3)
        output.bulkString(Self.publishWord)
        output.bulkString(channel)
        output.bulkString(payload)
        unanswered.append(message)
    }

    private static let publishWord = Array("PUBLISH".utf8)

    /// Consumes bytes of `buffer[offset..<end]` up to the next answer; `offset` moves on.
    mutating func receive(_ buffer: [UInt8], from offset: inout Int, to end: Int) -> Answer {
        while true {
            let value: RESPValue
            do throws(RESPError) {
                let step = try parser.next(buffer.span.extracting(0..<end), from: offset)
                offset = step.end
                guard let parsed = step.value else { return .none }
                value = parsed
            } catch {
                offset = end
                return .refused("\(error)")
            }
            if let greeting {
                if let refusal = self.refusal(value, of: greeting) { return .refused(refusal) }
                self.greeting = greeting == .logIn ? .ping : nil
                if self.greeting != nil { continue }
                isReady = true
                return .ready
            }
            guard let message = unanswered.popFirst() else { return .refused("no message at all") }
            guard let count = value.integer else {
                unanswered.prepend(message)
                return .refused("PUBLISH: \(value.string ?? "no number")")
            }
            return .receivers(message, count: count)
        }
    }

    /// Why the greeting has failed. A user who may not `PING` has been answered all the same.
    private func refusal(_ value: RESPValue, of greeting: Greeting) -> String? {
        guard value.isError, greeting == .logIn || value.errorCode != "NOPERM" else { return nil }
        return greeting == .logIn ? "the log-in" : value.string ?? "PING"
    }

    /// The connection has ended; hands out what was not answered, in order.
    mutating func disconnected() -> Deque<PublishedMessage> {
        defer { self = LoadPublisher() }
        return unanswered
    }
}
