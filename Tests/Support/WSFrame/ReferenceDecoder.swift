package import WSFrame

/// A decoder of frames as plain as can be: all bytes at once, one by one, copying, with the
/// standard library's UTF-8. It is what `WebSocketDecoder` is compared with.
package enum ReferenceDecoder {
    /// Where the reading of a frame stops before the frame's end.
    private enum Stop: Error {
        case end
        case failure(WebSocketError)
    }

    private struct Frame {
        var isFinal = true
        var opcode: UInt8 = 0
        var length: UInt64 = 0
        var mask: [UInt8] = []
    }

    private struct State {
        var bytes: ArraySlice<UInt8>
        var limits: WebSocketLimits
        var transcript = Transcript()
        /// The message under way: its opcode and bytes.
        var message: (opcode: UInt8, bytes: [UInt8])?

        mutating func byte() throws(Stop) -> UInt8 {
            guard let first = bytes.popFirst() else { throw .end }
            return first
        }
    }

    /// Decodes what there is.
    package static func decode(
        _ bytes: [UInt8], role: WebSocketRole, limits: WebSocketLimits
    ) -> Transcript {
        var state = State(bytes: bytes[...], limits: limits)
        do {
            while true {
                let frame = try header(&state, masked: role == .server)
                if try payload(frame, &state) { return state.transcript }
            }
        } catch Stop.failure(let error) {
            state.transcript.error = error
        } catch {}
        return state.transcript
    }

    private static func header(_ state: inout State, masked: Bool) throws(Stop) -> Frame {
        var frame = Frame()
        let first = try state.byte()
        frame.isFinal = first >= 0x80
        frame.opcode = first % 16
        if first / 16 % 8 != 0 { throw .failure(.reservedBits) }
        if ![0, 1, 2, 8, 9, 10].contains(frame.opcode) { throw .failure(.reservedOpcode) }
        if frame.opcode >= 8, !frame.isFinal { throw .failure(.fragmentedControlFrame) }
        if frame.opcode == 0, state.message == nil { throw .failure(.unexpectedContinuation) }
        if [1, 2].contains(frame.opcode), state.message != nil {
            throw .failure(.expectedContinuation)
        }

        let second = try state.byte()
        if second >= 0x80, !masked { throw .failure(.maskedFrame) }
        if second < 0x80, masked { throw .failure(.unmaskedFrame) }
        frame.length = UInt64(second % 128)
        if frame.opcode >= 8, frame.length > 125 { throw .failure(.controlFrameTooLong) }
        let width = frame.length == 126 ? 2 : frame.length == 127 ? 8 : 0
        if width > 0 {
            frame.length = 0
            for index in 0..<width {
                let byte = try state.byte()
                if width == 8, index == 0, byte >= 0x80 { throw .failure(.lengthOverflow) }
                frame.length = frame.length * 256 + UInt64(byte)
            }
            if frame.length <= (width == 2 ? 125 : 65535) { throw .failure(.lengthNotMinimal) }
        }
        if masked {
            for _ in 0..<4 { frame.mask.append(try state.byte()) }
        }
        if frame.opcode < 8 {
            if frame.length > UInt64(state.limits.maxFrameSize) { throw .failure(.frameTooBig) }
            if frame.length + UInt64(state.message?.bytes.count ?? 0)
                > UInt64(state.limits.maxMessageSize)
            {
                throw .failure(.messageTooBig)
            }
        }
        return frame
    }

    /// Reads a frame's payload; true when it closes the connection.
    private static func payload(_ frame: Frame, _ state: inout State) throws(Stop) -> Bool {
        var payload: [UInt8] = []
        while UInt64(payload.count) < frame.length, let byte = state.bytes.popFirst() {
            let key = frame.mask.isEmpty ? 0 : frame.mask[payload.count % 4]
            payload.append(byte ^ key)
        }
        let isWhole = UInt64(payload.count) == frame.length
        switch frame.opcode {
        case 8: return try close(payload, isWhole: isWhole, &state)
        case 9: if isWhole { state.transcript.events.append(.ping(payload)) }
        case 10: if isWhole { state.transcript.events.append(.pong(payload)) }
        default:
            let opcode = state.message?.opcode ?? frame.opcode
            let message = (state.message?.bytes ?? []) + payload
            let isEnd = isWhole && frame.isFinal
            if opcode == 1, isEnd ? !isUTF8(message) : !beginsUTF8(message) {
                throw .failure(.invalidUTF8)
            }
            state.message = isEnd ? nil : (opcode, message)
            if isEnd {
                state.transcript.events.append(opcode == 1 ? .text(message) : .binary(message))
            }
        }
        if !isWhole { throw .end }
        return false
    }

    private static func close(
        _ body: [UInt8], isWhole: Bool, _ state: inout State
    ) throws(Stop) -> Bool {
        if body.count >= 2 {
            let code = Int(body[0]) * 256 + Int(body[1])
            let registered = Array(1000...1003) + Array(1007...1014)
            if !registered.contains(code), !(3000..<5000).contains(code) {
                throw .failure(.invalidCloseCode)
            }
            let reason = Array(body[2...])
            if isWhole ? !isUTF8(reason) : !beginsUTF8(reason) {
                throw .failure(.invalidCloseReason)
            }
            if isWhole { state.transcript.events.append(.close(UInt16(code), reason)) }
        } else if isWhole {
            if body.count == 1 { throw .failure(.closeBodyTooShort) }
            state.transcript.events.append(.close(nil, []))
        }
        if !isWhole { throw .end }
        return true
    }

    /// Whether the bytes are well-formed UTF-8, in the standard library's view.
    package static func isUTF8(_ bytes: [UInt8]) -> Bool {
        String(validating: bytes, as: UTF8.self) != nil
    }

    /// Whether bytes can follow that make the whole well-formed UTF-8.
    package static func beginsUTF8(_ bytes: [UInt8]) -> Bool {
        // After each lead byte one of 80 and BF is allowed; after that all continuation bytes are.
        let endings: [[UInt8]] = [
            [], [0x80], [0xBF], [0x80, 0x80], [0xBF, 0x80], [0x80, 0x80, 0x80], [0xBF, 0x80, 0x80],
        ]
        return endings.contains { isUTF8(bytes + $0) }
    }
}
