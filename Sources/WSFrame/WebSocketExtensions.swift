/// The grammar of Sec-WebSocket-Extensions (RFC 6455, section 9.1):
///
///     extension-list  = 1#extension
///     extension       = token *( ";" extension-param )
///     extension-param = token [ "=" ( token | quoted-string ) ]
///
/// What a quoted string stands for must be a token again. White space may stand around every part,
/// and empty elements between two commas are passed over (RFC 9110, section 5.6.1).
enum WebSocketExtensions {
    /// Whether the values of all headers of that name are together a list of extensions; no header
    /// at all offers none, which is well-formed too.
    static func areWellFormed(_ values: [String]) -> Bool {
        var count = 0
        for value in values {
            var reader = Reader(rest: Array(value.utf8)[...])
            guard let found = reader.extensions() else { return false }
            count += found
        }
        return values.isEmpty || count > 0
    }

    private struct Reader {
        var rest: ArraySlice<UInt8>

        /// Reads a whole value; the number of its extensions, or nil where it is malformed.
        mutating func extensions() -> Int? {
            var count = 0
            while true {
                skipBlanks()
                if takeToken() {
                    guard parameters() else { return nil }
                    count += 1
                }
                guard !rest.isEmpty else { return count }
                guard take(UInt8(ascii: ",")) else { return nil }
            }
        }

        /// Reads what follows an extension's name, up to a comma or the end.
        private mutating func parameters() -> Bool {
            skipBlanks()
            while take(UInt8(ascii: ";")) {
                skipBlanks()
                guard takeToken() else { return false }
                skipBlanks()
                if take(UInt8(ascii: "=")) {
                    skipBlanks()
                    guard takeToken() || takeQuotedToken() else { return false }
                    skipBlanks()
                }
            }
            return true
        }

        private mutating func take(_ byte: UInt8) -> Bool {
            guard rest.first == byte else { return false }
            rest.removeFirst()
            return true
        }

        private mutating func skipBlanks() {
            rest = rest.drop(while: HTTPCharacters.isWhitespace)
        }

        private mutating func takeToken() -> Bool {
            let length = rest.prefix(while: HTTPCharacters.isToken).count
            rest.removeFirst(length)
            return length > 0
        }

        /// Takes a quoted string (RFC 9110, section 5.6.4) of at least one character, all of which
        /// are those of a token when the backslashes are gone.
        private mutating func takeQuotedToken() -> Bool {
            guard take(UInt8(ascii: "\"")) else { return false }
            var length = 0
            while !take(UInt8(ascii: "\"")) {
                _ = take(UInt8(ascii: "\\"))
                guard let byte = rest.popFirst(), HTTPCharacters.isToken(byte) else { return false }
                length += 1
            }
            return length > 0
        }
    }
}
