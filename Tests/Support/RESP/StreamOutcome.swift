public import RESP

/// Everything that a parser makes of a stream, however the stream was cut.
public struct StreamOutcome: Equatable, Sendable {
    /// How the stream ends.
    public enum Stop: Equatable, Sendable {
        case betweenValues
        case insideValue
        case error(RESPError)
    }

    /// A value and the offset behind it.
    public struct Item: Equatable, Sendable {
        public let value: RESPValue
        public let end: UInt64

        public init(_ value: RESPValue, end: UInt64) {
            self.value = value
            self.end = end
        }
    }

    public var items: [Item]
    public var stop: Stop

    public init(items: [Item], stop: Stop) {
        self.items = items
        self.stop = stop
    }

    public var values: [RESPValue] { items.map(\.value) }

    /// Feeds `bytes` to a new parser in the pieces that `cuts` (ascending) makes of them.
    ///
    /// The window that the parser is given never starts where the stream does and never shows a byte
    /// that has not been received.
    public init(
        parsing bytes: [UInt8], cuts: [Int] = [], limits: RESPLimits = RESPLimits(),
        separatesAttributes: Bool = false
    ) {
        var parser = RESPParser(limits: limits, separatesAttributes: separatesAttributes)
        var window = Window()
        items = []
        do throws(RESPError) {
            for cut in cuts + [bytes.count] {
                window.received = cut
                while true {
                    let step = try parser.next(
                        bytes.span.extracting(window.shown), from: window.offset)
                    window.consume(to: step.end, parser.streamOffset)
                    guard let value = step.value else { break }
                    items.append(Item(value, end: UInt64(window.consumed)))
                }
            }
            let isWhole = parser.isBetweenValues && window.consumed == bytes.count
            stop = isWhole ? .betweenValues : .insideValue
        } catch {
            stop = .error(error)
        }
    }
}

/// What of a stream a parser is shown: the bytes that it has not consumed, and some before those.
public struct Window {
    public private(set) var consumed = 0
    public var received = 0

    public init() {}

    private var lower: Int { max(0, consumed - 3) }

    /// The bytes of the stream that are shown.
    public var shown: Range<Int> { lower..<received }

    /// Where the first unconsumed byte is among those shown.
    public var offset: Int { consumed - lower }

    /// The range of the stream for a range of the bytes shown.
    public func inStream(_ range: Range<Int>) -> Range<Int> {
        (range.lowerBound + lower)..<(range.upperBound + lower)
    }

    /// Notes what a parser has consumed and holds its own count against it.
    public mutating func consume(to end: Int, _ streamOffset: UInt64) {
        precondition(end >= offset && lower + end <= received, "consumed bytes that are not there")
        consumed = lower + end
        precondition(UInt64(consumed) == streamOffset, "consumed another number than counted")
    }
}
