package import Fuzzing
package import WSFrame

/// What has to hold for any bytes that are taken for a message head.
package enum HTTPProperties {
    /// What a parser made of some bytes.
    package enum Outcome: Sendable, Equatable {
        case incomplete
        case request(HTTPRequest, end: Int)
        case error(HTTPError)
    }

    /// Checks one input of the fuzzer.
    package static func check(_ input: Span<UInt8>) throws(PropertyFailure) {
        try check(InputBytes.array(input))
    }

    /// Checks all properties on one input of the fuzzer.
    package static func check(_ input: [UInt8]) throws(PropertyFailure) {
        let whole = parse(input, steps: [input.count])
        let cuts = WebSocketProperties.cuts(input.count, seed: UInt64(input.count))
        for steps in [Array(0...input.count), cuts + [input.count]] {
            let found = parse(input, steps: steps)
            guard found == whole else { throw .init("split: \(found), whole: \(whole)") }
        }
        if case .request(let request, let end) = whole {
            try checkRequest(request, Array(input[..<end]))
        }
        try checkResponse(input)
        try checkExtensions(input)
    }

    /// An upgrade with the input as its list of extensions is refused exactly where the grammar says
    /// so.
    private static func checkExtensions(_ input: [UInt8]) throws(PropertyFailure) {
        let head = """
            GET / HTTP/1.1\r
            Host: h\r
            Upgrade: websocket\r
            Connection: Upgrade\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Extensions:\u{20}
            """
        let bytes = Array(head.utf8) + input + Array("\r\n\r\n".utf8)
        guard case .request(let request, _) = parse(bytes, steps: [bytes.count]) else { return }
        let values = request.headers.values("Sec-WebSocket-Extensions")
        var isAccepted = false
        switch WebSocketUpgrade(request) {
        case .accept: isAccepted = true
        case .refuse(_, _, let reason) where reason == "bad Sec-WebSocket-Extensions": break
        // Lines of the input's own have spoilt something else.
        case .refuse, .none: return
        }
        guard isAccepted == ReferenceExtensions.areWellFormed(values) else {
            throw .init("extensions: \(values), accepted: \(isAccepted)")
        }
    }

    /// Feeds growing prefixes, each shifted to another offset of its buffer.
    package static func parse(_ bytes: [UInt8], steps: [Int]) -> Outcome {
        var parser = HTTPRequestParser()
        for (index, count) in steps.enumerated() {
            let shift = index % 3
            let buffer = [UInt8](repeating: 0, count: shift) + bytes[..<count]
            do {
                let step = try parser.next(buffer.span, from: shift)
                if case .request(let request) = step.event {
                    return .request(request, end: step.end - shift)
                }
            } catch {
                return .error(error)
            }
        }
        return .incomplete
    }

    /// A request that is written out again is read as the same request, and holds no line ends.
    private static func checkRequest(
        _ request: HTTPRequest, _ head: [UInt8]
    ) throws(PropertyFailure) {
        if request.minorVersion == 0, WebSocketUpgrade(request) != .none {
            throw .init("an upgrade in HTTP/1.0: \(request)")
        }
        guard request.minorVersion == 0 || request.headers["Host"] != nil else {
            throw .init("no Host: \(request)")
        }
        if HTTPRequestParser.isHead(head.span) != (request.method == "HEAD") {
            throw .init("HEAD or not: \(request)")
        }
        guard head.suffix(4) == [13, 10, 13, 10], head.count <= HTTPLimits().maxHeadLength,
            request.headers.fields.count <= HTTPLimits().maxHeaderCount
        else { throw .init("head: \(head)") }
        guard HTTPHeaders(request.headers.fields) == request.headers else {
            throw .init("headers: \(request.headers)")
        }
        var copy = "\(request.method) \(request.target) HTTP/1.\(request.minorVersion)\r\n"
        for field in request.headers.fields {
            let bytes = Array((field.name + field.value).utf8)
            guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F || $0 == 0x09 }) else {
                throw .init("control character in \(field)")
            }
            copy += "\(field.name): \(field.value)\r\n"
        }
        copy += "\r\n"
        let again = parse(Array(copy.utf8), steps: [copy.utf8.count])
        // U+FFFD is longer than what it stands for, so that a limit may be hit the second time.
        if case .error(let error) = again, error.status == 431 { return }
        guard again == .request(request, end: copy.utf8.count) else {
            throw .init("again: \(again), first: \(request)")
        }
    }

    /// The client's handshake says the same of a response at once and byte by byte.
    private static func checkResponse(_ input: [UInt8]) throws(PropertyFailure) {
        let whole = respond(input, steps: [input.count])
        let split = respond(input, steps: Array(0...input.count))
        guard whole == split else { throw .init("response: \(whole), split: \(split)") }
    }

    private static func respond(_ input: [UInt8], steps: [Int]) -> String {
        var handshake = WebSocketClientHandshake(nonce: (1, 2), subprotocols: ["chat"])
        for count in steps {
            do {
                let step = try handshake.next(input.span.extracting(0..<count), from: 0)
                if step.event != .incomplete { return "\(step)" }
            } catch {
                return "\(error)"
            }
        }
        return "incomplete"
    }
}
