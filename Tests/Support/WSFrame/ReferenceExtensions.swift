/// The grammar of Sec-WebSocket-Extensions (RFC 6455, section 9.1) as a regular expression, which
/// the reader of `WSFrame` is compared with.
enum ReferenceExtensions {
    /// Whether the values of all headers of that name are a list of extensions together.
    static func areWellFormed(_ values: [String]) -> Bool {
        guard !values.isEmpty else { return true }
        // Several headers are one, with commas in between (RFC 9110, section 5.2).
        let list = values.joined(separator: ",")
        guard list.utf8.allSatisfy({ $0 < 0x80 }) else { return false }
        let token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+"
        let quoted = #""(?:\\?[!#$%&'*+.^_`|~0-9A-Za-z-])+""#
        let parameter = "[ \t]*;[ \t]*\(token)(?:[ \t]*=[ \t]*(?:\(token)|\(quoted)))?"
        let element = "[ \t]*(?:\(token)(?:\(parameter))*)?[ \t]*"
        guard let expression = try? Regex("\(element)(?:,\(element))*") else { return false }
        return list.wholeMatch(of: expression) != nil
            && list.contains { !", \t".contains($0) }
    }
}
