/// What of a debug page is wanted: filters, how many rows at most, and where to go on.
struct DebugQuery: Equatable, Sendable {
    /// Rows of one answer where nothing else is asked for.
    static let standardLimit = 100
    /// Rows of one answer, at most.
    static let greatestLimit = 1000

    /// A parameter of a debug page.
    enum Parameter: String, CaseIterable, Sendable {
        /// The run or the channel matches the shell pattern.
        case run, channel
        /// The state has this name.
        case state
        /// The address, with or without its port, matches the shell pattern.
        case address
        /// The reason of the end has this name.
        case reason
        /// The link has this number.
        case link
        /// The oldest byte that waits is older.
        case late
        /// Nothing has come for longer.
        case quiet
        case limit, cursor
    }

    var run = TextPattern.anything
    var channel = TextPattern.anything
    var address = TextPattern.anything
    var state: String?
    var reason: String?
    var link: UInt64?
    var late: Nanoseconds?
    var quiet: Nanoseconds?
    /// Rows of the answer, at most.
    var limit = DebugQuery.standardLimit
    /// The row behind which the answer begins; nil for the first.
    var cursor: DebugCursor?

    /// Everything, up to the standard limit.
    init() {}

    /// Reads the query of a URL.
    ///
    /// - Parameters:
    ///   - text: what stands behind the question mark; nil where there is none.
    ///   - allowed: the parameters that the page has.
    ///   - states: the states that its rows may have.
    init(
        _ text: String?, allowed: Set<Parameter>, states: [String] = []
    ) throws(InvalidValue) {
        for (name, value) in try QueryText.pairs(text) {
            guard let parameter = Parameter(rawValue: name), allowed.contains(parameter) else {
                let names = Parameter.allCases.filter(allowed.contains).map(\.rawValue)
                throw InvalidValue(
                    names.isEmpty
                        ? "this page takes no parameters"
                        : "unknown parameter; there are \(names.joined(separator: ", "))")
            }
            try take(parameter, value)
        }
        if let state, !states.contains(state) {
            throw InvalidValue("no such state; there are \(states.joined(separator: ", "))")
        }
    }

    private mutating func take(
        _ parameter: Parameter, _ value: String
    ) throws(InvalidValue) {
        switch parameter {
        case .run: run = try TextPattern(value)
        case .channel: channel = try TextPattern(value)
        case .address: address = try TextPattern(value)
        case .state: state = value
        case .reason: reason = value
        case .link:
            guard let number = UInt64(value) else { throw InvalidValue("link is no number") }
            link = number
        case .late: late = try Self.duration(value, parameter)
        case .quiet: quiet = try Self.duration(value, parameter)
        case .limit:
            guard let number = Int(value), (1...Self.greatestLimit).contains(number) else {
                throw InvalidValue("limit is not from 1 to \(Self.greatestLimit)")
            }
            limit = number
        case .cursor:
            guard let place = DebugCursor(value) else {
                throw InvalidValue("cursor is none that an answer has given")
            }
            cursor = place
        }
    }

    private static func duration(
        _ value: String, _ parameter: Parameter
    ) throws(InvalidValue) -> Nanoseconds {
        do throws(InvalidValue) {
            return max(.zero, try GoDuration.parse(value))
        } catch {
            throw InvalidValue("\(parameter.rawValue) \(error.reason)")
        }
    }
}

/// The place of a row: the event loop, and the number by which that loop puts its rows in order.
struct DebugCursor: Equatable, Comparable, Sendable, CustomStringConvertible {
    let loop: Int
    let number: UInt64

    init(loop: Int, number: UInt64) {
        self.loop = loop
        self.number = number
    }

    /// Reads `loop.number`.
    init?(_ text: String) {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 2, let loop = Int(parts[0]), loop >= 0, let number = UInt64(parts[1])
        else { return nil }
        self.init(loop: loop, number: number)
    }

    var description: String { "\(loop).\(number)" }

    static func < (left: DebugCursor, right: DebugCursor) -> Bool {
        (left.loop, left.number) < (right.loop, right.number)
    }
}

/// A text, or a shell pattern.
enum TextPattern: Equatable, Sendable {
    case anything
    /// No text but this one, which costs least to look for.
    case exactly([UInt8])
    case matching(Glob)

    init(_ text: String) throws(InvalidValue) {
        guard text.utf8.contains(where: { "*?[\\".utf8.contains($0) }) else {
            self = .exactly(Array(text.utf8))
            return
        }
        guard let glob = Glob(text) else { throw InvalidValue("a pattern is malformed") }
        self = .matching(glob)
    }

    func matches(_ bytes: some Collection<UInt8>) -> Bool {
        switch self {
        case .anything: true
        case .exactly(let wanted): bytes.elementsEqual(wanted)
        case .matching(let glob): glob.matches(String(decoding: bytes, as: UTF8.self))
        }
    }
}

/// The query of a URL as names and values.
enum QueryText {
    /// Pairs that a query may have.
    static let pairLimit = 32

    /// Takes a query apart, percent-decoded, with `+` for a space; no name may occur twice.
    static func pairs(_ text: String?) throws(InvalidValue) -> [(name: String, value: String)] {
        var pairs: [(name: String, value: String)] = []
        for part in (text ?? "").split(separator: "&") {
            let sides = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard sides.count == 2, let name = decoded(sides[0]), let value = decoded(sides[1])
            else { throw InvalidValue("the query is not name=value") }
            guard !pairs.contains(where: { $0.name == name }) else {
                throw InvalidValue("a parameter stands twice")
            }
            guard pairs.count < pairLimit else { throw InvalidValue("too many parameters") }
            pairs.append((name, value))
        }
        return pairs
    }

    private static func decoded(_ text: Substring) -> String? {
        let spaced = text.utf8.map { $0 == UInt8(ascii: "+") ? 0x20 : $0 }
        return PercentEncoding.decode(spaced).flatMap { String(validating: $0, as: UTF8.self) }
    }
}
