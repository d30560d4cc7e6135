import Logging

// The trace of the traffic with Redis. While it is off, all that it costs is the test whether it is.
extension LinkShell where S: ~Copyable {
    /// Room that a value takes in the trace beside its payload.
    private static var traceOverhead: Int { 128 * 1024 }

    /// Switches the trace on or off.
    mutating func switchTrace(on isOn: Bool, _ context: inout LoopContext<S>) {
        guard isOn else {
            writeTrace(to: nil)
            trace = nil
            if context.place.isFirst { context.log.redis.info("trace switched off") }
            return
        }
        do throws(SystemError) {
            if traceSink == nil { traceSink = try context.options.openTrace() }
        } catch {
            context.log.redis.error(
                "the trace cannot be switched on", metadata: ["error": "\(error.reason)"])
            return
        }
        beginTrace(context.options.trace, context)
        guard context.place.isFirst else { return }
        context.log.redis.info(
            "trace switched on", metadata: ["format": "\(context.options.trace.format)"])
    }

    /// Traces from now on; where the lines go is known already.
    mutating func beginTrace(_ options: TraceOptions, _ context: borrowing LoopContext<S>) {
        trace = Trace(
            options: options, secrets: RedisAccess(context.settings).secrets,
            valueLimit: context.settings.maxPayloadSize + Self.traceOverhead)
    }

    /// Notes bytes that were read from a link and are not consumed yet.
    mutating func traceReceived(
        _ bytes: ArraySlice<UInt8>, on id: SlotID, _ context: inout LoopContext<S>
    ) {
        takeUp(id)
        trace?.take(bytes, link: entries[id].number, .received, at: context.loop.sys.unixTime())
    }

    /// Notes bytes that are queued to a link.
    mutating func traceSent(
        _ bytes: [UInt8], on id: SlotID, _ context: inout LoopContext<S>
    ) {
        guard !bytes.isEmpty else { return }
        takeUp(id)
        trace?.take(bytes[...], link: entries[id].number, .sent, at: context.loop.sys.unixTime())
    }

    /// Tells the trace where a value starts, if it has lost count and the link knows.
    mutating func alignTrace(of id: SlotID, _ context: inout LoopContext<S>) {
        guard contains(id), trace?.needsAlignment(link: entries[id].number) == true,
            entries[id].socket.isOpen, entries[id].machine.isBetweenValues
        else { return }
        trace?.align(
            link: entries[id].number, unparsed: entries[id].socket.input.bytes,
            at: context.loop.sys.unixTime())
    }

    /// Notes that the connection of a link ends.
    mutating func traceEnd(of id: SlotID, _ context: inout LoopContext<S>) {
        trace?.end(link: entries[id].number, at: context.loop.sys.unixTime())
    }

    /// Writes the lines of the turn, behind everything that the turn has sent.
    ///
    /// They go to who reads them, where there is somebody, else to the sink.
    mutating func writeTrace(to reader: LineStream?) {
        let sink: (any LogSink)? = reader ?? traceSink
        guard let lines = trace?.takeLines(), let sink else { return }
        for line in lines { sink.write(line) }
    }

    /// Makes a link known to the trace, before its first bytes since the trace is on.
    private mutating func takeUp(_ id: SlotID) {
        let number = entries[id].number
        guard trace?.knows(link: number) == false else { return }
        var channel: [UInt8]?
        if case .subscription(let name) = entries[id].machine.purpose { channel = name }
        let isBetweenValues = entries[id].machine.isBetweenValues
        trace?.begin(
            link: number, channel: channel,
            unparsed: isBetweenValues ? entries[id].socket.input.bytes : nil)
    }
}
