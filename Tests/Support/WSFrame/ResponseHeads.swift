package import Fuzzing
import WSFrame

/// What holds of ``WebSocketClientHandshake`` for any bytes that a server might answer: no trap,
/// limits kept, and the same for a head in one piece as in two.
package enum ResponseHeads {
    private enum Outcome: Equatable {
        case step(WebSocketClientHandshake.Step)
        case error(HTTPError)
    }

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        let cut = InputBytes.cut(bytes)
        let whole = respond(bytes, cut: bytes.count)
        let split = respond(bytes, cut: cut)
        try PropertyFailure.unless(whole == split, "\(split), cut at \(cut); whole: \(whole)")
        guard case .step(let step) = whole else {
            guard case .error(let error) = whole else { return }
            return try PropertyFailure.unless(!error.reason.isEmpty, "no reason: \(error)")
        }
        switch step.event {
        case .incomplete: try PropertyFailure.unless(step.end == 0, "end of \(step)")
        case .accepted(let subprotocol):
            try PropertyFailure.unless(
                isEnd(step.end, bytes) && (subprotocol ?? "chat") == "chat", "\(step)")
        case .refused(let status, let headers):
            try PropertyFailure.unless(
                isEnd(step.end, bytes) && status <= 999 && status != 101
                    && headers.fields.count <= RequestHeads.limits.maxHeaderCount, "\(step)")
        }
    }

    private static func isEnd(_ end: Int, _ bytes: Span<UInt8>) -> Bool {
        end >= 4 && end <= RequestHeads.limits.maxHeadLength && bytes[end - 1] == 0x0A
            && bytes[end - 2] == 0x0D
    }

    private static func respond(_ bytes: Span<UInt8>, cut: Int) -> Outcome {
        var handshake = WebSocketClientHandshake(
            nonce: (1, 2), subprotocols: ["chat"], limits: RequestHeads.limits)
        var last = Outcome.error(.badUpgradeResponse)
        for count in [cut, bytes.count] {
            do throws(HTTPError) {
                let step = try handshake.next(bytes.extracting(0..<count), from: 0)
                last = .step(step)
                if step.event != .incomplete { return last }
            } catch {
                return .error(error)
            }
        }
        return last
    }
}
