/// The character classes of RFC 9110, section 5.6, and RFC 3986, over single bytes.
enum HTTPCharacters {
    static let carriageReturn: UInt8 = 0x0D
    static let lineFeed: UInt8 = 0x0A
    static let space: UInt8 = 0x20
    static let tab: UInt8 = 0x09

    /// A character of a token: a method, a header's name, an element of many lists.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        case UInt8(ascii: "!"), UInt8(ascii: "#"), UInt8(ascii: "$"), UInt8(ascii: "%"),
            UInt8(ascii: "&"), UInt8(ascii: "'"), UInt8(ascii: "*"), UInt8(ascii: "+"),
            UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "^"), UInt8(ascii: "_"),
            UInt8(ascii: "`"), UInt8(ascii: "|"), UInt8(ascii: "~"):
            true
        default: false
        }
    }

    /// Whether `text` is a token, so not empty.
    static func isToken(_ text: some StringProtocol) -> Bool {
        !text.isEmpty && text.utf8.allSatisfy { isToken($0) }
    }

    /// White space within a line.
    static func isWhitespace(_ byte: UInt8) -> Bool { byte == space || byte == tab }

    /// The range without the white space at both of its ends.
    static func trimmed(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, isWhitespace(bytes[start]) { start += 1 }
        while start < end, isWhitespace(bytes[end - 1]) { end -= 1 }
        return start..<end
    }

    /// A character of a header's value: visible, white space, or above ASCII.
    static func isFieldContent(_ byte: UInt8) -> Bool {
        byte >= 0x20 && byte != 0x7F || byte == tab
    }

    static func isDigit(_ byte: UInt8) -> Bool {
        byte >= UInt8(ascii: "0") && byte <= UInt8(ascii: "9")
    }

    /// A character that a host may hold: a registered name or a bracketed address (RFC 3986,
    /// section 3.2.2).
    static func isHost(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "#"), UInt8(ascii: "^"), UInt8(ascii: "`"), UInt8(ascii: "|"): false
        case UInt8(ascii: "("), UInt8(ascii: ")"), UInt8(ascii: ","), UInt8(ascii: ";"),
            UInt8(ascii: "="):
            true
        default: isToken(byte)
        }
    }

    /// The byte, in lower case when it is a letter of ASCII.
    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte >= UInt8(ascii: "A") && byte <= UInt8(ascii: "Z") ? byte | 0x20 : byte
    }

    /// Whether two texts are equal but for the case of ASCII letters.
    static func equalIgnoringCase(_ left: some StringProtocol, _ right: some StringProtocol) -> Bool
    {
        var others = right.utf8.makeIterator()
        for byte in left.utf8 {
            guard let other = others.next(), lowercased(byte) == lowercased(other) else {
                return false
            }
        }
        return others.next() == nil
    }

    /// Whether the bytes of `range` are `text` but for the case of ASCII letters.
    static func equalIgnoringCase(
        _ bytes: Span<UInt8>, in range: Range<Int>, _ text: String
    ) -> Bool {
        // Most names are told apart by their length.
        guard range.count == text.utf8.count else { return false }
        var offset = range.lowerBound
        for byte in text.utf8 {
            guard lowercased(bytes[offset]) == lowercased(byte) else { return false }
            offset += 1
        }
        return true
    }

    /// Whether `text` is `uri-host [ ":" port ]` with a host that is not empty (RFC 9110, section
    /// 7.2).
    static func isAuthority(_ text: some StringProtocol) -> Bool {
        let bytes = Array(text.utf8)
        var hostEnd = 0
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")), close > 1 else {
                return false
            }
            let isAddress = bytes[1..<close].allSatisfy {
                isHost($0) && $0 != UInt8(ascii: "%") || $0 == UInt8(ascii: ":")
            }
            guard isAddress else { return false }
            hostEnd = close + 1
        } else {
            while hostEnd < bytes.count, isHost(bytes[hostEnd]) { hostEnd += 1 }
        }
        guard hostEnd > 0 else { return false }
        guard hostEnd < bytes.count else { return true }
        let port = bytes[(hostEnd + 1)...]
        return bytes[hostEnd] == UInt8(ascii: ":") && port.count <= 5
            && port.allSatisfy { isDigit($0) }
    }
}
