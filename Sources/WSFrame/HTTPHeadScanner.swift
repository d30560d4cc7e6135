/// How long a message head may be.
public struct HTTPLimits: Sendable, Equatable {
    /// The longest line, in bytes without its end: 8 KiB.
    public var maxLineLength = 8 * 1024
    /// The longest head from its first byte to the empty line, in bytes: 16 KiB.
    public var maxHeadLength = 16 * 1024
    /// The most headers: 100.
    public var maxHeaderCount = 100

    /// The limits named above.
    public init() {}
}

/// Cuts a message head into its lines and reads header lines (RFC 9112, sections 2.2 and 5).
///
/// It remembers how far it has looked, so that each byte is looked at once however the head comes.
struct HTTPHeadScanner: Sendable {
    private let limits: HTTPLimits
    /// Bytes looked at, from the head's first one.
    private var scanned = 0
    /// Where the current line begins, from the head's first byte.
    private var lineStart = 0
    private var isFirstLine = true

    init(limits: HTTPLimits) {
        self.limits = limits
    }

    /// The bytes taken so far as whole lines, from the head's first byte.
    var consumed: Int { lineStart }

    /// The next line's range in `bytes`, without its end; nil when it is not complete yet.
    ///
    /// `offset` is where the head begins. An empty line before the first one is skipped once.
    mutating func nextLine(
        _ bytes: Span<UInt8>, from offset: Int
    ) throws(HTTPError) -> Range<Int>? {
        while offset + scanned < bytes.count {
            let byte = bytes[offset + scanned]
            let length = scanned - lineStart
            if byte == HTTPCharacters.lineFeed {
                guard length > 0, bytes[offset + scanned - 1] == HTTPCharacters.carriageReturn
                else { throw .bareLineEnd }
                try advance()
                let start = offset + lineStart
                lineStart = scanned
                if length == 1, isFirstLine, start == offset { continue }
                isFirstLine = false
                return start..<start + length - 1
            }
            if length > 0, bytes[offset + scanned - 1] == HTTPCharacters.carriageReturn {
                throw .bareLineEnd
            }
            if byte != HTTPCharacters.carriageReturn {
                guard HTTPCharacters.isFieldContent(byte) else { throw .invalidCharacter }
                guard length < limits.maxLineLength else {
                    throw isFirstLine ? .requestLineTooLong : .headerLineTooLong
                }
            }
            try advance()
        }
        return nil
    }

    private mutating func advance() throws(HTTPError) {
        scanned += 1
        guard scanned <= limits.maxHeadLength else { throw .headTooLong }
    }

    /// Reads a header line and adds it to `headers` (RFC 9112, section 5.1).
    func readHeader(
        _ bytes: Span<UInt8>, in line: Range<Int>, to headers: inout HTTPHeaders
    ) throws(HTTPError) {
        guard !HTTPCharacters.isWhitespace(bytes[line.lowerBound]) else { throw .foldedHeader }
        var colon = line.lowerBound
        while colon < line.upperBound, HTTPCharacters.isToken(bytes[colon]) { colon += 1 }
        guard colon > line.lowerBound, colon < line.upperBound, bytes[colon] == UInt8(ascii: ":")
        else { throw .malformedHeader }
        guard headers.count < limits.maxHeaderCount else { throw .tooManyHeaders }
        let name = line.lowerBound..<colon
        if let single = Self.singleValue(bytes, in: name), headers.contains(single) {
            throw .duplicateHeader
        }
        headers.append(
            bytes, name: name, value: HTTPCharacters.trimmed(bytes, colon + 1..<line.upperBound))
    }

    /// The headers that decide something here and may stand once: two of them are a sign of
    /// smuggling. Others, such as User-Agent, are not read, so that a second one harms nobody.
    private static let singleValues = [
        "Host", "Content-Length", "Transfer-Encoding", "Origin", "Sec-WebSocket-Key",
        "Sec-WebSocket-Version", "Sec-WebSocket-Accept",
    ]

    /// The name as it stands above, where it does.
    private static func singleValue(_ bytes: Span<UInt8>, in name: Range<Int>) -> String? {
        for single in singleValues
        where HTTPCharacters.equalIgnoringCase(bytes, in: name, single) {
            return single
        }
        return nil
    }
}
