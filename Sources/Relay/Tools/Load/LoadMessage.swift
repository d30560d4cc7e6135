/// What a relay's text message is to a page.
enum LoadMessage: Equatable {
    /// A message of the channel; its payload where that is one of a load tool.
    case status(LoadPayload?)
    case ping
    case hangup
    /// A notice of messages that are missing, or will be.
    case gap, outage
    case other

    private static let nameWord = Array(#""type""#.utf8)
    private static let statusWord = Array("status".utf8)
    private static let pingWord = Array("ping".utf8)
    private static let hangupWord = Array("hangup".utf8)
    private static let gapWord = Array("gap".utf8)
    private static let outageWord = Array("outage".utf8)

    /// Reads a message; `text` is well-formed UTF-8. Only the member `type` is looked for.
    init(_ text: Span<UInt8>) {
        guard let type = Self.typeValue(text) else {
            self = .other
            return
        }
        if Self.equals(text, type, Self.statusWord) {
            self = .status(LoadPayload.find(in: text))
        } else if Self.equals(text, type, Self.pingWord) {
            self = .ping
        } else if Self.equals(text, type, Self.hangupWord) {
            self = .hangup
        } else if Self.equals(text, type, Self.gapWord) {
            self = .gap
        } else if Self.equals(text, type, Self.outageWord) {
            self = .outage
        } else {
            self = .other
        }
    }

    /// The string behind the first `"type":`. A quote within a string is escaped, so that these bytes
    /// stand for a member's name wherever they are found.
    private static func typeValue(_ text: Span<UInt8>) -> Range<Int>? {
        let length = nameWord.count
        var start = 0
        while start + length <= text.count, !equals(text, start..<start + length, nameWord) {
            start += 1
        }
        var position = start + length
        skipSpace(text, &position)
        guard position < text.count, text[position] == UInt8(ascii: ":") else { return nil }
        position += 1
        skipSpace(text, &position)
        guard position < text.count, text[position] == UInt8(ascii: "\"") else { return nil }
        let begin = position + 1
        var end = begin
        while end < text.count, text[end] != UInt8(ascii: "\"") { end += 1 }
        return end < text.count ? begin..<end : nil
    }

    private static func skipSpace(_ text: Span<UInt8>, _ position: inout Int) {
        while position < text.count, text[position] == UInt8(ascii: " ") { position += 1 }
    }

    private static func equals(_ text: Span<UInt8>, _ range: Range<Int>, _ word: [UInt8]) -> Bool {
        guard range.count == word.count else { return false }
        for index in 0..<word.count where text[range.lowerBound + index] != word[index] {
            return false
        }
        return true
    }
}
