import RESP

/// Writes the lines of a trace; see ``TraceForm``.
struct TraceFormatter: Sendable {
    /// Bytes that are no RESP of which so many are shown.
    private static let rawLimit = 256

    /// What a line begins with.
    struct Head: Sendable {
        /// Nanoseconds since the Unix epoch.
        let time: Int64
        let link: UInt64
        let direction: Trace.Direction
    }

    let format: TraceOptions.Format
    let mask: TraceMask
    let maximumStringBytes: Int

    init(options: TraceOptions, secrets: [Secret]) {
        format = options.format
        mask = TraceMask(secrets: secrets)
        maximumStringBytes =
            options.maximumStringBytes
            ?? (options.format == .text ? TraceOptions.standardStringBytes : .max)
    }

    /// The line of a value, whose bytes on the wire are `wire`.
    func line(_ value: RESPValue, wire: ArraySlice<UInt8>, _ head: Head) -> [UInt8] {
        let masked = mask.masked(value, head.direction)
        var line = start(head)
        switch format {
        case .text:
            RESPText.append(
                masked ?? value, to: &line, maximumStringBytes: maximumStringBytes)
            line.append(UInt8(ascii: "\n"))
        case .json:
            var omitted = 0
            let shown = TraceCut.shorten(masked ?? value, maximumStringBytes, &omitted)
            if omitted > 0 { line += #""omitted":\#(omitted),"#.utf8 }
            line += #""resp":"#.utf8
            RESPJSON.append(shown, to: &line)
            line += "}\n".utf8
        case .hex:
            var omitted = 0
            let shown = TraceCut.shorten(masked ?? value, maximumStringBytes, &omitted)
            if omitted > 0 { line += "omitted=\(omitted) ".utf8 }
            if omitted == 0, masked == nil {
                Self.appendHexadecimal(wire, to: &line)
            } else {
                var encoder = RESPEncoder()
                encoder.append(shown)
                Self.appendHexadecimal(encoder.bytes[...], to: &line)
            }
            line.append(UInt8(ascii: "\n"))
        }
        return line
    }

    /// The lines of bytes that are no RESP; what the daemon itself sends is never shown so.
    func lines(raw bytes: ArraySlice<UInt8>, _ head: Head) -> [[UInt8]] {
        guard head.direction == .received else { return [line(skipped: bytes.count, head)] }
        let masked = mask.masked(Array(bytes))
        let shown = masked.prefix(Self.rawLimit)
        var line = start(head)
        switch format {
        case .text: line += "(not RESP) ".utf8
        case .json: line += #""raw":""#.utf8
        case .hex: line += "raw=".utf8
        }
        Self.appendHexadecimal(shown, to: &line)
        line += (format == .json ? "\"}\n" : "\n").utf8
        let rest = masked.count - shown.count
        return rest > 0 ? [line, self.line(skipped: rest, head)] : [line]
    }

    /// The line that tells of bytes of a link that stand in no line.
    func line(skipped count: Int, _ head: Head) -> [UInt8] {
        let rest =
            switch format {
            case .text: "(\(count) bytes not shown)\n"
            case .json: #""skipped":\#(count)}"# + "\n"
            case .hex: "skipped=\(count)\n"
            }
        return start(head) + rest.utf8
    }

    /// The line that tells of lines that were dropped.
    static func line(
        dropped count: UInt64, at time: Int64, format: TraceOptions.Format
    ) -> [UInt8] {
        let time = Timestamp(nanosecondsSinceEpoch: time)
        return switch format {
        case .text: Array("\(time) (\(count) lines dropped)\n".utf8)
        case .json: Array((#"{"time":"\#(time)","dropped":\#(count)}"# + "\n").utf8)
        case .hex: Array("\(TraceForm.hexMark)\(time) dropped=\(count)\n".utf8)
        }
    }

    private func start(_ head: Head) -> [UInt8] {
        let time = Timestamp(nanosecondsSinceEpoch: head.time)
        let direction = head.direction == .received ? "in" : "out"
        return switch format {
        case .text: Array("\(time) link=\(head.link) \(direction) ".utf8)
        case .json:
            Array(
                #"{"time":"\#(time)","link":\#(head.link),"direction":"\#(direction)","#.utf8)
        case .hex: Array("\(TraceForm.hexMark)\(time) link=\(head.link) \(direction) ".utf8)
        }
    }

    private static func appendHexadecimal(_ bytes: ArraySlice<UInt8>, to line: inout [UInt8]) {
        line.reserveCapacity(line.count + 2 * bytes.count + 3)
        for byte in bytes {
            line.append(digit(byte >> 4))
            line.append(digit(byte & 0x0F))
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + (value - 10)
    }
}

/// Shortens the strings of a value.
enum TraceCut {
    /// The value with at most `maximum` bytes of each string; `omitted` grows by what is left out.
    ///
    /// The parser's limit on depth bounds the recursion. An attribute is left as it is.
    static func shorten(
        _ value: RESPValue, _ maximum: Int, _ omitted: inout Int
    ) -> RESPValue {
        if maximum == .max { return value }
        if value.kind.isAggregate {
            let children = value.children.map { shorten($0, maximum, &omitted) }
            switch value.kind {
            case .array: return .array(children)
            case .set: return .set(children)
            case .push: return .push(children)
            case .map:
                return .map(
                    stride(from: 0, to: children.count - 1, by: 2).map {
                        (children[$0], children[$0 + 1])
                    })
            default: return value
            }
        }
        guard let bytes = value.bytes, bytes.count > maximum else { return value }
        let kept = Array(bytes.prefix(maximum))
        let shortened: RESPValue
        switch value.kind {
        case .bulkString: shortened = .bulkString(kept)
        case .bulkError: shortened = .bulkError(String(decoding: kept, as: UTF8.self))
        case .simpleError: shortened = .simpleError(String(decoding: kept, as: UTF8.self))
        case .simpleString: shortened = .simpleString(String(decoding: kept, as: UTF8.self))
        case .verbatimString:
            shortened = .verbatimString(
                String(decoding: kept, as: UTF8.self), format: value.verbatimFormat ?? "txt")
        default: return value
        }
        omitted += bytes.count - maximum
        return shortened
    }
}
