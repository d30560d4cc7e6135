import RESP

/// Reads captured RESP and writes one line of JSON for each value.
///
/// The capture is the bytes of one direction of a connection, or a trace of the daemon in hex or
/// JSON form; its first bytes tell which. The lines are those of `RESPJSON`.
public struct CaptureDecoder: Sendable {
    /// How a capture ends.
    public enum Outcome: Sendable, Equatable {
        /// Behind the last value.
        case complete
        /// It is malformed from a byte on; the text begins with `error at byte`.
        case malformed(String)
        /// Inside a value; the number of bytes that there were.
        case incomplete(at: UInt64)
    }

    private enum Form {
        case undecided, wire, hexTrace, jsonTrace, textTrace
    }

    /// The longest line of a trace, in bytes.
    private static let lineLimit = 256 << 20

    private var form = Form.undecided
    private var session = RESPDecodeSession()
    /// The start of the capture, or of a line, that is not whole.
    private var pending: [UInt8] = []
    /// The offset of `pending` in the capture.
    private var offset: UInt64 = 0
    private var failure: String?
    private var skipped: UInt64 = 0
    private var dropped: UInt64 = 0

    /// Makes a decoder at the start of a capture.
    public init() {}

    /// What a trace says that it lacks, for people; nil where it lacks nothing.
    public var remark: String? {
        guard skipped > 0 || dropped > 0 else { return nil }
        return "the trace lacks \(dropped) lines that were dropped and \(skipped) bytes"
    }

    /// Takes the next bytes and appends the lines of the values that end in them.
    ///
    /// - Returns: false when the capture is malformed, so that more of it changes nothing.
    @discardableResult
    public mutating func feed(_ bytes: [UInt8], lines: inout [UInt8]) -> Bool {
        guard failure == nil else { return false }
        if form == .wire { return session.feed(bytes, lines: &lines) }
        pending += bytes
        if form == .undecided { form = Self.form(of: pending[...]) }
        switch form {
        case .undecided: return true
        case .wire: return session.feed(take(&pending), lines: &lines)
        case .textTrace:
            fail("a trace in text form cannot be decoded, one in hex or json form can")
        case .hexTrace, .jsonTrace: feedTrace(searchFrom: pending.count - bytes.count, &lines)
        }
        return failure == nil
    }

    /// How the capture ends, when all of its bytes have been taken.
    public mutating func finish(lines: inout [UInt8]) -> Outcome {
        if form == .undecided {
            form = .wire
            session.feed(take(&pending), lines: &lines)
        }
        if form == .wire {
            switch session.outcome {
            case .complete: return .complete
            case .malformed(let error): return .malformed("\(error)")
            case .incomplete(let count): return .incomplete(at: count)
            }
        }
        if let failure { return .malformed(failure) }
        return pending.isEmpty ? .complete : .incomplete(at: offset + UInt64(pending.count))
    }

    /// What the first bytes of a capture tell; no type of RESP has the first byte of a trace.
    private static func form(of start: ArraySlice<UInt8>) -> Form {
        func agrees(_ text: String) -> Bool { zip(start, text.utf8).allSatisfy { $0 == $1 } }
        func isWhole(_ count: Int) -> Bool { start.count >= count }
        if agrees(#"{"time":""#) { return isWhole(9) ? .jsonTrace : .undecided }
        if agrees(TraceForm.hexMark) { return isWhole(4) ? .hexTrace : .undecided }
        if TraceForm.timeAgrees(start) {
            return isWhole(TraceForm.timeLength) ? .textTrace : .undecided
        }
        return .wire
    }

    private mutating func fail(_ reason: String) {
        failure = "error at byte \(offset): \(reason)"
    }

    private mutating func feedTrace(searchFrom: Int, _ lines: inout [UInt8]) {
        var start = 0
        var search = searchFrom
        while failure == nil, let end = pending[search...].firstIndex(of: UInt8(ascii: "\n")) {
            decode(start..<end, &lines)
            offset += UInt64(end + 1 - start)
            start = end + 1
            search = start
        }
        pending.removeFirst(start)
        if failure == nil, pending.count > Self.lineLimit { fail("line over the limit") }
    }

    private mutating func decode(_ range: Range<Int>, _ lines: inout [UInt8]) {
        let record = TraceLineReader.read(pending[range], isJSON: form == .jsonTrace)
        switch record {
        case nil: fail("not a line of a trace")
        case .raw: fail("bytes that are not RESP")
        case .skipped(let count): skipped &+= count
        case .dropped(let count): dropped &+= count
        case .json(let value):
            lines += pending[value]
            lines.append(UInt8(ascii: "\n"))
        case .wire(let bytes): decode(wire: bytes, &lines)
        }
    }

    /// Decodes the one value that a line of a trace in hex form holds.
    private mutating func decode(wire bytes: [UInt8], _ lines: inout [UInt8]) {
        var parser = RESPParser(separatesAttributes: true)
        do throws(RESPError) {
            let step = try parser.next(bytes.span, from: 0)
            guard let value = step.value, step.end == bytes.count else {
                fail("a line that is not one value")
                return
            }
            RESPJSON.append(value, to: &lines)
            lines.append(UInt8(ascii: "\n"))
        } catch {
            fail("\(error.reason)")
        }
    }
}
