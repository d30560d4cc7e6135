/// What of the traffic with Redis is traced, and how it is written.
public struct TraceOptions: Sendable {
    /// How the lines are written.
    public enum Format: String, Sendable, CaseIterable {
        /// For people: a time, a link, a direction and the value as `redis-cli` shows it.
        case text
        /// One object a line.
        case json
        /// The bytes of each value.
        case hex
    }

    /// A file to write to instead of standard error.
    public struct File: Sendable, Equatable {
        /// The bytes after which a file is full where nothing else is said (64 MiB).
        public static let standardLimit = 64 << 20
        /// The least limit that can be set (64 KiB).
        public static let leastLimit = 64 << 10

        /// Where it is; a full file is renamed to this path with `.1` behind it.
        public var path: String
        /// The bytes after which it is full.
        public var limit: Int

        /// Names a file.
        public init(path: String, limit: Int = File.standardLimit) {
            self.path = path
            self.limit = limit
        }
    }

    /// Bytes of each string that the text form shows where nothing else is said.
    static let standardStringBytes = 1024

    /// Whether the daemon traces from its start on; the signal switches it at any time.
    public var isOn = false
    /// How the lines are written.
    public var format = Format.text
    /// Only the link with this number; they count from 1 in the order in which they are made.
    public var link: UInt64?
    /// The bytes of each string that are shown; nil for 1024 in text form and all in the others.
    public var maximumStringBytes: Int?
    /// Where the trace goes; nil for standard error.
    public var file: File?
    private(set) var channel: Glob?

    /// Makes the options of a trace of everything that is not on yet.
    public init() {}

    /// Restricts the trace to the links whose channel the shell pattern stands for.
    ///
    /// - Returns: false where the pattern is malformed.
    public mutating func restrict(toChannels pattern: String) -> Bool {
        channel = Glob(pattern)
        return channel != nil
    }

    /// Whether a link is traced; one that has no channel is none of any pattern.
    func shows(link number: UInt64, channel bytes: [UInt8]?) -> Bool {
        if let link, link != number { return false }
        guard let channel else { return true }
        return bytes.map { channel.matches(String(decoding: $0, as: UTF8.self)) } ?? false
    }
}
