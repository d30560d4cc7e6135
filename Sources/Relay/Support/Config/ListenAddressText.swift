extension ListenAddress {
    /// Reads `host:port`, `:port`, `[v6]:port` or `unix:/path`.
    init(parsing text: String) throws(InvalidValue) {
        if text.hasPrefix("unix:") {
            self = .unix(path: try Self.socketPath(text.dropFirst("unix:".count)))
            return
        }
        guard let endpoint = HostAndPort(text), let port = endpoint.port else {
            throw InvalidValue(
                "is not an address such as :9002, host:9002, [::1]:9002 or unix:/path")
        }
        self = .tcp(host: endpoint.host, port: port)
    }

    /// Checks the path of a Unix socket.
    static func socketPath(_ text: some StringProtocol) throws(InvalidValue) -> String {
        guard text.utf8.first == UInt8(ascii: "/") else {
            throw InvalidValue("has a socket path that is not absolute")
        }
        guard text.utf8.count <= SocketPath.maximumLength else {
            throw InvalidValue("has a socket path over \(SocketPath.maximumLength) bytes")
        }
        guard !text.utf8.contains(0) else { throw InvalidValue("has a zero byte in its path") }
        return String(text)
    }
}

extension ListenAddress: CustomStringConvertible {
    /// The address as it is configured.
    public var description: String {
        switch self {
        case .tcp(let host, let port):
            host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path):
            "unix:\(path)"
        }
    }
}

/// A host, which may be empty, and a port, which may be missing.
struct HostAndPort: Equatable {
    let host: String
    let port: UInt16?

    /// Reads `host`, `host:port`, `:port`, `[v6]` or `[v6]:port`; nil where the text is malformed.
    init?(_ text: some StringProtocol) {
        let rest: Substring
        if text.utf8.first == UInt8(ascii: "[") {
            guard let close = text.utf8.firstIndex(of: UInt8(ascii: "]")) else { return nil }
            host = String(text[text.utf8.index(after: text.startIndex)..<close])
            rest = Substring(text[text.utf8.index(after: close)...])
            guard HostAndPort.isAddressV6(host) else { return nil }
        } else {
            let colon = text.utf8.firstIndex(of: UInt8(ascii: ":")) ?? text.endIndex
            host = String(text[..<colon])
            rest = Substring(text[colon...])
            guard host.utf8.count <= 253, host.utf8.allSatisfy(HostAndPort.isNameByte) else {
                return nil
            }
        }
        if rest.isEmpty {
            port = nil
            return
        }
        let digits = rest.utf8.dropFirst()
        guard rest.utf8.first == UInt8(ascii: ":"), (1...5).contains(digits.count),
            digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = UInt16(Substring(digits))
        else { return nil }
        port = number
    }

    /// The host as it stands before a port: an IPv6 address in brackets.
    static func bracketed(_ host: String) -> String {
        host.utf8.contains(UInt8(ascii: ":")) ? "[\(host)]" : host
    }

    /// Whether the text looks like an IPv6 address, with or without a zone.
    ///
    /// It need not be one: the resolver has the last word.
    static func isAddressV6(_ text: String) -> Bool {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        return parts[0].utf8.filter { $0 == UInt8(ascii: ":") }.count >= 2
            && parts[0].utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
                    UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: ":"), UInt8(ascii: "."):
                    true
                default:
                    false
                }
            }
            && (parts.count == 1 || !parts[1].isEmpty && parts[1].utf8.allSatisfy(isNameByte))
    }

    /// Whether a byte occurs in host names and in IPv4 addresses.
    static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "."), UInt8(ascii: "-"),
            UInt8(ascii: "_"):
            true
        default:
            false
        }
    }
}
