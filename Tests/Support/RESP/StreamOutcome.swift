package import RESP

/// Everything that a parser makes of a stream, however the stream was cut.
package struct StreamOutcome: Equatable, Sendable {
    /// How the stream ends.
    package enum Stop: Equatable, Sendable {
        case betweenValues
        case insideValue
        case error(RESPError)
    }

    /// A value and the offset behind it.
    package struct Item: Equatable, Sendable {
        package let value: RESPValue
        package let end: UInt64

        package init(_ value: RESPValue, end: UInt64) {
            self.value = value
            self.end = end
        }
    }

    package var items: [Item]
    package var stop: Stop

    package init(items: [Item], stop: Stop) {
        self.items = items
        self.stop = stop
    }

    package var values: [RESPValue] { items.map(\.value) }

    /// Feeds `bytes` to a new parser in the pieces that `cuts` (ascending) makes of them.
    ///
    /// The window that the parser is given never starts where the stream does and never shows a byte
    /// that has not been received.
    package init(
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
package struct Window {
    package private(set) var consumed = 0
    package var received = 0

    package init() {}

    private var lower: Int { max(0, consumed - 3) }

    /// The bytes of the stream that are shown.
    package var shown: Range<Int> { lower..<received }

    /// Where the first unconsumed byte is among those shown.
    package var offset: Int { consumed - lower }

    /// The range of the stream for a range of the bytes shown.
    package func inStream(_ range: Range<Int>) -> Range<Int> {
        (range.lowerBound + lower)..<(range.upperBound + lower)
    }

    /// Notes what a parser has consumed and holds its own count against it.
    package mutating func consume(to end: Int, _ streamOffset: UInt64) {
        precondition(end >= offset && lower + end <= received, "consumed bytes that are not there")
        consumed = lower + end
        precondition(UInt64(consumed) == streamOffset, "consumed another number than counted")
    }
}
