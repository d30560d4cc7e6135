import Logging
import WSFrame

// The trace that the admin listener switches on and off. It ends by itself, and with who reads it.
extension Relay where S: ~Copyable {
    /// Begins a trace for a connection, which gets its lines or is told that they go to the sink.
    mutating func startTrace(_ request: TraceRequest, for id: SlotID) {
        guard links.trace == nil else {
            let text =
                "a trace is on already; DELETE /debug/trace, or status2 trace --off, ends it\n"
            return admin.answer(id, HTTPResponse(status: 409, text: text), &context)
        }
        var lines: LineStream?
        if request.goesToSink {
            do throws(SystemError) {
                if links.traceSink == nil { links.traceSink = try context.options.openTrace() }
            } catch {
                let text = "no trace can be written: \(error.reason)\n"
                return admin.answer(id, HTTPResponse(status: 500, text: text), &context)
            }
            let text = "on, to the daemon's own trace\n"
            admin.answer(id, HTTPResponse(status: 200, text: text), &context)
        } else {
            lines = makeLineStream(request.format)
            admin.beginStream(to: id, until: context.loop.now + request.span, &context)
        }
        let order = AdminTraceOrder(request: request, lines: lines)
        follow(order)
        admin.trace?.reader = lines == nil ? nil : id
        context.tellLoops(.adminTrace(order))
        context.log.redis.info(
            "trace switched on",
            metadata: [
                "format": "\(request.format.rawValue)", "by": "admin listener",
                "channel": "\(request.channel ?? "*")",
                "for_ms": .stringConvertible(request.span.milliseconds),
            ])
    }

    /// The lines of all loops on their way to the reader, whom the first loop has.
    private func makeLineStream(_ format: TraceOptions.Format) -> LineStream {
        let unixTime = context.options.unixTime
        let place = place
        return LineStream(
            note: { TraceFormatter.line(dropped: $0, at: unixTime(), format: format) },
            wake: { if !place.isAlone { place.share.post(.traceLines, to: place.index) } })
    }

    /// Traces in this loop what was ordered, until the time is over.
    mutating func follow(_ order: AdminTraceOrder) {
        if order.lines == nil, links.traceSink == nil {
            // The first loop has opened it, and the log tells where that cannot be.
            do throws(SystemError) { links.traceSink = try context.options.openTrace() } catch {
                return
            }
        }
        let end = context.loop.now + order.request.span
        admin.trace = AdminTrace(order: order, end: end)
        links.beginTrace(order.request.options(from: context.options.trace), context)
        context.loop.arm(admin.traceTimer, at: end)
    }

    /// The signal: ends whatever trace is on, or begins the configured one.
    mutating func toggleTrace() {
        guard admin.trace == nil else { return endAdminTrace() }
        switchTrace(on: links.trace == nil)
        context.tellLoops(.trace(isOn: links.trace != nil))
    }

    /// Ends whatever trace is on.
    mutating func stopTrace(for id: SlotID) {
        let wasOn = links.trace != nil
        if admin.trace != nil {
            endAdminTrace()
        } else if wasOn {
            switchTrace(on: false)
            context.tellLoops(.trace(isOn: false))
        }
        let text = wasOn ? "off\n" : "off already\n"
        admin.answer(id, HTTPResponse(status: 200, text: text), &context)
    }

    /// Whether the trace is on, as JSON.
    func traceState() -> HTTPResponse {
        var json = JSONText()
        json.open("{")
        json.member("on", links.trace != nil)
        if let run = admin.trace {
            json.member("channel", run.order.request.channel)
            json.member("link", run.order.request.link)
            json.member("format", run.order.request.format.rawValue)
            json.member("to", run.order.lines == nil ? "sink" : "here")
            json.member("remaining_ms", max(0, (run.end - context.loop.now).milliseconds))
            json.member("dropped_lines", run.order.lines?.dropped)
        }
        json.close("}")
        json.raw("\n")
        return HTTPResponse(
            status: 200, headers: [HTTPHeader("Content-Type", "application/json")],
            body: json.bytes)
    }

    /// The trace's time is over.
    mutating func traceTimerFired() {
        guard let run = admin.trace else { return }
        guard run.end <= context.loop.now else {
            return context.loop.arm(admin.traceTimer, at: run.end)
        }
        endAdminTrace()
    }

    /// Ends the trace that was asked for here, in all loops; who reads it gets its last lines first.
    mutating func endAdminTrace() {
        links.writeTrace(to: admin.trace?.order.lines)
        links.trace = nil
        admin.endTrace(&context)
        guard place.isFirst else { return }
        context.tellLoops(.adminTrace(nil))
        context.log.redis.info("trace switched off")
    }

    /// Passes the lines on that wait for who reads the trace.
    mutating func passTraceOn() { admin.passTraceOn(&context) }

    /// Switches the configured trace on or off.
    mutating func switchTrace(on isOn: Bool) { links.switchTrace(on: isOn, &context) }
}
