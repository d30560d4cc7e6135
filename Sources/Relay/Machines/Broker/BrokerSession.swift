import RESP

/// What the broker knows of one of its clients.
struct BrokerSession {
    /// Most channels that one client may be subscribed to: more than a shared link of the daemon has,
    /// since a process has fewer descriptors.
    static let channelLimit = 1_000_000

    /// The number in `CLIENT ID`.
    let number: Int
    var version = RESPVersion.resp2
    var isAuthenticated: Bool
    var name = ""
    var database = 0
    /// The channels, in the order of their subscription.
    var channels: [[UInt8]] = []
    var parser = CommandParser()

    init(number: Int, isAuthenticated: Bool) {
        self.number = number
        self.isAuthenticated = isAuthenticated
    }

    /// Whether RESP2's rule holds, by which a subscriber may only subscribe, ping and quit.
    var isRestricted: Bool { version == .resp2 && !channels.isEmpty }
}
