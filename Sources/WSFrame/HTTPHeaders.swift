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
///
/// They are kept as the bytes that came, so that a head costs two buffers and not two texts a header:
/// text is made of those that are asked for.
public struct HTTPHeaders: Sendable, Equatable {
    /// Names and values, each header's behind those of the one before.
    private var bytes: [UInt8] = []
    private var entries: [Entry] = []

    /// Where a header's parts end; its name begins at the end of the one before.
    private struct Entry {
        var nameEnd: Int
        var valueEnd: Int
    }

    /// Makes headers from a list.
    public init(_ fields: [HTTPHeader] = []) {
        for field in fields { append(field) }
    }

    /// Makes room for a head of so many bytes.
    init(capacity: Int) {
        bytes.reserveCapacity(capacity)
        // A browser sends about as many.
        entries.reserveCapacity(16)
    }

    /// Whether the texts of both are equal, which bytes that are not UTF-8 need not be.
    public static func == (left: HTTPHeaders, right: HTTPHeaders) -> Bool {
        left.fields == right.fields
    }

    /// How many headers there are.
    public var count: Int { entries.count }

    /// The headers in their order.
    public var fields: [HTTPHeader] {
        entries.indices.map { HTTPHeader(text(name(at: $0)), text(value(at: $0))) }
    }

    /// Adds a header at the end.
    public mutating func append(_ field: HTTPHeader) {
        bytes.append(contentsOf: field.name.utf8)
        let nameEnd = bytes.count
        bytes.append(contentsOf: field.value.utf8)
        entries.append(Entry(nameEnd: nameEnd, valueEnd: bytes.count))
    }

    /// Adds a header whose parts stand at these places of a head.
    mutating func append(_ head: Span<UInt8>, name: Range<Int>, value: Range<Int>) {
        ByteRuns.append(head, in: name, to: &bytes)
        let nameEnd = bytes.count
        ByteRuns.append(head, in: value, to: &bytes)
        entries.append(Entry(nameEnd: nameEnd, valueEnd: bytes.count))
    }

    /// The value of the first header of this name, nil when there is none.
    public subscript(name: String) -> String? {
        entries.indices.first { isNamed($0, name) }.map { text(value(at: $0)) }
    }

    /// Whether there is a header of this name.
    public func contains(_ name: String) -> Bool {
        entries.indices.contains { isNamed($0, name) }
    }

    /// The values of all headers of this name, in their order.
    public func values(_ name: String) -> [String] {
        entries.indices.filter { isNamed($0, name) }.map { text(value(at: $0)) }
    }

    /// The elements of a comma-separated list, over all headers of this name; empty elements are
    /// left out (RFC 9110, section 5.6.1). Quoted strings are not looked into.
    public func list(_ name: String) -> [String] {
        var elements: [String] = []
        for index in entries.indices where isNamed(index, name) {
            forEachElement(of: index) { elements.append(text($0)) }
        }
        return elements
    }

    /// Whether the list of this name has `token` as an element, without regard to case.
    public func list(_ name: String, contains token: String) -> Bool {
        var isFound = false
        for index in entries.indices where isNamed(index, name) {
            forEachElement(of: index) { if isEqual($0, token) { isFound = true } }
        }
        return isFound
    }

    // MARK: - Parts

    private func name(at index: Int) -> Range<Int> {
        (index == 0 ? 0 : entries[index - 1].valueEnd)..<entries[index].nameEnd
    }

    private func value(at index: Int) -> Range<Int> {
        entries[index].nameEnd..<entries[index].valueEnd
    }

    private func text(_ range: Range<Int>) -> String { ByteRuns.text(bytes.span, in: range) }

    private func isNamed(_ index: Int, _ text: String) -> Bool { isEqual(name(at: index), text) }

    private func isEqual(_ range: Range<Int>, _ text: String) -> Bool {
        HTTPCharacters.equalIgnoringCase(bytes.span, in: range, text)
    }

    private func forEachElement(of index: Int, _ body: (Range<Int>) -> Void) {
        let value = value(at: index)
        var start = value.lowerBound
        while start < value.upperBound {
            let comma = UInt8(ascii: ",")
            let end = bytes[start..<value.upperBound].firstIndex(of: comma) ?? value.upperBound
            let element = HTTPCharacters.trimmed(bytes.span, start..<end)
            if !element.isEmpty { body(element) }
            start = end + 1
        }
    }
}
