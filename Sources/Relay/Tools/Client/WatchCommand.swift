/// `status2 watch`: shows a channel's messages, comes back when its connection ends.
public struct WatchCommand {
    /// What is asked for.
    public struct Options: Sendable {
        /// The channel.
        public var target: WatchTarget
        /// The page's `Origin`; nil for none.
        public var origin: String?
        /// Whether messages are printed as the frames had them, and notices among them.
        public var json = false
        /// Whether the relay is asked for what was missed in between.
        public var resumes = false
        /// Whether it comes back after its connection has ended.
        public var returns = true
        /// After so many messages it ends; nil for never.
        public var count: Int?
        /// The longest silence of the relay, whose heartbeats come every few seconds.
        public var silence = Nanoseconds.seconds(75)
        /// How TLS is spoken, where the URL asks for it.
        public var tls = RedisTLSSettings()

        /// Makes the options of a plain watch.
        public init(target: WatchTarget) { self.target = target }
    }

    /// Where lines go: messages, and what is said of the connection; false where nobody takes them.
    public typealias Output = (_ line: [UInt8]) -> Bool

    /// The longest time for the connection and the upgrade.
    private static let openLimit = Nanoseconds.seconds(15)
    /// The longest wait of a good-bye for room in the socket, once a signal has come.
    private static let leaveLimit = Nanoseconds.milliseconds(500)
    /// The waits before it comes back, drawn by chance between these (decorrelated jitter).
    private static let waits = (
        base: Nanoseconds.milliseconds(500), longest: Nanoseconds.seconds(15)
    )
    /// What the first connection asks for: that messages be numbered.
    private static let firstID = "1"
    /// The longest wait that a relay may ask for.
    private static let askedLimit = Nanoseconds.seconds(120)

    private let options: Options
    private let print: Output
    private let tell: (String) -> Void
    private var backoff: Backoff
    private var random: SplitMix64
    private var seen = 0
    private var lastID: String?
    private var hasToldOfNoID = false

    /// How a connection has ended.
    private enum End {
        /// It may be made again, after so long where the relay has said so.
        case lost(String, wait: Nanoseconds?)
        /// All is done, or nothing more can come.
        case final(CommandOutcome)
    }

    private init(_ options: Options, _ print: @escaping Output, _ tell: @escaping (String) -> Void)
    {
        self.options = options
        self.print = print
        self.tell = tell
        var system = SystemRandomNumberGenerator()
        backoff = Backoff(seed: system.next())
        random = SplitMix64(seed: system.next())
    }

    /// Watches until the end: that of the run, of the wanted messages, of who reads the output, or by a
    /// signal, before which it takes its leave.
    ///
    /// - Parameters:
    ///   - print: is handed the line of each message, its end included.
    ///   - tell: is handed what a person wants to know of the connection.
    public static func run(
        _ options: Options, print: @escaping Output, tell: @escaping (String) -> Void
    ) -> CommandOutcome {
        var watch = WatchCommand(options, print, tell)
        Interruption.watch()
        let tls: TLSContext?
        do throws(TLSFileError) {
            tls =
                options.target.usesTLS
                ? try TLSContext(options.tls, readSize: CommandStream.readSize) : nil
        } catch {
            return .failure("\(error)")
        }
        while true {
            switch watch.connect(tls) {
            case .final(let outcome): return outcome
            case .lost(let reason, let asked):
                if let interrupted = Self.interrupted { return interrupted }
                guard options.returns else { return .failure(reason) }
                let wait =
                    asked
                    ?? watch.backoff.next(
                        base: waits.base, maximum: waits.longest
                    ).delay
                tell("\(reason); again in \(wait.milliseconds) ms")
                BootClock.wait(until: BootClock.now() + wait)
                if let interrupted = Self.interrupted { return interrupted }
            }
        }
    }

    /// What becomes of it where a signal has come.
    private static var interrupted: CommandOutcome? {
        Interruption.signal.map { CommandOutcome(status: 0, complaint: nil, signal: $0) }
    }

    private mutating func connect(_ tls: TLSContext?) -> End {
        let target = options.target
        let deadline = BootClock.now() + Self.openLimit
        do throws(LinkFailure) {
            let stream = try CommandStream(
                to: .tcp(host: target.host, port: target.port), tls: tls, by: deadline)
            var session = WatchSession(
                target, resumingAt: options.resumes ? lastID ?? Self.firstID : nil,
                origin: options.origin,
                seed: random.next())
            do throws(LinkFailure) {
                return try follow(&session, on: stream, until: deadline)
            } catch {
                guard let interrupted = Self.interrupted else { throw error }
                // Nothing is to be kept for it.
                session.sayGoodBye()
                try stream.send(session.takeOutput(), by: BootClock.now() + Self.leaveLimit)
                return .final(interrupted)
            }
        } catch {
            if let interrupted = Self.interrupted { return .final(interrupted) }
            if case .certificate = error { return .final(.failure("\(error)")) }
            // The words of TLS are those of links to Redis.
            let reason =
                error == .dialTimeout
                ? "nothing has come in time" : "\(error)".replacing("redis://", with: "ws://")
            return .lost(reason, wait: nil)
        }
    }

