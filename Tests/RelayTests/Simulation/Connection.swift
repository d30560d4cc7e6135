@testable import Relay
@testable import Simulation

// What a scenario says of the other end of a connection.
extension Connection {
    /// How many bytes of `fromDaemon` the kernel holds before the socket is full.
    var capacity: Int {
        get { sendCapacity }
        set { sendCapacity = newValue }
    }

    /// The peer has reset the connection: the daemon reads what has come, then the error.
    var isReset: Bool {
        get { isFailed }
        set { if newValue { fail(with: .connectionReset) } }
    }
}
