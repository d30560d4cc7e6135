import RESP
@testable import Relay
import Testing

/// Captured RESP, and traces, as lines of JSON.
@Suite struct CaptureDecoderTests {
    static let time = "2026-11-23T08:45:34.123456Z"

    /// The lines and the outcome, however the capture is cut.
    static func decode(
        _ capture: String
    ) -> (lines: [String], outcome: CaptureDecoder.Outcome, remark: String?) {
        let bytes = Array(capture.utf8)
        var results: [([String], CaptureDecoder.Outcome, String?)] = []
        for size in [max(1, bytes.count), 1, 7] {
            var decoder = CaptureDecoder()
            var lines: [UInt8] = []
            for start in stride(from: 0, to: bytes.count, by: size) {
                decoder.feed(Array(bytes[start..<min(start + size, bytes.count)]), lines: &lines)
            }
            let outcome = decoder.finish(lines: &lines)
            let text = String(decoding: lines, as: UTF8.self)
            results.append((text.split(separator: "\n").map(String.init), outcome, decoder.remark))
        }
        #expect(results.allSatisfy { $0 == results[0] })
        return results[0]
    }

    static let one = #"{"type":"number","value":1}"#

    @Test(
        "bytes of a connection",
        arguments: [
            ("", [], .complete), (":1\r\n", [one], .complete),
            (":1\r\n$5\r\nab", [one], .incomplete(at: 10)),
            (":1\r\nx", [one], .malformed("error at byte 4: unknown type")),
            ("hello", [], .malformed("error at byte 0: unknown type")),
            ("he", [], .malformed("error at byte 0: unknown type")),
            ("20", [], .malformed("error at byte 0: unknown type")),
        ] as [(String, [String], CaptureDecoder.Outcome)])
    func wire(_ capture: String, _ lines: [String], _ outcome: CaptureDecoder.Outcome) {
        let result = Self.decode(capture)
        #expect(result.lines == lines)
        #expect(result.outcome == outcome)
    }

    @Test(
        "lines of a trace",
        arguments: [
            ("hex \(time) link=1 in 3a310d0a\n", [one], .complete),
            ("hex \(time) link=1 out omitted=3 3A310D0A\n", [one], .complete),
            ("hex \(time) link=1 in 3a310d0a", [], .incomplete(at: 50)),
            (
                "hex \(time) link=1 in 3a310d0a\nhex \(time) link=1 in 3a310d\n", [one],
                .malformed("error at byte 51: a line that is not one value")
            ),
            (
                "hex \(time) link=1 in 3a310d0a3a\n", [],
                .malformed("error at byte 0: a line that is not one value")
            ),
            ("hex \(time) link=1 in ff\n", [], .malformed("error at byte 0: unknown type")),
            (
                "hex \(time) link=1 in raw=ff\n", [],
                .malformed("error at byte 0: bytes that are not RESP")
            ),
            ("hex nonsense\n", [], .malformed("error at byte 0: not a line of a trace")),
            (
                #"{"time":"\#(time)","link":1,"direction":"in","resp":\#(one)}"# + "\n", [one],
                .complete
            ),
            (
                #"{"time":"\#(time)","link":1,"direction":"in","omitted":1,"resp":\#(one)}"# + "\n",
                [one], .complete
            ),
            (
                #"{"time":"\#(time)","link":1,"direction":"in","resp":\#(one)}}"# + "\n", [],
                .malformed("error at byte 0: not a line of a trace")
            ),
            (
                #"{"time":"\#(time)","link":1,"direction":"in","resp":{"type":"a]}}"# + "\n", [],
                .malformed("error at byte 0: not a line of a trace")
            ),
            (
                #"{"time":"\#(time)","link":1,"direction":"in","raw":"ff"}"# + "\n", [],
                .malformed("error at byte 0: bytes that are not RESP")
            ),
            (
                "\(time) link=1 in OK\n", [],
                .malformed(
                    "error at byte 0: a trace in text form cannot be decoded, one in hex or json"
                        + " form can")
            ),
        ] as [(String, [String], CaptureDecoder.Outcome)])
    func traceLines(_ capture: String, _ lines: [String], _ outcome: CaptureDecoder.Outcome) {
        let result = Self.decode(capture)
        #expect(result.lines == lines)
        #expect(result.outcome == outcome)
    }

    @Test func whatATraceLacksIsSaid() {
        let hex = Self.decode(
            "hex \(Self.time) dropped=3\nhex \(Self.time) link=1 in skipped=12\n")
        #expect(hex.outcome == .complete)
        #expect(hex.remark == "the trace lacks 3 lines that were dropped and 12 bytes")
        let json = Self.decode(
            #"{"time":"\#(Self.time)","dropped":3}"# + "\n"
                + #"{"time":"\#(Self.time)","link":1,"direction":"in","skipped":12}"# + "\n")
        #expect(json.outcome == .complete)
        #expect(json.remark == hex.remark)
    }

    @Test(
        "a trace decodes to the values of its bytes", arguments: [TraceOptions.Format.hex, .json])
    func roundTrip(_ format: TraceOptions.Format) {
        let wire = """
            +OK|:-7|_|#t|,1.5|,inf|(123456789012345678901234567890|=7|txt:abc|-ERR x|!3|a"b|\
            *2|$-1|$2|é|%1|+k|~1|:1|>2|+a|+b||1|+k|:1|:2|
            """.split(separator: "|", omittingEmptySubsequences: false).joined(separator: "\r\n")
            .replacing("\r\n\r\n1", with: "\r\n|1")
        let values = Self.decode(wire)
        #expect(values.outcome == .complete)
        #expect(values.lines.count == 15)
        var trace = TraceTests.make(format)
        let lines = TraceTests.lines(&trace, wire)
        #expect(lines.count == 15)
        let traced = Self.decode(lines.joined())
        #expect(traced.outcome == .complete)
        #expect(traced.lines == values.lines)
        #expect(traced.remark == nil)
    }
}
