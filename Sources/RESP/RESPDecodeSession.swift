/// Reads captured bytes of a connection and writes one line of JSON for each value.
///
/// The lines are those of ``RESPJSON``; an attribute before a value is a line of its own.
public struct RESPDecodeSession: Sendable {
    /// How the captured bytes end.
    public enum Outcome: Sendable, Equatable {
        /// Behind the last value.
        case complete
        /// They are not RESP from an offset on.
        case malformed(RESPError)
        /// Inside a value; the number of bytes that there were.
        case incomplete(at: UInt64)
    }

    private var parser: RESPParser
    /// The bytes that the parser has not consumed: a part of a line.
    private var rest: [UInt8] = []
    private var awaitsValue = false
    private var failure: RESPError?
    private var count: UInt64 = 0

    /// Creates a session at the start of a capture.
    public init(limits: RESPLimits = RESPLimits()) {
        parser = RESPParser(limits: limits, separatesAttributes: true)
    }

    /// Takes the next captured bytes and appends the lines of the values that end in them.
    ///
    /// - Returns: false when the capture is malformed, so that more of it changes nothing.
    @discardableResult
    public mutating func feed(_ bytes: [UInt8], lines: inout [UInt8]) -> Bool {
        guard failure == nil else { return false }
        count &+= UInt64(bytes.count)
        let received = rest + bytes
        rest = []
        var start = 0
        do throws(RESPError) {
            while true {
                let step = try parser.next(received.span, from: start)
                start = step.end
                guard let value = step.value else { break }
                RESPJSON.append(value, to: &lines)
                lines.append(UInt8(ascii: "\n"))
                awaitsValue = value.kind == .attribute
            }
        } catch {
            failure = error
            return false
        }
        rest = Array(received[start...])
        return true
    }

    /// How the capture ends, if nothing more of it comes.
    ///
    /// A value is due behind an attribute, so that a capture which ends there is incomplete.
    public var outcome: Outcome {
        if let failure { return .malformed(failure) }
        if parser.isBetweenValues && rest.isEmpty && !awaitsValue { return .complete }
        return .incomplete(at: count)
    }
}
