import Logging
import WSFrame

// The trace that the admin listener switches on and off. It ends by itself, and with who reads it.
extension Relay where S: ~Copyable {
    /// Begins a trace for a connection, which gets its lines or is told that they go to the sink.
    mutating func startTrace(_ request: TraceRequest, for id: SlotID) {
        guard trace == nil else {
            return answer(
                id,
                HTTPResponse(
                    status: 409, text: "a trace is on already; DELETE /debug/trace ends it\n"))
        }
        var lines: LineStream?
        if request.goesToSink {
            do throws(SystemError) {
                if traceSink == nil { traceSink = try options.openTrace() }
            } catch {
                let text = "no trace can be written: \(error.reason)\n"
                return answer(id, HTTPResponse(status: 500, text: text))
            }
            answer(id, HTTPResponse(status: 200, text: "on, to the daemon's own trace\n"))
        } else {
            lines = makeLineStream(request.format)
            reply.removeAll(keepingCapacity: true)
            admin.connections[id].machine.beginStream(
                until: loop.now + request.span, reply: &reply)
            loop.queue(reply, on: &admin.connections[id].socket)
        }
        let order = AdminTraceOrder(request: request, lines: lines)
        follow(order)
        admin.trace?.reader = lines == nil ? nil : id
        tellLoops(.adminTrace(order))
        log.redis.info(
            "trace switched on",
            metadata: [
                "format": "\(request.format.rawValue)", "by": "admin listener",
                "channel": "\(request.channel ?? "*")",
                "for_ms": .stringConvertible(request.span.milliseconds),
            ])
    }

    /// The lines of all loops on their way to the reader, whom the first loop has.
    private func makeLineStream(_ format: TraceOptions.Format) -> LineStream {
        let unixTime = options.unixTime
        let place = place
        return LineStream(
            note: { TraceFormatter.line(dropped: $0, at: unixTime(), format: format) },
            wake: { if !place.isAlone { place.share.post(.traceLines, to: place.index) } })
    }

    /// Traces in this loop what was ordered, until the time is over.
    mutating func follow(_ order: AdminTraceOrder) {
        if order.lines == nil, traceSink == nil {
            // The first loop has opened it, and the log tells where that cannot be.
            do throws(SystemError) { traceSink = try options.openTrace() } catch { return }
        }
        let end = loop.now + order.request.span
        admin.trace = AdminTrace(order: order, end: end)
        beginTrace(order.request.options(from: options.trace))
        loop.arm(traceTimer, at: end)
    }

    /// The signal: ends whatever trace is on, or begins the configured one.
    mutating func toggleTrace() {
        guard admin.trace == nil else { return endAdminTrace() }
        switchTrace(on: trace == nil)
        tellLoops(.trace(isOn: trace != nil))
    }

    /// Ends whatever trace is on.
    mutating func stopTrace(for id: SlotID) {
        let wasOn = trace != nil
        if admin.trace != nil {
            endAdminTrace()
        } else if wasOn {
            switchTrace(on: false)
            tellLoops(.trace(isOn: false))
        }
        answer(id, HTTPResponse(status: 200, text: wasOn ? "off\n" : "off already\n"))
    }

    /// Whether the trace is on, as JSON.
    func traceState() -> HTTPResponse {
        var json = JSONText()
        json.open("{")
        json.member("on", trace != nil)
        if let run = admin.trace {
            json.member("channel", run.order.request.channel)
            json.member("link", run.order.request.link)
            json.member("format", run.order.request.format.rawValue)
            json.member("to", run.order.lines == nil ? "sink" : "here")
            json.member("remaining_ms", max(0, (run.end - loop.now).milliseconds))
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
        guard run.end <= loop.now else { return loop.arm(traceTimer, at: run.end) }
        endAdminTrace()
    }

    /// Ends the trace that was asked for here, in all loops; who reads it gets its last lines first.
    mutating func endAdminTrace() {
        writeTrace()
        let ended = admin.trace
        if place.isFirst { admin.formerDroppedLines = admin.droppedLines }
        admin.trace = nil
        trace = nil
        guard place.isFirst else { return }
        tellLoops(.adminTrace(nil))
        log.redis.info("trace switched off")
        guard let id = ended?.reader, let lines = ended?.order.lines,
            admin.connections.contains(id)
        else { return }
        reply.removeAll(keepingCapacity: true)
        admin.connections[id].machine.stream(lines.takeAll(), reply: &reply)
        admin.connections[id].machine.endStream(now: loop.now, reply: &reply)
        loop.queue(reply, on: &admin.connections[id].socket)
    }

    /// Passes the lines on that wait for who reads the trace, once all before them are sent.
    mutating func passTraceOn() {
        guard let id = admin.trace?.reader, let waiting = admin.trace?.order.lines,
            admin.connections.contains(id), admin.connections[id].socket.output.isEmpty
        else { return }
        let lines = waiting.takeAll()
        guard !lines.isEmpty else { return }
        reply.removeAll(keepingCapacity: true)
        admin.connections[id].machine.stream(lines, reply: &reply)
        loop.queue(reply, on: &admin.connections[id].socket)
        // The turn's writes are over, and the next turn may be far away.
        flushAdmin(id)
    }
}
