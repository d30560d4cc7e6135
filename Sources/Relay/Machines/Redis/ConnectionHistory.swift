import DequeModule

/// What earlier connections have taught about the servers: of the whole process, and bounded.
struct ConnectionHistory {
    /// How an address has behaved.
    enum Conduct: Equatable, Sendable {
        /// A Sentinel has named a master there, or Redis has taken a subscription.
        case answered
        /// A connection was made there, and then nothing was answered.
        case silent
    }

    /// What became of an address of a host.
    struct Experience: Equatable, Sendable {
        /// The host as it was looked up, with its port.
        let host: String
        let address: SocketAddress
        let conduct: Conduct
    }

    /// What is known of how a server takes `HELLO`.
    enum Hello: Equatable, Sendable {
        case unknown
        /// It answers, with whatever.
        case answered
        /// It closes the connection, behind a refusal or without one, and speaks RESP2 where it is not
        /// asked.
        case closesConnection
    }

    private struct Host {
        var answered: SocketAddress?
        var silent: SocketAddress?
    }

    private struct Knowledge {
        let hello: Hello
        let end: Instant
    }

    /// Hosts, and servers, that are remembered; the oldest is forgotten for one more.
    static let limit = 64
    /// How long it is remembered how a server takes `HELLO`: another may be put in its place.
    static let helloSpan = Nanoseconds.seconds(600)

    private var hosts: [String: Host] = [:]
    private var hostOrder = Deque<String>()
    private var hellos: [SocketAddress: Knowledge] = [:]
    private var helloOrder = Deque<SocketAddress>()

    /// Notes what became of an address.
    mutating func note(_ experience: Experience) {
        if hosts[experience.host] == nil {
            if hosts.count == Self.limit { hosts[hostOrder.removeFirst()] = nil }
            hostOrder.append(experience.host)
        }
        var host = hosts[experience.host] ?? Host()
        switch experience.conduct {
        case .answered:
            host.answered = experience.address
            if host.silent == experience.address { host.silent = nil }
        case .silent:
            host.silent = experience.address
            if host.answered == experience.address { host.answered = nil }
        }
        hosts[experience.host] = host
    }

    /// The order in which the addresses of a host are dialed: the one that answered last comes first.
    func order(_ addresses: [SocketAddress], of host: String) -> [SocketAddress] {
        AddressRace.order(
            addresses, first: hosts[host]?.answered, last: hosts[host]?.silent)
    }

    /// Notes how a server takes `HELLO`.
    mutating func note(_ hello: Hello, of server: SocketAddress, now: Instant) {
        guard hello != .unknown, self.hello(of: server, now: now) != hello else { return }
        if hellos[server] == nil {
            if hellos.count == Self.limit { hellos[helloOrder.removeFirst()] = nil }
            helloOrder.append(server)
        }
        hellos[server] = Knowledge(hello: hello, end: now + Self.helloSpan)
    }

    /// How a server takes `HELLO`, as far as it has shown in the last ten minutes.
    func hello(of server: SocketAddress, now: Instant) -> Hello {
        guard let known = hellos[server], now < known.end else { return .unknown }
        return known.hello
    }
}
