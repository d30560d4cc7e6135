import Logging
import WSFrame

// What is refused: each one is counted, and leaves a warning at a limited rate. A connection on which
// nothing was asked leaves a line for debugging: browsers open some ahead of need.
extension ClientShell where S: ~Copyable {
    /// Counts a connection that is refused or gives way before it has asked for anything.
    mutating func refuseConnection(
        _ reason: String, _ metadata: Logger.Metadata, _ context: inout LoopContext<S>
    ) {
        context.metrics.refusals[reason, default: 0] += 1
        if let suppressed = admit(
            reason, metadata["peer"].map { "\($0)" } ?? "", context)
        {
            Self.tell(
                .warning, "refused for a limit", reason, suppressed, metadata, context)
        }
    }

    /// Answers a request with a refusal.
    mutating func refuse(
        _ id: SlotID, _ request: HTTPRequest, _ refusal: Refusal,
        _ context: inout LoopContext<S>
    ) {
        let status = refusal.response.status
        noteRefusal(
            id, refusal.reason, status: status, detail: refusal.detail, RefusedRequest(request),
            &context)
        respond(refusal.response, to: id, &context)
    }

    /// Counts an end that is a refusal: of a head that cannot be read, or that does not come.
    mutating func noteRefusal(
        _ id: SlotID, _ end: ClientEnd, _ context: inout LoopContext<S>
    ) {
        switch end {
        case .badRequest(let bad):
            noteRefusal(
                id, end.reason, status: bad.error.status, detail: bad.error.reason, bad.request,
                &context)
        case .requestTimeout(let request, let isAnswered):
            noteRefusal(
                id, end.reason, status: isAnswered ? 408 : nil,
                detail: isAnswered ? "the head is not complete" : "nothing was asked", request,
                &context, isAnswered ? .warning : .debug)
        case .messageRate:
            // The line at the end of the WebSocket tells of it.
            context.metrics.refusals[end.reason, default: 0] += 1
        default: break
        }
    }

    private mutating func noteRefusal(
        _ id: SlotID, _ reason: String, status: Int?, detail: String, _ request: RefusedRequest?,
        _ context: inout LoopContext<S>, _ level: Logger.Level = .warning
    ) {
        context.metrics.refusals[reason, default: 0] += 1
        let address = connections[id].address.map { "\($0)" } ?? connections[id].peer
        // The page's origin is what the operator has to know, whichever page it was.
        let subject =
            reason == "origin"
            ? request?.origin ?? "" : "\(address) \(request?.path ?? "") \(detail)"
        guard level >= context.log.server.logLevel, let suppressed = admit(reason, subject, context)
        else { return }
        var metadata = metadata(of: id)
        metadata["error"] = "\(detail)"
        if let status { metadata["status"] = .stringConvertible(status) }
        if let method = request?.method { metadata["method"] = "\(method)" }
        if let path = request?.path { metadata["path"] = "\(path)" }
        if let origin = request?.origin { metadata["origin"] = "\(origin)" }
        if let host = request?.host { metadata["host"] = "\(host)" }
        Self.tell(level, "request refused", reason, suppressed, metadata, context)
    }

    /// How many refusals of the reason have left no line since the last one that did; nil where this
    /// one leaves none either.
    private mutating func admit(
        _ reason: String, _ subject: String, _ context: borrowing LoopContext<S>
    ) -> UInt64? {
        switch refusalLog.admit(reason: reason, subject: subject, at: context.loop.now) {
        case .logged(let suppressed): suppressed
        case .suppressed: nil
        }
    }

    private static func tell(
        _ level: Logger.Level, _ message: Logger.Message, _ reason: String, _ suppressed: UInt64,
        _ metadata: Logger.Metadata, _ context: borrowing LoopContext<S>
    ) {
        var metadata = metadata
        metadata["reason"] = "\(reason)"
        if suppressed > 0 { metadata["suppressed"] = .stringConvertible(suppressed) }
        context.log.server.log(level: level, message, metadata: metadata)
    }
}
