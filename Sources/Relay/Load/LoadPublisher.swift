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
        /// The log-in has been answered, or none was needed.
        case ready
        /// A message had so many subscribers.
        case receivers(PublishedMessage, count: Int)
        /// Redis refused the log-in or a message, or what came was no answer.
        case refused(String)
    }

    private var parser = RESPParser()
    private var unanswered = Deque<PublishedMessage>()
    private var awaitsLogIn = false
    /// Whether messages may be sent.
    private(set) var isReady = false

    var unansweredCount: Int { unanswered.count }
    /// Whether a further message may be sent.
    var hasRoom: Bool { isReady && unanswered.count < Self.unansweredLimit }

    /// The connection is made; writes the log-in, if one is needed.
    mutating func connected(to target: RedisTarget, output: inout RESPEncoder) {
        guard let password = target.password else {
            isReady = true
            return
        }
        output.command(["AUTH"] + (target.username.map { [$0] } ?? []) + [password.revealed])
        awaitsLogIn = true
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
        do throws(RESPError) {
            let step = try parser.next(buffer.span.extracting(0..<end), from: offset)
            offset = step.end
            guard let value = step.value else { return .none }
            if awaitsLogIn {
                awaitsLogIn = false
                guard !value.isError else { return .refused("the log-in") }
                isReady = true
                return .ready
            }
            guard let message = unanswered.popFirst() else { return .refused("no message at all") }
            guard let count = value.integer else {
                unanswered.prepend(message)
                return .refused("PUBLISH: \(value.string ?? "no number")")
            }
            return .receivers(message, count: count)
        } catch {
            offset = end
            return .refused("\(error)")
        }
    }

    /// The connection has ended; hands out what was not answered, in order.
    mutating func disconnected() -> Deque<PublishedMessage> {
        defer { self = LoadPublisher() }
        return unanswered
    }
}
