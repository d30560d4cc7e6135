package import Fuzzing
import WSFrame

/// Heads that are written are read as they were meant, whatever is put into them: the input is a
/// script of what to write.
package enum WrittenHeads {
    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        var script = ByteScript(bytes)
        switch script.number(below: 3) {
        case 0: try checkResponse(&script)
        case 1: try checkRequest(&script)
        default: try checkConversation(&script)
        }
    }

    private static func text(_ script: inout ByteScript) -> String {
        String(decoding: script.text(limit: 40), as: UTF8.self)
    }

    /// A response reads as its status and headers; no value writes a line of its own.
    private static func checkResponse(_ script: inout ByteScript) throws(PropertyFailure) {
        let statuses = [200, 400, 403, 404, 405, 408, 414, 426, 429, 431, 500, 501, 503, 505, 299]
        let status = statuses[script.number(below: statuses.count)]
        let headers = (0..<script.number(below: 3)).map { HTTPHeader("X-\($0)", text(&script)) }
        let body = Array(script.text())
        let isText = script.byte() & 1 == 0
        let response =
            isText
            ? HTTPResponse(
                status: status, headers: headers, text: String(decoding: body, as: UTF8.self))
            : HTTPResponse(status: status, headers: headers, body: body)
        var output: [UInt8] = []
        response.append(to: &output, includesBody: script.byte() & 1 == 0)
        var handshake = WebSocketClientHandshake(nonce: (1, 2))
        guard let step = try? handshake.next(output.span, from: 0),
            case .refused(let read, let fields) = step.event
        else { throw PropertyFailure("no response: \(output)") }
        let rest = output.count - step.end
        try PropertyFailure.unless(
            read == status && fields.fields.count == response.headers.count + 2
                && fields["Content-Length"] == String(response.body.count)
                && fields["Connection"] == "close" && (rest == 0 || rest == response.body.count)
                && zip(response.headers, fields.fields).allSatisfy { isWritten($0.0, as: $0.1) },
            "\(fields), written: \(response)")
    }

    /// A request reads as its path, with what has to be encoded encoded.
    private static func checkRequest(_ script: inout ByteScript) throws(PropertyFailure) {
        let scalars = text(&script).unicodeScalars.filter { $0 != "#" && $0 != "?" }
        let path = "/" + String(String.UnicodeScalarView(scalars))
        let header = HTTPHeader("X-Any", text(&script))
        let handshake = WebSocketClientHandshake(
            nonce: (UInt64(script.word()), 2),
            subprotocols: script.byte() & 1 == 0 ? [] : ["a", "b"])
        var output: [UInt8] = []
        handshake.appendRequest(host: "h.test:80", path: path, headers: [header], to: &output)
        var parser = HTTPRequestParser()
        guard let step = try? parser.next(output.span, from: 0),
            case .request(let request) = step.event
        else { throw PropertyFailure("no request: \(output)") }
        try PropertyFailure.unless(
            step.end == output.count && request.host == "h.test:80" && request.query == nil
                && unescaped(request.path) == unescaped(path)
                && request.headers["X-Any"].map { isWritten(header, as: .init("X-Any", $0)) }
                    == true,
            "\(request) for \(path)")
        guard case .accept = WebSocketUpgrade(request) else {
            throw PropertyFailure("no upgrade: \(request)")
        }
    }

    /// A server's acceptance of a client's request is taken by that client, and by no other.
    private static func checkConversation(_ script: inout ByteScript) throws(PropertyFailure) {
        let nonce = UInt64(script.word())
        let offered = ["chat", "status"].filter { _ in script.byte() & 1 == 0 }
        var client = WebSocketClientHandshake(nonce: (nonce, 1), subprotocols: offered)
        var wire: [UInt8] = []
        client.appendRequest(host: "h", path: "/", to: &wire)
        var parser = HTTPRequestParser()
        guard let step = try? parser.next(wire.span, from: 0),
            case .request(let request) = step.event,
            case .accept(let key, let subprotocols) = WebSocketUpgrade(request),
            subprotocols == offered
        else { throw PropertyFailure("not accepted: \(wire)") }
        var answer: [UInt8] = []
        let chosen = script.byte() & 1 == 0 ? subprotocols.last : nil
        WebSocketUpgrade.appendAcceptance(acceptKey: key, subprotocol: chosen, to: &answer)
        let read = try? client.next(answer.span, from: 0)
        try PropertyFailure.unless(
            read?.event == .accepted(subprotocol: chosen) && read?.end == answer.count,
            "\(read as Any)")
        var other = WebSocketClientHandshake(nonce: (nonce &+ 1, 1), subprotocols: offered)
        let misread = try? other.next(answer.span, from: 0)
        try PropertyFailure.unless(misread == nil, "taken by another: \(misread as Any)")

        var unasked: [UInt8] = []
        WebSocketUpgrade.appendAcceptance(acceptKey: key, subprotocol: "other", to: &unasked)
        var same = WebSocketClientHandshake(nonce: (nonce, 1), subprotocols: offered)
        let taken = try? same.next(unasked.span, from: 0)
        try PropertyFailure.unless(taken == nil, "a subprotocol that nobody offered is taken")
    }

    /// Whether a header reads as it was written, but for control characters and white space.
    private static func isWritten(_ header: HTTPHeader, as read: HTTPHeader) -> Bool {
        func visible(_ text: String) -> [UInt8] { text.utf8.filter { $0 > 0x20 && $0 != 0x7F } }
        return header.name == read.name && visible(header.value) == visible(read.value)
    }

    /// The bytes that a percent-encoded text stands for.
    private static func unescaped(_ text: String) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            if byte == UInt8(ascii: "%"), rest.count >= 2, let value = UInt8(digits, radix: 16) {
                bytes.append(value)
                rest = rest.dropFirst(2)
            } else {
                bytes.append(byte)
            }
        }
        return bytes
    }
}
