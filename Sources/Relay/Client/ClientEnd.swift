/// Why a browser's connection ended.
enum ClientEnd: Equatable, Sendable {
    /// An HTTP request was answered with this status.
    case answered(status: Int)
    /// The peer's bytes were not HTTP as it must be: the status of the answer and the reason.
    case badRequest(status: Int, reason: String)
    /// The request was not complete in time.
    case requestTimeout
    /// The client closed, with this code.
    case closedByClient(code: UInt16)
    /// The TCP connection ended without a close frame.
    case vanished
    /// No `init` or `pong` came for the pong time-out.
    case pongTimeout
    /// The client's bytes broke the protocol or a limit: the close code and the reason.
    case protocolError(code: UInt16, reason: String)
    /// The client did not take its bytes in time, or too many of them waited.
    case slow(queuedBytes: Int)
    /// The memory budget was used up and the most bytes waited for this client.
    case memoryBudget(queuedBytes: Int)
    /// Writing failed.
    case writeError(SystemError)
    /// The daemon shuts down.
    case shutdown
    /// Redis was given up.
    case redisGivenUp

    /// The reason in the close frame.
    var closeReason: String {
        switch self {
        case .pongTimeout: "pong timeout"
        case .shutdown: "shutting down"
        case .redisGivenUp: "redis unavailable"
        case .protocolError(_, let reason): reason
        default: ""
        }
    }

    /// A short name for logs and metrics.
    var reason: String {
        switch self {
        case .answered: "answered"
        case .badRequest: "bad_request"
        case .requestTimeout: "request_timeout"
        case .closedByClient: "client_closed"
        case .vanished: "client_vanished"
        case .pongTimeout: "pong_timeout"
        case .protocolError: "protocol_error"
        case .slow: "slow_client"
        case .memoryBudget: "memory_budget"
        case .writeError: "write_error"
        case .shutdown: "shutdown"
        case .redisGivenUp: "redis_given_up"
        }
    }

    /// Why the messages that still waited are dropped.
    var dropReason: DropReason {
        switch self {
        case .slow: .slowClient
        case .memoryBudget: .memoryBudget
        case .vanished, .writeError: .connectionLost
        case .answered, .badRequest, .requestTimeout, .closedByClient, .pongTimeout,
            .protocolError, .shutdown, .redisGivenUp:
            .closing
        }
    }
}
