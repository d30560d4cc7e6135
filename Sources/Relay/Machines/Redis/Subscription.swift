import DequeModule
import RESP

/// What a link subscribes to in its greeting, and how a quiet link is asked whether it lives.
struct Subscription {
    let purpose: LinkPurpose
    /// Whether Redis has acknowledged it; a probe is content to be told that it may not have it.
    var isAcknowledged = false

    /// Whether the link is a probe: nobody is there to get its messages.
    var isProbe: Bool { purpose == .probe || purpose == .topology }

    /// The name of the channel.
    var channel: [UInt8] { purpose.channel }

    /// Whether a quiet link asks by subscribing again, and not by `PING`: so does a probe, because it
    /// must know whether Redis still takes subscriptions.
    var isAskedFor: Bool { isProbe && isAcknowledged }

    /// Whether it is the name of the channel that was subscribed to.
    func isOwn(_ name: Span<UInt8>) -> Bool { name.isEqual(to: channel) }

    /// Whether the value is a message of a kind of subscription that the link does not make.
    static func isForeignMessage(_ value: RESPValue) -> Bool {
        guard value.kind == .push || value.kind == .array else { return false }
        var parts = value.children
        let kind = parts.next()?.string
        return kind == "pmessage" || kind == "smessage" || kind == "message"
    }
}

/// The commands of a live shared link that Redis has not answered yet, in the order in which they
/// went out.
///
/// Redis answers each command once and in order: a subscription by a push that names its channel, a
/// `PING` by a reply, and any of them by an error that names nothing. So the order alone tells what an
/// error is about; a push is held against the name as well.
struct OpenCommands {
    /// Requests that may be open at once; more wait, so that neither side has to hold them all.
    static let limit = 1024

    enum Command: Equatable {
        case subscribe(SlotID, channel: [UInt8])
        case unsubscribe(SlotID, channel: [UInt8])
        case ping
    }

    private var commands = Deque<Command>()

    var isEmpty: Bool { commands.isEmpty }

    /// Whether one more may go out.
    var hasRoom: Bool { commands.count < Self.limit }

    /// A command has gone out.
    mutating func sent(_ command: Command) { commands.append(command) }

    /// Takes the command off that the next answer is for.
    mutating func answered() { commands.removeFirst() }

    /// The command that the next answer is for.
    var next: Command? { commands.first }

    /// Whether an error that names a slot may be the answer to the next command.
    ///
    /// A node that gives a slot away ends its subscriptions unasked, and what was open for one of them
    /// has then two answers: such a push, and an error.
    func isNext(about failure: LinkFailure) -> Bool {
        guard case .moved(let redirection) = failure else { return true }
        switch commands.first {
        case .subscribe(_, let channel), .unsubscribe(_, let channel):
            return HashSlot(of: channel) == redirection.slot
        case .ping, nil: return false
        }
    }

    /// The connection is another: nothing is open on it.
    mutating func removeAll() { commands.removeAll() }
}

extension Span<UInt8> {
    /// Whether the bytes are the same.
    func isEqual(to bytes: [UInt8]) -> Bool {
        guard count == bytes.count else { return false }
        let bytes = bytes.span
        for index in indices where self[index] != bytes[index] { return false }
        return true
    }
}

extension PubSubParser {
    /// Makes a parser of what Redis sends on a new connection.
    init(settings: Settings) {
        self.init(
            limits: RESPLimits(payloadSize: settings.maxPayloadSize),
            isSharded: settings.redis.isCluster)
    }
}
