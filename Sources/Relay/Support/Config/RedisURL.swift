/// Reads the URL of a Redis server.
///
/// `redis://[user[:password]@][host][:port][/database]`, `rediss://…` for TLS, `valkey://` and
/// `valkeys://` for the same two, `unix://[user[:password]@]/path` and
/// `redis+sentinel://[user[:password]@]host[:port][,host[:port]…]/service[/database]` and
/// `redis+cluster://[user[:password]@]host[:port][,host[:port]…][/0]`, or `rediss+cluster://…` for TLS,
/// each with the options of ``RedisURLQuery`` behind a question mark. What is left out is `localhost`, 6379 (26379
/// of a Sentinel) and database 0, as the Redis clients of other languages have it. No error quotes
/// any part of the URL but the names of options, since a password that was not percent-encoded may
/// be found in each of them.
struct RedisURL: Equatable {
    /// The server that the URL names.
    var target: RedisTarget
    /// Whether the URL has a password, be it an empty one.
    var hasPassword: Bool
    /// The options that are about TLS.
    var tls = RedisURLQuery.TLSOptions()
    /// What of the URL is not taken: clauses that follow the name of what gave it.
    var remarks: [String] = []

    /// Reads a URL.
    static func parse(_ text: String) throws(InvalidValue) -> RedisURL {
        guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            throw InvalidValue("is not a Redis URL: it has white space or control characters")
        }
        guard let (scheme, rest) = text.splitOnce("://") else { throw malformed }
        guard !rest.utf8.contains(UInt8(ascii: "#")) else {
            throw InvalidValue("has a fragment, which a Redis URL cannot have \(hint)")
        }
        let (location, query) = rest.splitOnce("?") ?? (rest, "")
        var url: RedisURL
        switch scheme.lowercased() {
        case "redis", "valkey": url = try parseTCP(location, usesTLS: false)
        case "rediss", "valkeys": url = try parseTCP(location, usesTLS: true)
        case "unix": url = try parseUnix(location)
        case "redis+sentinel": url = try parseSentinel(location)
        case "redis+cluster", "valkey+cluster":
            url = try parseCluster(location, usesTLS: false)
        case "rediss+cluster", "valkeys+cluster":
            url = try parseCluster(location, usesTLS: true)
        case "rediss+sentinel":
            throw InvalidValue("asks for TLS together with Sentinel, which is not supported")
        default:
            throw InvalidValue(
                "is not a Redis URL: its scheme is not redis, rediss, unix, redis+sentinel or"
                    + " redis+cluster")
        }
        let options = try RedisURLQuery(query)
        // Nothing goes out in the clear that was meant for TLS.
        if let usesTLS = options.usesTLS, usesTLS != url.target.usesTLS {
            throw InvalidValue(
                usesTLS
                    ? "asks for TLS by an option, which its scheme has to do: rediss://"
                    : "has an option against TLS and a scheme for it")
        }
        url.target.database = options.database ?? url.target.database
        guard !url.target.isCluster || url.target.database == 0 else {
            throw InvalidValue(
                "names database \(url.target.database): a cluster has database 0 alone")
        }
        (url.tls, url.remarks) = (options.tls, options.remarks)
        return url
    }

    private static let malformed = InvalidValue(
        "is not a Redis URL such as redis://user:password@host:6379/2")

    private static func parseTCP(
        _ text: Substring, usesTLS: Bool
    ) throws(InvalidValue) -> RedisURL {
        let end = text.utf8.firstIndex(of: UInt8(ascii: "/")) ?? text.endIndex
        var url = RedisURL(target: RedisTarget(), hasPassword: false)
        let hostText = try url.takeCredentials(text[..<end])
        let unescaped = hostText.replacingOnce("%25", with: "%")
        guard let endpoint = HostAndPort(unescaped) else {
            throw InvalidValue("is not a Redis URL: its host or port is malformed \(hint)")
        }
        guard endpoint.port != 0 else { throw InvalidValue("has port 0") }
        url.target.address = .tcp(
            host: endpoint.host.isEmpty ? "localhost" : endpoint.host, port: endpoint.port ?? 6379)
        url.target.usesTLS = usesTLS

        let database = withoutSlashes(text[end...])
        url.target.database = database.isEmpty ? 0 : try parseDatabase(database)
        return url
    }

    private static func parseUnix(_ text: Substring) throws(InvalidValue) -> RedisURL {
        var url = RedisURL(target: RedisTarget(), hasPassword: false)
        let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) ?? text.endIndex
        let host = try url.takeCredentials(text[..<slash])
        guard host.isEmpty else {
            throw InvalidValue("has a host before its socket path; write unix:///path")
        }
        guard let path = PercentEncoding.decode(text[slash...]) else { throw malformed }
        url.target.address = .unix(path: try ListenAddress.socketPath(path))
        url.target.database = 0
        return url
    }

    private static func parseSentinel(_ text: Substring) throws(InvalidValue) -> RedisURL {
        let end = text.utf8.firstIndex(of: UInt8(ascii: "/")) ?? text.endIndex
        var url = RedisURL(target: RedisTarget(), hasPassword: false)
        let hosts = try url.takeCredentials(text[..<end])
        let path = withoutSlashes(text[end...])
        let (name, database) = path.splitOnce("/") ?? (path, "")
        url.target.address = .sentinel(try SentinelService(hosts: hosts, name: name))
        url.target.database = database.isEmpty ? 0 : try parseDatabase(database)
        return url
    }

    private static func parseCluster(
        _ text: Substring, usesTLS: Bool
    ) throws(InvalidValue) -> RedisURL {
        let end = text.utf8.firstIndex(of: UInt8(ascii: "/")) ?? text.endIndex
        var url = RedisURL(target: RedisTarget(), hasPassword: false)
        url.target.address = .cluster(
            try ClusterSeeds(hosts: try url.takeCredentials(text[..<end])))
        url.target.usesTLS = usesTLS
        let database = withoutSlashes(text[end...])
        url.target.database = database.isEmpty ? 0 : try parseDatabase(database)
        return url
    }

    /// A path without the slashes at both ends, which other clients drop as well.
    private static func withoutSlashes(_ path: Substring) -> Substring {
        var path = path
        while path.hasPrefix("/") { path.removeFirst() }
        while path.hasSuffix("/") { path.removeLast() }
        return path
    }

    /// Stores the user and the password of an authority and gives back its host and port.
    private mutating func takeCredentials(
        _ authority: Substring
    ) throws(InvalidValue) -> Substring {
        guard let at = authority.utf8.lastIndex(of: UInt8(ascii: "@")) else { return authority }
        let userInfo = authority[..<at]
        let pair = userInfo.splitOnce(":")
        guard let username = PercentEncoding.decode(pair?.0 ?? userInfo) else {
            throw InvalidValue("has a user that is not percent-encoded UTF-8")
        }
        target.username = username.isEmpty ? nil : username
        if let password = pair?.1 {
            guard let decoded = PercentEncoding.decode(password) else {
                throw InvalidValue("has a password that is not percent-encoded UTF-8")
            }
            hasPassword = true
            target.password = decoded.isEmpty ? nil : Secret(decoded)
        }
        return authority[authority.utf8.index(after: at)...]
    }

    /// Reads the number of a database.
    static func parseDatabase(_ text: some StringProtocol) throws(InvalidValue) -> Int {
        guard (1...9).contains(text.utf8.count),
            text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }),
            let number = Int(text)
        else { throw InvalidValue("has a database that is not a number \(hint)") }
        return number
    }

    /// What may be wrong where a URL is malformed.
    static let hint = "(reserved characters in a password must be percent-encoded)"
}

extension StringProtocol {
    /// The texts before and after the first occurrence of `separator`; nil where there is none.
    func splitOnce(_ separator: String) -> (Substring, Substring)? {
        let text = Substring(self)
        let wanted = Array(separator.utf8)
        var position = text.utf8.startIndex
        while position != text.utf8.endIndex {
            let rest = text.utf8[position...]
            if rest.starts(with: wanted) {
                let end = text.utf8.index(position, offsetBy: wanted.count)
                return (text[..<position], text[end...])
            }
            position = text.utf8.index(after: position)
        }
        return nil
    }

    /// The text with the first occurrence of `old` replaced.
    func replacingOnce(_ old: String, with new: String) -> String {
        guard let (before, after) = splitOnce(old) else { return String(self) }
        return before + new + after
    }
}
