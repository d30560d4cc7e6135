import RESP

/// Makes lines of what passes over the links to Redis.
///
/// Pure: bytes in, lines out. During a turn of the event loop the bytes are only copied; they are
/// parsed and written by ``takeLines()`` when the turn has sent what it had to send, so that no
/// message waits for its own trace.
///
/// A stream has to be taken up at the start of a value. One that is not, because the trace was
/// switched on amid a value or because a value was longer than is kept, is counted and not shown
/// until ``align(link:unparsed:)`` says where a value starts.
struct Trace: Sendable {
    /// Which way bytes go over a link.
    enum Direction: Sendable {
        /// From Redis.
        case received
        /// To Redis.
        case sent
    }

    private struct Link: Sendable {
        var received: TraceStream
        var sent = TraceStream(unparsed: [])
    }

    /// A piece of what the present turn has seen.
    private struct Piece: Sendable {
        enum Kind: Sendable {
            case bytes(Direction)
            case start
            case end
        }
        let link: UInt64
        let kind: Kind
        let count: Int
        let time: Int64
    }

    private let options: TraceOptions
    private var formatter: TraceFormatter
    /// Passwords that are or were in use since the trace is on.
    private var secrets: [Secret]
    /// The longest value that is kept until it is whole, in bytes.
    private let valueLimit: Int
    /// The links that are shown or not; never iterated.
    private var links: [UInt64: Link?] = [:]
    private var pieces: [Piece] = []
    private var bytes: [UInt8] = []

    /// Makes a trace that has seen no link; `secrets` are the passwords in use.
    init(options: TraceOptions, secrets: [Secret], valueLimit: Int) {
        self.options = options
        self.valueLimit = valueLimit
        self.secrets = secrets
        formatter = TraceFormatter(options: options, secrets: secrets)
    }

    /// Keeps further passwords out of the lines to come; links with the former ones live on.
    mutating func mask(_ more: [Secret]) {
        secrets += more.filter { !secrets.contains($0) }
        formatter = TraceFormatter(options: options, secrets: secrets)
    }

    /// Whether the link has been taken up.
    func knows(link: UInt64) -> Bool { links[link] != nil }

    /// Takes a link up.
    ///
    /// `unparsed` are the bytes received of a value that is not whole; nil means that the next byte
    /// stands somewhere inside a value.
    mutating func begin(link: UInt64, channel: [UInt8]?, unparsed: [UInt8]?) {
        let isShown = options.shows(link: link, channel: channel)
        links[link] = .some(isShown ? Link(received: TraceStream(unparsed: unparsed)) : nil)
    }

    /// Takes bytes that went over a link at a time in nanoseconds since the Unix epoch.
    mutating func take(
        _ piece: ArraySlice<UInt8>, link: UInt64, _ direction: Direction, at time: Int64
    ) {
        guard !piece.isEmpty, case .some(.some) = links[link] else { return }
        bytes += piece
        pieces.append(
            Piece(link: link, kind: .bytes(direction), count: piece.count, time: time))
    }

    /// Whether it has to be said where the next value of the link starts.
    func needsAlignment(link: UInt64) -> Bool {
        guard case .some(.some(let state)) = links[link] else { return false }
        return !state.received.isAligned
    }

    /// Says that what was received of the link ends with `unparsed`, the start of a value.
    mutating func align(link: UInt64, unparsed: [UInt8], at time: Int64) {
        bytes += unparsed
        pieces.append(Piece(link: link, kind: .start, count: unparsed.count, time: time))
    }

    /// The connection of the link has ended.
    mutating func end(link: UInt64, at time: Int64) {
        guard links[link] != nil else { return }
        pieces.append(Piece(link: link, kind: .end, count: 0, time: time))
    }

    /// The lines of what was taken since the last call, each with its newline.
    mutating func takeLines() -> [[UInt8]] {
        guard !pieces.isEmpty else { return [] }
        var lines: [[UInt8]] = []
        var start = 0
        for piece in pieces {
            let content = bytes[start..<(start + piece.count)]
            start += piece.count
            // A link that was closed is taken up anew by its next bytes.
            guard case .some(.some(var link)) = links.removeValue(forKey: piece.link) else {
                continue
            }
            let direction: Direction
            if case .bytes(let way) = piece.kind { direction = way } else { direction = .received }
            let head = TraceFormatter.Head(
                time: piece.time, link: piece.link, direction: direction)
            switch piece.kind {
            case .bytes(.received):
                link.received.feed(content, limit: valueLimit, formatter, head, &lines)
            case .bytes(.sent): link.sent.feed(content, limit: valueLimit, formatter, head, &lines)
            case .start: link.received.align(content, formatter, head, &lines)
            case .end:
                link.received.end(formatter, head, &lines)
                continue
            }
            links[piece.link] = .some(link)
        }
        pieces.removeAll(keepingCapacity: true)
        bytes.removeAll(keepingCapacity: bytes.count <= Self.keptCapacity)
        return lines
    }

    /// Bytes of storage that are kept from turn to turn.
    private static let keptCapacity = 1 << 20
}

/// One direction of one link.
struct TraceStream: Sendable {
    private var parser = RESPParser(separatesAttributes: true)
    /// The bytes of a value that is not whole.
    private var pending: [UInt8] = []
    /// How many of them the parser has consumed.
    private var parsed = 0
    /// Bytes that are not shown, counted since it was last known where a value starts.
    private var skipped: Int?

    init(unparsed: [UInt8]?) {
        pending = unparsed ?? []
        skipped = unparsed == nil ? 0 : nil
    }

    /// Whether it is known where values start.
    var isAligned: Bool { skipped == nil }

    mutating func feed(
        _ bytes: ArraySlice<UInt8>, limit: Int, _ formatter: TraceFormatter,
        _ head: TraceFormatter.Head, _ lines: inout [[UInt8]]
    ) {
        if let count = skipped {
            skipped = count + bytes.count
            return
        }
        pending += bytes
        let content = pending
        pending = []
        var start = 0
        do throws(RESPError) {
            while true {
                let step = try parser.next(content.span, from: parsed)
                parsed = step.end
                guard let value = step.value else { break }
                lines.append(formatter.line(value, wire: content[start..<parsed], head))
                start = parsed
            }
        } catch {
            lines += formatter.lines(raw: content[start...], head)
            skip(0)
            return
        }
        parsed -= start
        pending = start == 0 ? content : Array(content[start...])
        if pending.count > limit { skip(pending.count) }
    }

    /// Takes the stream up again at the start of a value.
    mutating func align(
        _ unparsed: ArraySlice<UInt8>, _ formatter: TraceFormatter,
        _ head: TraceFormatter.Head, _ lines: inout [[UInt8]]
    ) {
        guard let count = skipped else { return }
        let rest = count - unparsed.count
        if rest > 0 { lines.append(formatter.line(skipped: rest, head)) }
        pending = Array(unparsed)
        skipped = nil
    }

    /// Tells of the value that did not become whole.
    mutating func end(
        _ formatter: TraceFormatter, _ head: TraceFormatter.Head, _ lines: inout [[UInt8]]
    ) {
        let rest = skipped ?? pending.count
        if rest > 0 { lines.append(formatter.line(skipped: rest, head)) }
        self = TraceStream(unparsed: [])
    }

    private mutating func skip(_ count: Int) {
        self = TraceStream(unparsed: nil)
        skipped = count
    }
}
