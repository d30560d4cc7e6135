package import Fuzzing
import WSFrame

/// ``CloseHandshake`` follows the table of its documentation, whatever comes in whatever order.
package enum CloseScripts {
    private enum Input: CaseIterable { case close, fail, received, transportEnded, timedOut }

    /// Checks one input: the role, then an input of the handshake a byte.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        var script = ByteScript(bytes)
        let role: WebSocketRole = script.byte() & 1 == 0 ? .server : .client
        var handshake = CloseHandshake(role: role)
        var received: UInt16?
        while !script.isAtEnd {
            let input = Input.allCases[script.number(below: Input.allCases.count)]
            let code: UInt16? = script.byte() & 1 == 0 ? 1000 + UInt16(script.byte()) : nil
            let error = WebSocketError.allCases[Int(code ?? 0) % WebSocketError.allCases.count]
            let before = handshake.state
            let action =
                switch input {
                case .close: handshake.close(code: code)
                case .fail: handshake.fail(error)
                case .received: handshake.received(code: code)
                case .transportEnded: handshake.transportEnded()
                case .timedOut: handshake.timedOut()
                }
            let row = row(before, input, role, code, error)
            if input == .received, row.action != .none {
                received = code ?? WebSocketCloseCode.noStatus
            }
            let state = handshake.state
            try PropertyFailure.unless(
                action == row.action && state == row.state
                    && handshake.maySend == (state == .open)
                    && handshake.mayReceive == (state == .open)
                    && handshake.isWaiting == (state == .sent || state == .answered)
                    && handshake.isClean == (received != nil)
                    && handshake.code == received ?? WebSocketCloseCode.abnormal
                    && !error.reason.isEmpty && [1002, 1007, 1009].contains(error.closeCode),
                "\(input) in \(before): \(action), \(state)")
        }
    }

    /// The row of the table; anything that is not there changes nothing.
    private static func row(
        _ state: CloseHandshake.State, _ input: Input, _ role: WebSocketRole, _ code: UInt16?,
        _ error: WebSocketError
    ) -> (action: CloseHandshake.Action, state: CloseHandshake.State) {
        switch (state, input, role) {
        case (.open, .close, _): (.send(code: code), .sent)
        case (.open, .fail, _): (.sendAndEnd(code: error.closeCode), .ended)
        case (.open, .received, .server): (.sendAndEnd(code: code), .ended)
        case (.open, .received, .client): (.sendAndWait(code: code), .answered)
        case (.sent, .received, .server): (.end, .ended)
        case (.sent, .received, .client): (.wait, .answered)
        case (.sent, .fail, _), (.answered, .fail, _): (.end, .ended)
        case (.sent, .timedOut, _), (.answered, .timedOut, _): (.end, .ended)
        case (.ended, _, _): (.none, .ended)
        case (_, .transportEnded, _): (.end, .ended)
        default: (.none, state)
        }
    }
}
