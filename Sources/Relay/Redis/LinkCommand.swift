extension RedisLink {
    /// A command whose answer is awaited; answers come in the order of the commands.
    enum Command: UInt8, Sendable {
        case hello, auth, setName, select, role, subscribe, ping, unsubscribe

        var name: String {
            switch self {
            case .hello: "HELLO"
            case .auth: "AUTH"
            case .setName: "CLIENT SETNAME"
            case .select: "SELECT"
            case .role: "ROLE"
            case .subscribe: "SUBSCRIBE"
            case .ping: "PING"
            case .unsubscribe: "UNSUBSCRIBE"
            }
        }
    }
}
