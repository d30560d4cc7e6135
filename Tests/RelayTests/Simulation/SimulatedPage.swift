import WSFrame

@testable import Relay
@testable import Simulation

/// A browser's page at the other end of one connection.
final class SimulatedPage {
    private static let mask: UInt32 = 0x1234_5678

    let connection: Connection
    private var received: [UInt8] = []
    private var decoder = WebSocketDecoder(
        role: .client, limits: WebSocketLimits(maxMessageSize: 1 << 24))
    private var decoded = 0
    /// The head of the HTTP response.
    private(set) var head = ""
    /// What followed the head of a response that was no upgrade.
    var body: String { head.isEmpty ? "" : String(decoding: received, as: UTF8.self) }
    /// The text messages so far.
    private(set) var texts: [String] = []
    /// The close frame's code, once it has come; 1005 for none.
    private(set) var closeCode: UInt16?
    /// The reason in the close frame.
    private(set) var closeReason = ""
    private(set) var pongs = 0

    init(_ connection: Connection) { self.connection = connection }

    var status: Int {
        read()
        return Int(head.split(separator: " ").dropFirst().first ?? "") ?? 0
    }

    /// Whether the daemon has closed the TCP connection.
    var isClosed: Bool { connection.isClosed }

    /// The kinds of the text messages so far, such as `ping`, `status:text`.
    var messages: [String] {
        read()
        return texts.map { text in
            switch text {
            case #"{"type":"ping"}"#: "ping"
            case #"{"type":"hangup"}"#: "hangup"
            default:
                text.hasPrefix(#"{"type":"status","data":""#) && text.hasSuffix(#""}"#)
                    ? "status:" + text.dropFirst(25).dropLast(2) : text
            }
        }
    }

    /// The payloads of the status messages so far, as they stand in the JSON.
    var statuses: [String] {
        messages.filter { $0.hasPrefix("status:") }.map { String($0.dropFirst(7)) }
    }

    func send(_ text: String) {
        connection.toDaemon += text.utf8
    }

    func sendUpgrade(_ path: String = "/run:status", headers: [String] = []) {
        let lines =
            [
                "GET \(path) HTTP/1.1", "Host: relay.test", "Upgrade: websocket",
                "Connection: Upgrade", "Sec-WebSocket-Version: 13",
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
            ] + headers
        send(lines.joined(separator: "\r\n") + "\r\n\r\n")
    }

    /// Sends a text message, masked.
    func say(_ text: String) {
        FrameEncoder.appendText(text, mask: Self.mask, to: &connection.toDaemon)
    }

    func sendFrame(_ opcode: WebSocketOpcode, _ payload: [UInt8], isFinal: Bool = true) {
        FrameEncoder.append(
            opcode, payload.span, isFinal: isFinal, mask: Self.mask, to: &connection.toDaemon)
    }

    func sendClose(_ code: UInt16?) {
        FrameEncoder.appendClose(code: code, mask: Self.mask, to: &connection.toDaemon)
    }

    /// Takes what the daemon has sent.
    func read() {
        received += connection.fromDaemon
        connection.fromDaemon = []
        if head.isEmpty {
            guard let end = endOfHead() else { return }
            head = String(decoding: received[..<end], as: UTF8.self)
            received.removeFirst(end)
        }
        guard head.hasPrefix("HTTP/1.1 101") else { return }
        while let step = try? decoder.next(&received, from: decoded, to: received.count) {
            decoded = step.end
            switch step.event {
            case .incomplete: return
            case .text(let payload):
                texts.append(String(decoding: payload.bytes(in: received), as: UTF8.self))
            case .close(let code, let reason):
                closeCode = code ?? 1005
                closeReason = String(decoding: reason.bytes(in: received), as: UTF8.self)
            case .pong: pongs += 1
            case .binary, .ping: break
            }
        }
    }

    private func endOfHead() -> Int? {
        let end = Array("\r\n\r\n".utf8)
        guard received.count >= end.count else { return nil }
        return (0...received.count - end.count)
            .first { received[$0..<$0 + end.count].elementsEqual(end) }
            .map { $0 + end.count }
    }
}
