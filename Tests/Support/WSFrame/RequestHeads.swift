package import Fuzzing
import WSFrame

/// What holds of ``HTTPRequestParser`` for any bytes, cheaply: no trap, the end behind the empty line,
/// limits kept, and the same request or error for a head in one piece as in two.
package enum RequestHeads {
    /// Limits small enough that random input reaches each of them.
    static let limits = {
        var limits = HTTPLimits()
        limits.maxLineLength = 300
        limits.maxHeadLength = 700
        limits.maxHeaderCount = 14
        return limits
    }()

    /// What a parser made of some bytes, and what it knew of a request that it did not finish.
    private struct Reading: Equatable {
        var outcome = HTTPProperties.Outcome.incomplete
        var begun: HTTPRequest?
    }

    /// Checks one input.
    package static func check(_ bytes: Span<UInt8>) throws(PropertyFailure) {
        let cut = InputBytes.cut(bytes)
        let whole = try parse(bytes, cut: bytes.count)
        let split = try parse(bytes, cut: cut)
        try PropertyFailure.unless(whole == split, "\(split), cut at \(cut); whole: \(whole)")
        guard case .request(let request, let end) = whole.outcome else {
            // What the log says of bytes that are no request; of any, without a trap.
            _ = ForeignProtocol(bytes)
            _ = HTTPRequestParser.isHead(bytes)
            return
        }
        try PropertyFailure.unless(
            end >= 4 && end <= limits.maxHeadLength && bytes[end - 4] == 0x0D
                && bytes[end - 3] == 0x0A && bytes[end - 2] == 0x0D && bytes[end - 1] == 0x0A
                && request.headers.fields.count <= limits.maxHeaderCount
                && request.target.utf8.count < limits.maxLineLength
                && (request.method == "HEAD") == HTTPRequestParser.isHead(bytes),
            "end \(end) of \(request)")
        try judge(request)
    }

    /// The upgrade is judged without a trap, and what is accepted has a key.
    private static func judge(_ request: HTTPRequest) throws(PropertyFailure) {
        switch WebSocketUpgrade(request) {
        case .none: break
        case .accept(let key, let subprotocols):
            try PropertyFailure.unless(
                key.utf8.count == 28 && request.method == "GET"
                    && subprotocols.allSatisfy { !$0.isEmpty },
                "accepted with \(key): \(request)")
        case .refuse(let status, _, let reason):
            try PropertyFailure.unless(
                [400, 405, 426].contains(status) && !reason.isEmpty, "\(status): \(request)")
        }
    }

    private static func parse(
        _ bytes: Span<UInt8>, cut: Int
    ) throws(PropertyFailure) -> Reading {
        var parser = HTTPRequestParser(limits: limits)
        for count in [cut, bytes.count] {
            do throws(HTTPError) {
                let step = try parser.next(bytes.extracting(0..<count), from: 0)
                if case .request(let request) = step.event {
                    return Reading(outcome: .request(request, end: step.end))
                }
            } catch {
                try PropertyFailure.unless(
                    !error.reason.isEmpty && error.status >= 400 && error.status < 506,
                    "status of \(error)")
                return Reading(outcome: .error(error), begun: parser.begun)
            }
        }
        return Reading(begun: parser.begun)
    }
}