    /// Follows the stream to its end.
    private mutating func follow(
        _ session: inout WatchSession, on stream: CommandStream, until deadline: BootTime
    ) throws(LinkFailure) -> End {
        try stream.send(session.takeOutput(), by: deadline)
        var isOpen = false
        while true {
            let limit = isOpen ? BootClock.now() + options.silence : deadline
            // A signal may have come while room was waited for.
            if Self.interrupted != nil { throw .network(.interrupted) }
            let bytes = try stream.receive(by: limit)
            if Self.interrupted != nil { throw .network(.interrupted) }
            if bytes.isEmpty { return .lost("the connection has ended", wait: nil) }
            for event in session.receive(bytes) {
                if event == .opened { isOpen = true }
                if let end = take(event) {
                    if case .final = end, isOpen { session.sayGoodBye() }
                    // A close is answered by a close.
                    try stream.send(session.takeOutput(), by: BootClock.now() + Self.openLimit)
                    return end
                }
            }
            try stream.send(session.takeOutput(), by: BootClock.now() + Self.openLimit)
        }
    }

    // MARK: - Events

    private mutating func take(_ event: WatchSession.Event) -> End? {
        switch event {
        case .opened:
            tell("open")
            return nil
        case .ping(let id):
            backoff.reset()
            return noteID(id)
        case .message(let text, let frame, let id):
            _ = noteID(id)
            return show(options.json ? Self.line(frame) : Self.visible(text))
        case .notice(let type, let object, let frame):
            return notice(type, object, frame)
        case .refused(let status):
            return refused(status)
        case .closed(let code, let reason):
            return closed(code, reason)
        case .failed(let reason):
            return .lost("what came is no WebSocket: \(reason)", wait: nil)
        }
    }

    private mutating func noteID(_ id: String?) -> End? {
        if let id, id.utf8.allSatisfy(HostAndPort.isNameByte) {
            lastID = id
        } else if options.resumes, !hasToldOfNoID, lastID == nil {
            hasToldOfNoID = true
            tell("the relay numbers no messages: what is missed will not be sent again")
        }
        return nil
    }

    private mutating func show(_ line: [UInt8]) -> End? {
        guard print(line + [UInt8(ascii: "\n")]) else {
            return .final(.failure("cannot write standard output"))
        }
        seen += 1
        return options.count.map { seen >= $0 } == true ? .final(.success) : nil
    }

    private mutating func notice(_ type: String, _ object: JSONObject, _ frame: [UInt8]) -> End? {
        if options.json, !print(Self.line(frame) + [UInt8(ascii: "\n")]) {
            return .final(.failure("cannot write standard output"))
        }
        switch type {
        case "hangup":
            tell("hangup: the relay sends this page away for good")
            return .final(.success)
        case "outage": tell("outage since \(Self.time(object.numbers["since_ms"]))")
        case "gap":
            let reason = object.strings["reason"] ?? "unknown"
            tell(
                "gap (\(reason)): messages may be missing from "
                    + "\(Self.time(object.numbers["from_ms"])) to "
                    + "\(Self.time(object.numbers["to_ms"]))")
        default: tell("a message of the type \(type.prefix(40).debugDescription)")
        }
        return nil
    }

    /// A refusal of the request itself comes again each time; the others pass.
    private func refused(_ status: Int) -> End {
        let reason = "the upgrade was refused with status \(status)"
        switch status {
        case 408, 425, 429, 500...: return .lost(reason, wait: nil)
        default: return .final(.failure(reason))
        }
    }

    private func closed(_ code: UInt16, _ reason: String) -> End {
        let words = reason.isEmpty ? "" : " (\(Self.text(Self.visible(reason))))"
        let asked = reason.hasPrefix("retry_ms=") ? Int64(reason.dropFirst(9)) : nil
        return .lost(
            "closed with \(code)\(words)",
            // A wait of nothing would bring all pages back at once where the window is nothing.
            wait: asked.flatMap { $0 > 0 ? min(.milliseconds($0), Self.askedLimit) : nil })
    }

    // MARK: - Text

    /// A line of a terminal, or of a pipe: control characters are escaped, so that it stays one line
    /// and moves no cursor.
    static func visible(_ text: String) -> [UInt8] {
        var line: [UInt8] = []
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\t": line.append(0x09)
            case "\n": line += Array("\\n".utf8)
            case "\r": line += Array("\\r".utf8)
            case "\0"..<" ", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}":
                line += Array("\\u{\(String(scalar.value, radix: 16))}".utf8)
            default: line += Array(String(scalar).utf8)
            }
        }
        return line
    }

    /// A frame of JSON as one line: line ends are white space between its tokens.
    private static func line(_ frame: [UInt8]) -> [UInt8] {
        let spaced = frame.map { $0 == 0x0A || $0 == 0x0D ? 0x20 : $0 }
        return Array(spaced[...(spaced.lastIndex { $0 != 0x20 } ?? spaced.endIndex - 1)])
    }

    private static func text(_ bytes: [UInt8]) -> String { String(decoding: bytes, as: UTF8.self) }

    private static func time(_ milliseconds: Int64?) -> String {
        guard let milliseconds, abs(milliseconds) < 1 << 42 else { return "unknown" }
        return "\(Timestamp(nanosecondsSinceEpoch: milliseconds * 1_000_000))"
    }
}
