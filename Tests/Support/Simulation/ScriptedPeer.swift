@testable import Relay

/// The other end of a connection, a browser's or Redis's, of which a script says what it does.
final class ScriptedPeer {
    /// The address that the daemon sees.
    let address: SocketAddress
    /// All that the daemon has sent.
    var received: [UInt8] = []
    /// Whether it reads; where it does not, its machine takes ``window`` bytes.
    var isReading = true
    /// Whether it refuses the daemon's dial.
    var isRefusing = false

    private static let window = 1 << 12

    /// A peer at `10.0.0.` and a number.
    init(_ number: Int) {
        guard let address = SocketAddress(numeric: "10.0.0.\(number)", port: 40_000) else {
            preconditionFailure("an address of numbers is none")
        }
        self.address = address
    }

    /// Bytes that its machine still takes.
    var room: Int { isReading ? .max : max(0, Self.window - received.count) }
}

/// The script's Redis: who answers the daemon's dials.
final class ScriptedRedis {
    /// Whether the next dials are refused.
    var isRefusing = false

    func makePeer() -> ScriptedPeer {
        let peer = ScriptedPeer(250)
        peer.isRefusing = isRefusing
        return peer
    }
}
