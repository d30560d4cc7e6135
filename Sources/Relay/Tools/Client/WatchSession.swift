import WSFrame

/// One WebSocket of `status2 watch`, from the request to its end.
///
/// Pure: bytes in, events and bytes to be sent out.
struct WatchSession {
    /// What the relay has said.
    enum Event: Equatable {
        /// The WebSocket is open.
        case opened
        /// A ping of the relay, which is answered; the number of the newest message, if it has one.
        case ping(id: String?)
        /// A message of the channel, as text and as the frame had it.
        case message(text: String, frame: [UInt8], id: String?)
        /// Another message: its type, and itself.
        case notice(type: String, JSONObject, frame: [UInt8])
        /// The upgrade was refused.
        case refused(status: Int)
        /// The relay closes the connection; 1005 stands for a close without a code.
        case closed(code: UInt16, reason: String)
        /// What came is no WebSocket as it must be.
        case failed(String)
    }

    /// The longest message that is taken; the largest payload of the daemon is 1 GiB, its usual 1 MiB.
    private static let limits = WebSocketLimits(maxMessageSize: 256 << 20)
    private static let initText = Array(#"{"type":"init"}"#.utf8)
    private static let pongText = Array(#"{"type":"pong"}"#.utf8)

    /// What is to be sent.
    private(set) var output: [UInt8] = []
    private var upgrade: WebSocketClientHandshake?
    private var decoder = WebSocketDecoder(role: .client, limits: limits)
    private var input: [UInt8] = []
    private var random: SplitMix64

    /// Begins with the request for an upgrade.
    init(_ target: WatchTarget, resumingAt id: String?, origin: String?, seed: UInt64) {
        random = SplitMix64(seed: seed)
        let upgrade = WebSocketClientHandshake(nonce: (random.next(), random.next()))
        upgrade.appendRequest(
            host: target.authority, path: target.path(resumingAt: id),
            headers: [HTTPHeader("User-Agent", "status2-watch")]
                + (origin.map { [HTTPHeader("Origin", $0)] } ?? []), to: &output)
        self.upgrade = upgrade
    }

    /// Takes what is to be sent.
    mutating func takeOutput() -> [UInt8] { take(&output) }

    /// Closes the WebSocket for good: nothing is to be kept for it.
    mutating func sayGoodBye() {
        FrameEncoder.appendClose(code: WebSocketCloseCode.normal, mask: mask(), to: &output)
    }

    /// Takes what has come; the events in their order. Nothing is to be read after one of an end.
    mutating func receive(_ bytes: [UInt8]) -> [Event] {
        input += bytes
        var events: [Event] = []
        var offset = 0
        if upgrade != nil, let end = readResponse(&events) { offset = end }
        if upgrade == nil { readFrames(&offset, &events) }
        input.removeFirst(min(offset, input.count))
        return events
    }

    private mutating func readResponse(_ events: inout [Event]) -> Int? {
        guard var handshake = upgrade else { return nil }
        // The scanner goes on where it was, so the bytes stay until the head is complete.
        defer { if upgrade != nil { upgrade = handshake } }
        do throws(HTTPError) {
            let step = try handshake.next(input.span, from: 0)
            switch step.event {
            case .incomplete: return nil
            case .refused(let status, _): events.append(.refused(status: status))
            case .accepted:
                upgrade = nil
                events.append(.opened)
                send(.text, Self.initText)
                return step.end
            }
        } catch {
            events.append(.failed(error.reason))
        }
        return nil
    }

    private mutating func readFrames(_ offset: inout Int, _ events: inout [Event]) {
        while true {
            do throws(WebSocketError) {
                let step = try decoder.next(&input, from: offset, to: input.count)
                offset = step.end
                switch step.event {
                case .incomplete: return
                case .text(let payload): read(payload.bytes(in: input), &events)
                case .binary, .pong: continue
                case .ping(let payload): send(.pong, payload.bytes(in: input))
                case .close(let code, let reason):
                    FrameEncoder.appendClose(code: code, mask: mask(), to: &output)
                    events.append(
                        .closed(
                            code: code ?? WebSocketCloseCode.noStatus,
                            reason: String(decoding: reason.bytes(in: input), as: UTF8.self)))
                    return
                }
            } catch {
                events.append(.failed(error.reason))
                return
            }
        }
    }

    private mutating func read(_ frame: [UInt8], _ events: inout [Event]) {
        guard let object = JSONObject(frame), let type = object.strings["type"] else { return }
        switch type {
        case "ping":
            send(.text, Self.pongText)
            events.append(.ping(id: object.strings["id"]))
        case "status":
            events.append(
                .message(
                    text: object.strings["data"] ?? "", frame: frame, id: object.strings["id"]))
        default: events.append(.notice(type: type, object, frame: frame))
        }
    }

    private mutating func send(_ opcode: WebSocketOpcode, _ payload: [UInt8]) {
        FrameEncoder.append(opcode, payload.span, mask: mask(), to: &output)
    }

    /// A client masks each frame with a key of its own (RFC 6455, section 5.3).
    private mutating func mask() -> UInt32 { UInt32(truncatingIfNeeded: random.next()) }
}
