import Fuzzing
import WSFrame

/// What a decoder made of some bytes, in storage that is used again.
struct FrameRecording: Sendable {
    enum Kind: UInt8, Sendable { case text, binary, ping, pong, close }

    /// An event; its payload is a range of `payloads`.
    struct Event: Equatable, Sendable {
        var kind: Kind
        var code: UInt16?
        var end: Int
    }

    private(set) var events: [Event] = []
    /// The payloads of all events, one behind the other.
    private(set) var payloads: [UInt8] = []
    private(set) var error: WebSocketError?
    private var buffer: [UInt8] = []

    private static let guardByte: UInt8 = 0xA5
    private static let guardCount = 3

    static func isSame(_ left: borrowing FrameRecording, _ right: borrowing FrameRecording) -> Bool
    {
        left.error == right.error && left.events == right.events && left.payloads == right.payloads
    }

    /// Decodes the bytes in two pieces, each between guard bytes that have to survive.
    mutating func decode(
        _ bytes: Span<UInt8>, cut: Int, role: WebSocketRole, limits: WebSocketLimits
    ) throws(PropertyFailure) {
        events.removeAll(keepingCapacity: true)
        payloads.removeAll(keepingCapacity: true)
        error = nil
        var decoder = WebSocketDecoder(role: role, limits: limits)
        for piece in [0..<cut, cut..<bytes.count] {
            buffer.removeAll(keepingCapacity: true)
            appendGuard()
            InputBytes.append(bytes.extracting(piece), to: &buffer)
            appendGuard()
            guard try read(&decoder, limits) else { return }
        }
    }

    private mutating func appendGuard() {
        for _ in 0..<Self.guardCount { buffer.append(Self.guardByte) }
    }

    /// Takes all that the buffer holds; false when the decoder failed.
    private mutating func read(
        _ decoder: inout WebSocketDecoder, _ limits: WebSocketLimits
    ) throws(PropertyFailure) -> Bool {
        var offset = Self.guardCount
        let end = buffer.count - Self.guardCount
        while true {
            let step: WebSocketStep
            do throws(WebSocketError) {
                step = try decoder.next(&buffer, from: offset, to: end)
            } catch {
                self.error = error
                try expectSame(error, &decoder, end)
                return false
            }
            let isGuarded = (0..<Self.guardCount).allSatisfy {
                buffer[$0] == Self.guardByte && buffer[end + $0] == Self.guardByte
            }
            try PropertyFailure.unless(
                step.end >= offset && step.end <= end && isGuarded, "\(step) after \(offset)")
            offset = step.end
            switch step.event {
            case .incomplete:
                try PropertyFailure.unless(offset == end, "bytes left over")
                return true
            case .text(let payload): try add(.text, payload, Int(limits.maxMessageSize))
            case .binary(let payload): try add(.binary, payload, Int(limits.maxMessageSize))
            case .ping(let payload): try add(.ping, payload, 125)
            case .pong(let payload): try add(.pong, payload, 125)
            case .close(let code, let reason): try add(.close, code: code, reason, 123)
            }
        }
    }

    private mutating func expectSame(
        _ error: WebSocketError, _ decoder: inout WebSocketDecoder, _ end: Int
    ) throws(PropertyFailure) {
        do throws(WebSocketError) {
            _ = try decoder.next(&buffer, from: end, to: end)
        } catch let again {
            return try PropertyFailure.unless(again == error, "\(again) after \(error)")
        }
        throw PropertyFailure("read on after \(error)")
    }

    private mutating func add(
        _ kind: Kind, code: UInt16? = nil, _ payload: WebSocketPayload, _ limit: Int
    ) throws(PropertyFailure) {
        try PropertyFailure.unless(payload.count <= limit, "\(kind) of \(payload.count) bytes")
        payload.withSpan(in: buffer) { InputBytes.append($0, to: &payloads) }
        events.append(Event(kind: kind, code: code, end: payloads.count))
    }
}

/// What the first three bytes of an input for the frame harnesses choose.
struct FrameInput {
    let role: WebSocketRole
    let limits: WebSocketLimits
    let seed: Int

    /// Nil for an input that is too short.
    init?(_ input: Span<UInt8>) {
        guard input.count >= 3 else { return nil }
        role = input[0] & 1 == 0 ? .server : .client
        limits =
            input[0] & 2 == 0
            ? WebSocketLimits(maxMessageSize: 1 << 20)
            : WebSocketLimits(maxFrameSize: 200, maxMessageSize: 300)
        seed = Int(input[1]) << 8 | Int(input[2])
    }
}
