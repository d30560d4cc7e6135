/// Why a browser's connection ended.
enum ClientEnd: Equatable, Sendable {
    /// An HTTP request was answered with this status.
    case answered(status: Int)
    /// The peer's bytes were not HTTP as it must be.
    indirect case badRequest(BadRequest)
    /// The request was not complete in time; what is known of it, where its line had come. It was
    /// answered, unless not a byte of it had come.
    indirect case requestTimeout(RefusedRequest?, isAnswered: Bool)
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
    /// The client sent more messages than it may.
    case messageRate
    /// There was no room, and the connection, which is no WebSocket, was the oldest.
    case gaveWay
    /// The daemon shuts down.
    case shutdown
    /// The daemon shuts down, and the client is asked to come back after a wait.
    case restart(retryMilliseconds: Int64)
    /// Redis was given up.
    case redisGivenUp

    /// The reason in the close frame.
    var closeReason: String {
        switch self {
        case .pongTimeout: "pong timeout"
        case .messageRate: "message rate"
        case .shutdown: "shutting down"
        case .restart(let wait): "retry_ms=\(wait)"
        case .redisGivenUp: "redis unavailable"
        case .protocolError(_, let reason): reason
        default: ""
        }
    }

    /// A short name for logs and metrics.
    var reason: String {
        switch self {
        case .answered: "answered"
        case .badRequest(let bad): bad.reason
        case .requestTimeout: "request_timeout"
        case .closedByClient: "client_closed"
        case .vanished: "client_vanished"
        case .pongTimeout: "pong_timeout"
        case .protocolError: "protocol_error"
        case .slow: "slow_client"
        case .memoryBudget: "memory_budget"
        case .writeError: "write_error"
        case .messageRate: "message_rate"
        case .gaveWay: "gave_way"
        case .shutdown, .restart: "shutdown"
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
            .protocolError, .messageRate, .gaveWay, .shutdown, .restart, .redisGivenUp:
            .closing
        }
    }
}
