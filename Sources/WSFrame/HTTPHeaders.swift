/// One header of a request or a response.
public struct HTTPHeader: Sendable, Equatable {
    /// The name as it was sent; names are compared without regard to case.
    public var name: String
    /// The value without the white space around it; bytes that are not UTF-8 show as U+FFFD.
    public var value: String

    /// Makes a header; a control character in the value is written as a space.
    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The headers of a message in the order they were sent (RFC 9110, section 5).
public struct HTTPHeaders: Sendable, Equatable {
    /// The headers in their order.
    public private(set) var fields: [HTTPHeader]

    /// Makes headers from a list.
    public init(_ fields: [HTTPHeader] = []) {
        self.fields = fields
    }

    /// Adds a header at the end.
    public mutating func append(_ field: HTTPHeader) {
        fields.append(field)
    }

    /// The value of the first header of this name, nil when there is none.
    public subscript(name: String) -> String? {
        fields.first { HTTPCharacters.equalIgnoringCase($0.name, name) }?.value
    }

    /// The values of all headers of this name, in their order.
    public func values(_ name: String) -> [String] {
        fields.filter { HTTPCharacters.equalIgnoringCase($0.name, name) }.map(\.value)
    }

    /// The elements of a comma-separated list, over all headers of this name; empty elements are
    /// left out (RFC 9110, section 5.6.1). Quoted strings are not looked into.
    public func list(_ name: String) -> [String] {
        var elements: [String] = []
        for value in values(name) {
            for element in value.utf8.split(separator: UInt8(ascii: ",")) {
                let trimmed = Self.trimmed(element)
                if !trimmed.isEmpty { elements.append(String(Substring(trimmed))) }
            }
        }
        return elements
    }

    /// Whether the list of this name has `token` as an element, without regard to case.
    public func list(_ name: String, contains token: String) -> Bool {
        list(name).contains { HTTPCharacters.equalIgnoringCase($0, token) }
    }

    private static func trimmed(_ text: Substring.UTF8View) -> Substring.UTF8View {
        var text = text
        while let first = text.first, HTTPCharacters.isWhitespace(first) { text.removeFirst() }
        while let last = text.last, HTTPCharacters.isWhitespace(last) { text.removeLast() }
        return text
    }
}
