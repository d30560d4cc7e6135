import WSFrame

/// The proxies whose `X-Forwarded-For` is believed.
public struct TrustedProxies: Sendable, Equatable {
    /// Entries of `X-Forwarded-For` that are looked at, from the right; what is further left is
    /// passed over.
    static let entryLimit = 32

    private var networks: [AddressNetwork] = []
    /// Whether whoever connects to a Unix socket is trusted.
    private var trustsUnix = false

    /// No proxy: every connection is its own witness.
    public init() {}

    /// Whether there are any.
    var isEmpty: Bool { networks.isEmpty && !trustsUnix }

    /// Whether the peer of a connection is one of them; nil stands for a peer at a Unix socket.
    func contains(_ address: NetworkAddress?) -> Bool {
        guard let address else { return trustsUnix }
        return networks.contains { $0.contains(address) }
    }

    /// The address that a request is believed to come from, where it is another than the peer's.
    ///
    /// It is the right-most entry of `X-Forwarded-For` that is not a trusted proxy; the left-most
    /// that was looked at where all are. An entry that is not an address ends the search: what
    /// stands to the right of it is believed.
    func client(peer: NetworkAddress?, headers: HTTPHeaders) -> NetworkAddress? {
        guard contains(peer) else { return nil }
        var client: NetworkAddress?
        for entry in headers.list("X-Forwarded-For").suffix(Self.entryLimit).reversed() {
            guard let address = NetworkAddress(forwarded: entry) else { break }
            client = address
            if !contains(address) { break }
        }
        return client
    }
}

extension TrustedProxies {
    /// Reads addresses, networks in CIDR notation and the word `unix`, with commas between them.
    init(parsing text: String) throws(InvalidValue) {
        for entry in text.split(separator: ",") {
            let entry = String(entry).trimmingBlanks()
            if entry.isEmpty { continue }
            if entry.lowercased() == "unix" {
                trustsUnix = true
            } else if let network = AddressNetwork(entry) {
                networks.append(network)
            } else {
                throw InvalidValue(
                    "has an entry that is neither an address, a network such as 10.0.0.0/8, nor"
                        + " unix")
            }
        }
        guard !isEmpty || text.isEmpty else { throw InvalidValue("has no entry") }
    }

    /// The first network that holds more addresses than anybody's proxies have: whoever connects from
    /// there gives itself any address it likes.
    var boundless: String? { networks.first(where: \.isBoundless)?.description }

    /// The list as it is configured.
    var configured: String {
        (networks.map(\.description) + (trustsUnix ? ["unix"] : [])).joined(separator: ",")
    }
}
