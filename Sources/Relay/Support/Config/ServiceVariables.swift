/// The variables that Kubernetes makes for every Service of a namespace, and Docker for a container
/// that is linked: a Service named `status` puts names into the environment that begin like the
/// settings of this daemon.
enum ServiceVariables {
    private static let protocols = ["tcp", "udp", "sctp"]

    /// Whether a variable is one that such a Service has made, whatever stands between `STATUS_` and
    /// the part that all of them have: a Service may be named `status-redis`.
    ///
    /// The forms are `…_SERVICE_HOST`, `…_SERVICE_PORT`, `…_SERVICE_PORT_<name of the port>`, `…_PORT`
    /// and `…_PORT_<number>_<protocol>`, alone or with `_PROTO`, `_PORT`, `_ADDR` and, for a range of
    /// Docker's, `_START` and `_END`; Docker adds `…_NAME` and `…_ENV_<name>`. What could also be a
    /// setting that somebody had in mind, such as `STATUS_PORT`, is told by its value.
    static func isMade(_ name: String, _ value: String) -> Bool {
        let words = name.split(separator: "_", omittingEmptySubsequences: false)
        guard words.first == "STATUS", words.allSatisfy({ !$0.isEmpty }) else { return false }
        for start in words.indices.dropFirst() where isMade(words[start...], value) { return true }
        // `STATUS_ENV_…` repeats the variables of the other container.
        return words.count > 2 && words[1] == "ENV"
            || words.count == 2 && words[1] == "NAME"
                && value.hasPrefix("/")
    }

    private static func isMade(_ words: ArraySlice<Substring>, _ value: String) -> Bool {
        let rest = words.dropFirst()
        switch words.first {
        case "SERVICE" where rest.first == "HOST": return rest.count == 1
        case "SERVICE" where rest.first == "PORT": return true
        case "PORT" where rest.isEmpty: return isEndpoint(value)
        case "PORT":
            guard let number = rest.first, UInt16(number) != nil else { return false }
            let tail = Array(rest.dropFirst())
            guard let word = tail.first, protocols.contains(word.lowercased()) else { return false }
            switch tail.dropFirst().first {
            case nil: return isEndpoint(value)
            case "PROTO", "PORT", "ADDR", "START", "END": return tail.count == 2
            default: return false
            }
        default: return false
        }
    }

    private static func isEndpoint(_ value: String) -> Bool {
        protocols.contains { endpoint(value, scheme: $0) != nil }
    }

    /// Host and port of `tcp://host:port`; nil where the text is something else.
    static func tcpEndpoint(_ text: String) -> (host: String, port: UInt16)? {
        endpoint(text, scheme: "tcp")
    }

    private static func endpoint(_ text: String, scheme: String) -> (host: String, port: UInt16)? {
        guard let (found, rest) = text.splitOnce("://"), found.lowercased() == scheme,
            let endpoint = HostAndPort(rest), !endpoint.host.isEmpty, let port = endpoint.port,
            port != 0
        else { return nil }
        return (endpoint.host, port)
    }
}
