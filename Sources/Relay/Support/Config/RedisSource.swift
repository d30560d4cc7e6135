/// Which Redis server the environment, the flags and the files that they name stand for.
struct RedisSource: Sendable {
    typealias Refusal = TextSources.Refusal

    /// A server and all that its URL says.
    struct Resolution: Equatable {
        var target: RedisTarget
        /// The options of the URL that are about TLS.
        var tls = RedisURLQuery.TLSOptions()
        var origin: ValueOrigin
        /// What of the URL has no effect: what gave the URL, and a clause that follows the name.
        var remarks: [(name: String, reason: String)] = []

        static func == (left: Resolution, right: Resolution) -> Bool {
            left.target == right.target && left.tls == right.tls && left.origin == right.origin
                && left.remarks.map(\.name) == right.remarks.map(\.name)
                && left.remarks.map(\.reason) == right.remarks.map(\.reason)
        }
    }

    let texts: TextSources

    /// Resolves the sources in the contract's order; adds the password to a URL without one.
    func resolve() throws(Refusal) -> Resolution {
        let row = SettingsTable.redisURL
        var found = try texts.find(row.variable, flag: row.flag, hasFile: true)
        if found == nil { found = try texts.find("REDIS_URL", flag: nil, hasFile: true) }
        guard let found else { return try pair() }
        let url: RedisURL
        do throws(InvalidValue) {
            url = try RedisURL.parse(found.text)
        } catch {
            throw Refusal(name: found.name, shownValue: found.path, reason: error.reason)
        }
        var resolution = Resolution(target: url.target, tls: url.tls, origin: found.origin)
        resolution.remarks = url.remarks.map { (found.name, $0) }
        try addPassword(to: &resolution, hasPassword: url.hasPassword)
        return resolution
    }

    /// The password for a URL without one, and where it comes from; nil where nothing is said.
    func password() throws(Refusal) -> TextSources.Found? {
        let own = try texts.find("STATUS_REDIS_PASSWORD", flag: "redis-password", hasFile: true)
        if let own { return own }
        return try texts.find("REDIS_PASSWORD", flag: nil, hasFile: true)
    }

    private func addPassword(
        to resolution: inout Resolution, hasPassword: Bool
    ) throws(Refusal) {
        if hasPassword {
            let own = try texts.find("STATUS_REDIS_PASSWORD", flag: "redis-password", hasFile: true)
            if let own {
                resolution.remarks.append((own.name, "has no effect: the URL has a password"))
            }
            return
        }
        guard let found = try password() else { return }
        resolution.target.password = found.text.isEmpty ? nil : Secret(found.text)
        resolution.origin = resolution.origin.joined(with: found.origin)
    }

    // MARK: - Host and port

    private func pair() throws(Refusal) -> Resolution {
        let names = ["REDIS_HOST", "REDIS_PORT"].filter { texts.environment[$0] != nil }
        let link = try port()
        var target = RedisTarget()
        target.address = .tcp(host: try host() ?? link.host ?? "localhost", port: link.port)
        var resolution = Resolution(
            target: target, origin: names.isEmpty ? .standard : .environment(names))
        try addPassword(to: &resolution, hasPassword: false)
        return resolution
    }

    private func host() throws(Refusal) -> String? {
        guard let text = texts.environment["REDIS_HOST"] else { return nil }
        if HostAndPort.isAddressV6(text) { return text }
        guard let endpoint = HostAndPort(text), endpoint.port == nil, !endpoint.host.isEmpty else {
            throw Refusal(
                name: "REDIS_HOST", shownValue: text, reason: "is not a host name or an address")
        }
        return endpoint.host
    }

    /// The port, and the host where the variable is what Kubernetes and Docker make of a service
    /// named `redis`: `tcp://10.0.0.1:6379`.
    private func port() throws(Refusal) -> (host: String?, port: UInt16) {
        guard let text = texts.environment["REDIS_PORT"] else { return (nil, 6379) }
        if let endpoint = ServiceVariables.tcpEndpoint(text) {
            return (endpoint.host, endpoint.port)
        }
        guard let endpoint = HostAndPort(":\(text)"), let port = endpoint.port, port != 0 else {
            throw Refusal(
                name: "REDIS_PORT", shownValue: text,
                reason: "is neither a port from 1 to 65535 nor tcp://host:port")
        }
        return (nil, port)
    }
}
