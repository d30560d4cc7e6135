/// The closing of a connection (RFC 6455, sections 5.5.1 and 7).
///
/// Either side may send the first close frame; the other one answers with one of its own. Then the
/// server ends the TCP connection, and the client waits for that. Both waits are bounded by a timer
/// of the caller. A TCP half-close, with or without a close frame before it, ends the connection:
/// nothing can come any more.
///
///     state            input           action                next state
///     open             close           send                  sent
///     open             fail            sendAndEnd            ended
///     open             received        server: sendAndEnd    ended
///                                      client: sendAndWait   answered
///     sent             received        server: end           ended
///                                      client: wait          answered
///     sent, answered   fail            end                   ended
///     sent, answered   timedOut        end                   ended
///     all but ended    transportEnded  end                   ended
public struct CloseHandshake: Sendable, Equatable {
    /// How far the handshake is.
    public enum State: UInt8, Sendable {
        /// No close frame has gone either way.
        case open
        /// Ours has gone out; the peer's is awaited.
        case sent
        /// Both have gone; a client waits for the server to end the transport.
        case answered
        /// The transport is to be closed, or is closed.
        case ended
    }

    /// What the caller has to do.
    public enum Action: Sendable, Equatable {
        /// Nothing: the input comes too late to matter.
        case none
        /// Send a close frame with this code, start the timer, and read on.
        case send(code: UInt16?)
        /// Send a close frame with this code, then close the transport.
        case sendAndEnd(code: UInt16?)
        /// Send a close frame with this code, then wait for the peer to end the transport.
        case sendAndWait(code: UInt16?)
        /// Wait for the peer to end the transport; the timer goes on.
        case wait
        /// Close the transport now.
        case end
    }

    /// How far the handshake is.
    public private(set) var state = State.open
    /// The code the connection ended with (section 7.1.5): the peer's, 1005 when its close frame had
    /// none, 1006 as long as no close frame has come.
    public private(set) var code = WebSocketCloseCode.abnormal
    private let role: WebSocketRole

    /// Starts with an open connection; the role is this side's.
    public init(role: WebSocketRole) {
        self.role = role
    }

    /// Whether messages may still be sent; none may follow a close frame.
    public var maySend: Bool { state == .open }

    /// Whether received messages still count; a peer may send some until it has seen our close
    /// frame, but after that or a failure nobody waits for them.
    public var mayReceive: Bool { state == .open }

    /// Whether the caller's timer has to run.
    public var isWaiting: Bool { state == .sent || state == .answered }

    /// Whether both close frames have gone (section 7.1.4, "cleanly").
    public private(set) var isClean = false

    /// Starts the handshake from this side; `code` is nil for an empty body.
    public mutating func close(code: UInt16?) -> Action {
        guard state == .open else { return .none }
        state = .sent
        return .send(code: code)
    }

    /// Fails the connection because of the peer's bytes (section 7.1.7).
    public mutating func fail(_ error: WebSocketError) -> Action {
        switch state {
        case .open:
            state = .ended
            return .sendAndEnd(code: error.closeCode)
        case .sent, .answered:
            state = .ended
            return .end
        case .ended: return .none
        }
    }

    /// Takes the peer's close frame; the answer echoes its code, or is empty as it was.
    public mutating func received(code: UInt16?) -> Action {
        switch state {
        case .open, .sent: break
        case .answered, .ended: return .none
        }
        let isAnswer = state == .sent
        self.code = code ?? WebSocketCloseCode.noStatus
        isClean = true
        switch role {
        case .server:
            state = .ended
            return isAnswer ? .end : .sendAndEnd(code: code)
        case .client:
            state = .answered
            return isAnswer ? .wait : .sendAndWait(code: code)
        }
    }

    /// The peer has ended its side of the TCP connection.
    public mutating func transportEnded() -> Action {
        guard state != .ended else { return .none }
        state = .ended
        return .end
    }

    /// The caller's timer has run out.
    public mutating func timedOut() -> Action {
        guard isWaiting else { return .none }
        state = .ended
        return .end
    }
}
