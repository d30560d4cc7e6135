/// The bounds which a parser holds its input to.
///
/// Every bound is checked against what the wire announces before anything is stored, and storage
/// grows with the bytes that have arrived, never with a length that was only announced.
public struct RESPLimits: Sendable, Equatable {
    /// The longest bulk string, bulk error or verbatim string, and the longest sum of the parts of
    /// a streamed string, in bytes.
    public var bulkSize: Int

    /// The most elements of one array, set or push, the most pairs of one map or attribute, and the
    /// most arguments of one command.
    public var aggregateElements: Int

    /// The most aggregates that may be open inside one another; an attribute counts as one.
    public var depth: Int

    /// The longest line, in bytes, its type byte counted and its CRLF not.
    public var lineLength: Int

    /// The most bytes that one top-level value, with its attributes, or one command takes on the
    /// wire.
    public var valueSize: Int

    /// The longest channel name of a Pub/Sub message, in bytes.
    public var channelSize: Int

    /// The longest payload of a Pub/Sub message that is handed on, in bytes; a longer one is
    /// skipped without being buffered.
    public var payloadSize: Int

    /// Creates limits; the defaults suit a client of a trusted Redis server.
    public init(
        bulkSize: Int = 512 << 20,
        aggregateElements: Int = 1 << 20,
        depth: Int = 128,
        lineLength: Int = 64 << 10,
        valueSize: Int = 1 << 30,
        channelSize: Int = 64 << 10,
        payloadSize: Int = 1 << 20
    ) {
        self.bulkSize = bulkSize
        self.aggregateElements = aggregateElements
        self.depth = depth
        self.lineLength = lineLength
        self.valueSize = valueSize
        self.channelSize = channelSize
        self.payloadSize = payloadSize
    }
}
