/// Which Redis server the environment and the flags name.
struct RedisSource {
    /// Why no server could be made of them.
    struct Refusal: Error, Equatable {
        let name: String
        let shownValue: String?
        let reason: String
    }

    /// The environment, in which no value is empty.
    let environment: [String: String]
    /// The value of `--redis-url`.
    let flag: String?

    /// Resolves the sources in the contract's order; adds `REDIS_PASSWORD` to a URL without one.
    func resolve() throws(Refusal) -> (RedisTarget, ValueOrigin) {
        let flagName = "--\(SettingsTable.redisURL.flag)"
        if let flag {
            return (withPassword(try parse(flag, name: flagName)).0, .flag(flagName))
        }
        for name in [SettingsTable.redisURL.variable, "REDIS_URL"] {
            guard let text = environment[name] else { continue }
            let (target, isAdded) = withPassword(try parse(text, name: name))
            return (target, .environment(isAdded ? [name, "REDIS_PASSWORD"] : [name]))
        }
        var names = ["REDIS_HOST", "REDIS_PORT"].filter { environment[$0] != nil }
        var pair = RedisTarget()
        pair.address = .tcp(host: try host(), port: try port())
        let (target, isAdded) = withPassword(RedisURL(target: pair, hasPassword: false))
        if isAdded { names.append("REDIS_PASSWORD") }
        return (target, names.isEmpty ? .standard : .environment(names))
    }

    private func parse(_ text: String, name: String) throws(Refusal) -> RedisURL {
        do throws(InvalidValue) {
            return try RedisURL.parse(text)
        } catch {
            throw Refusal(name: name, shownValue: nil, reason: error.reason)
        }
    }

    private func withPassword(_ url: RedisURL) -> (RedisTarget, Bool) {
        var target = url.target
        guard !url.hasPassword, let password = environment["REDIS_PASSWORD"] else {
            return (target, false)
        }
        target.password = Secret(password)
        return (target, true)
    }

    private func host() throws(Refusal) -> String {
        guard let text = environment["REDIS_HOST"] else { return "localhost" }
        if HostAndPort.isAddressV6(text) { return text }
        guard let endpoint = HostAndPort(text), endpoint.port == nil, !endpoint.host.isEmpty else {
            throw Refusal(
                name: "REDIS_HOST", shownValue: text, reason: "is not a host name or an address")
        }
        return endpoint.host
    }

    private func port() throws(Refusal) -> UInt16 {
        guard let text = environment["REDIS_PORT"] else { return 6379 }
        guard let endpoint = HostAndPort(":\(text)"), let port = endpoint.port, port != 0 else {
            throw Refusal(
                name: "REDIS_PORT", shownValue: text, reason: "is not a port from 1 to 65535")
        }
        return port
    }
}
