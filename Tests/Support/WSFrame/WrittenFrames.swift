package import Fuzzing
import Synchronization
import WSFrame

/// What the encoder writes for a message, whole or in two fragments with a ping in between, and for
/// the close frame behind it, is what the decoder of the other role reads.
package enum WrittenFrames {
    private struct Storage: Sendable {
        var wire: [UInt8] = []
        var read = FrameRecording()
    }

    private static let storage = Mutex(Storage())

    /// Checks one input: three bytes as of ``FrameInput``, then the payload.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        guard let choice = FrameInput(input) else { return }
        let payload = input.extracting(3..<input.count)
        let code = UInt16(truncatingIfNeeded: choice.seed)
        let mask: UInt32? =
            choice.role == .server ? UInt32(truncatingIfNeeded: choice.seed &* 0x9E37_79B9) : nil
        try storage.withLock { (storage: inout sending Storage) throws(PropertyFailure) in
            storage.wire.removeAll(keepingCapacity: true)
            var utf8 = UTF8Validator()
            let isText = utf8.append(payload) && utf8.isComplete
            let isCut = input[0] & 4 != 0
            write(payload, isText, isCut ? choice.seed % (payload.count + 1) : nil, mask, &storage)
            let hasCode = WebSocketCloseCode.isValid(code)
            let reason = isText ? String(decoding: InputBytes.array(payload), as: UTF8.self) : ""
            FrameEncoder.appendClose(
                code: hasCode ? code : nil, reason: reason, mask: mask, to: &storage.wire)
            try read(storage.wire, choice, limit: payload.count, into: &storage.read)
            try expect(payload, isText, isCut, hasCode ? code : nil, storage.read)
            try checkMask(payload, mask ?? 0, &storage.wire)
            try checkHeader(length: choice.seed << Int(input[0] >> 3), mask, &storage.wire)
        }
    }

    /// Masking twice changes nothing, and masking once changes each byte by its byte of the key.
    private static func checkMask(
        _ payload: Span<UInt8>, _ key: UInt32, _ wire: inout [UInt8]
    ) throws(PropertyFailure) {
        InputBytes.copy(payload, to: &wire)
        mask(&wire, key)
        let isMasked = wire.indices.allSatisfy { index in
            wire[index] == payload[index] ^ UInt8(truncatingIfNeeded: key >> (24 - index % 4 * 8))
        }
        mask(&wire, key)
        let isSame = wire.indices.allSatisfy { wire[$0] == payload[$0] }
        try PropertyFailure.unless(isMasked && isSame, "masked by \(key)")
    }

    private static func mask(_ bytes: inout [UInt8], _ key: UInt32) {
        var span = bytes.mutableSpan
        FrameEncoder.mask(&span, with: key)
    }

    /// A header of any length reads as it was written.
    private static func checkHeader(
        length: Int, _ mask: UInt32?, _ wire: inout [UInt8]
    ) throws(PropertyFailure) {
        wire.removeAll(keepingCapacity: true)
        FrameEncoder.appendHeader(.binary, isFinal: false, length: length, mask: mask, to: &wire)
        let role = mask == nil ? WebSocketRole.client : .server
        let read = try? FrameHeader.parse(wire.span, from: 0, to: wire.count, role: role)
        try PropertyFailure.unless(
            read?.payloadLength == UInt64(length) && read?.headerLength == wire.count
                && read?.mask == mask && read?.isFinal == false
                && FrameEncoder.headerLength(payloadLength: length, isMasked: mask != nil)
                    == wire.count,
            "header of \(length) bytes: \(read as Any)")
        for end in wire.indices {
            let part = try? FrameHeader.parse(wire.span, from: 0, to: end, role: role)
            try PropertyFailure.unless(part == .some(nil), "header of \(end) bytes: \(part as Any)")
        }
    }

    private static func read(
        _ wire: [UInt8], _ choice: FrameInput, limit: Int, into recording: inout FrameRecording
    ) throws(PropertyFailure) {
        try recording.decode(
            wire.span, cut: choice.seed % (wire.count + 1), role: choice.role,
            limits: WebSocketLimits(maxMessageSize: limit))
    }

    private static func write(
        _ payload: Span<UInt8>, _ isText: Bool, _ cut: Int?, _ mask: UInt32?,
        _ storage: inout Storage
    ) {
        let opcode = isText ? WebSocketOpcode.text : .binary
        guard let cut else {
            let start = storage.wire.count
            if isText, payload.count & 3 == 0 {
                let text = String(decoding: InputBytes.array(payload), as: UTF8.self)
                FrameEncoder.appendText(text, mask: mask, to: &storage.wire)
            } else {
                FrameEncoder.append(opcode, payload, mask: mask, to: &storage.wire)
            }
            let length = FrameEncoder.headerLength(
                payloadLength: payload.count, isMasked: mask != nil)
            precondition(storage.wire.count == start + length + payload.count)
            return
        }
        let first = payload.extracting(0..<cut)
        FrameEncoder.append(opcode, first, isFinal: false, mask: mask, to: &storage.wire)
        let ping = payload.extracting(0..<min(payload.count, 125))
        FrameEncoder.append(.ping, ping, mask: mask, to: &storage.wire)
        let rest = payload.extracting(cut..<payload.count)
        FrameEncoder.append(.continuation, rest, mask: mask, to: &storage.wire)
    }

    private static func expect(
        _ payload: Span<UInt8>, _ isText: Bool, _ isCut: Bool, _ code: UInt16?,
        _ read: borrowing FrameRecording
    ) throws(PropertyFailure) {
        let ping = isCut ? min(payload.count, 125) : 0
        let message = FrameRecording.Event(
            kind: isText ? .text : .binary, end: ping + payload.count)
        let events = read.events
        let isExpected =
            read.error == nil && events.count == (isCut ? 3 : 2)
            && (!isCut || events[0] == FrameRecording.Event(kind: .ping, end: ping))
            && events[isCut ? 1 : 0] == message
            && events[events.count - 1].kind == .close
            && events[events.count - 1].code == code
        try PropertyFailure.unless(isExpected, "not as it was written: \(copy read)")
        let reason = read.payloads.count - ping - payload.count
        try PropertyFailure.unless(
            isSame(read.payloads, from: 0, payload, count: ping)
                && isSame(read.payloads, from: ping, payload, count: payload.count)
                && isSame(read.payloads, from: ping + payload.count, payload, count: reason)
                && (code == nil ? reason == 0 : reason <= 123),
            "another payload: \(copy read)")
    }

    private static func isSame(
        _ read: [UInt8], from start: Int, _ payload: Span<UInt8>, count: Int
    ) -> Bool {
        guard count <= payload.count, start + count <= read.count else { return false }
        return (0..<count).allSatisfy { read[start + $0] == payload[$0] }
    }
}
