// What can never match: it is warned of, since whoever wrote it has let in nobody by it.
extension OriginPattern {
    /// Why a pattern can never match what a browser sends: a clause that follows the pattern; nil
    /// where it can.
    static func flaw(of pattern: String) -> String? {
        let text = tidied(pattern)
        guard text != "null" else { return nil }
        guard OriginPattern(pattern) != nil else { return "is malformed" }
        guard text.utf8.allSatisfy({ $0 < 0x80 }) else {
            return "is not ASCII: browsers send such a host in Punycode, as xn--…"
        }
        let parts = text.splitOnce("://")
        if let scheme = parts?.0, !hasWildcard(scheme) {
            if scheme.isEmpty || !scheme.utf8.allSatisfy(WebOrigin.isSchemeByte) {
                return "has a scheme that no origin has"
            }
            if opaqueSchemes.contains(String(scheme)) {
                return "has a scheme whose pages send null as their origin"
            }
        }
        return flaw(ofHost: parts?.1 ?? Substring(text), hasScheme: parts != nil)
    }

    /// Schemes whose pages have no origin of their own (HTML, section 7.1.1).
    private static let opaqueSchemes = ["file", "data", "about", "javascript"]

    /// What the host and the port of an origin are made of, an IPv6 address in brackets included.
    /// Browsers would take some more in a host, which no name in the DNS has.
    private static let alphabet = Array("abcdefghijklmnopqrstuvwxyz0123456789-._:[]".unicodeScalars)

    private static func flaw(ofHost host: Substring, hasScheme: Bool) -> String? {
        if host.isEmpty { return "has no host" }
        if host.utf8.contains(UInt8(ascii: "/")) {
            return hasScheme
                ? "has a path, which no origin has" : "has a slash, which no host has"
        }
        switch Glob(escapingAddress(String(host)))?.misfit(among: alphabet) {
        case .character(let odd):
            let hint = "{}()|,".unicodeScalars.contains(odd) ? ": write a pattern for each" : ""
            return "has the character \(String(odd).debugDescription), which no origin has\(hint)"
        case .emptyClass: return "has a class of characters that no origin has"
        case nil: break
        }
        if host.hasPrefix(".") { return "begins with a dot: *\(host) is meant?" }
        if host.utf8.first == UInt8(ascii: "[") || HostAndPort.isAddressV6(String(host)) {
            return flaw(ofAddress: host)
        }
        if host.splitOnce("..") != nil { return "has an empty label between two dots" }
        let (name, port) = host.splitOnce(":") ?? (host, "")
        if name.count < host.count, let flaw = flaw(ofPort: port) { return flaw }
        return flaw(ofName: name)
    }

    /// An IPv6 address, in brackets where it has a port.
    private static func flaw(ofAddress host: Substring) -> String? {
        let close = host.utf8.lastIndex(of: UInt8(ascii: "]"))
        let address = close.map { host[..<$0] } ?? host
        if address.utf8.contains(UInt8(ascii: ".")) {
            return "has an IPv6 address with dots, which browsers write with colons alone"
        }
        guard let close else { return nil }
        let rest = host[host.utf8.index(after: close)...]
        // What is in brackets without a colon is a class of characters.
        guard rest.hasPrefix(":"), address.utf8.contains(UInt8(ascii: ":")) else { return nil }
        return flaw(ofPort: rest.dropFirst())
    }

    private static func flaw(ofPort port: Substring) -> String? {
        if hasWildcard(port) { return nil }
        guard port.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt16(port), number > 0
        else { return "has a port that is no number from 1 to 65535" }
        return port.utf8.first == UInt8(ascii: "0")
            ? "has a port with a zero before it, which browsers leave out" : nil
    }

    private static func flaw(ofName name: Substring) -> String? {
        if name.isEmpty { return "has no host" }
        guard !hasWildcard(name) else { return nil }
        let labels = name.split(separator: ".")
        if name.utf8.count > 253 || labels.contains(where: { $0.utf8.count > 63 }) {
            return "has a host that is longer than names in the DNS are"
        }
        // A host that ends in a number is an IPv4 address (URL, section 3.5).
        guard let last = labels.last, Int(last) != nil else { return nil }
        let isAddress =
            labels.count == 4 && name.utf8.count { $0 == UInt8(ascii: ".") } == 3
            && labels.allSatisfy { UInt8($0).map { "\($0)" } == String($0) }
        return isAddress ? nil : "has an IPv4 address that browsers write otherwise"
    }

    private static func hasWildcard(_ text: Substring) -> Bool {
        text.utf8.contains { Array("*?[\\".utf8).contains($0) }
    }
}
