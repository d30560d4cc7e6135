/// How the lines of a trace are written.
///
///     2026-11-23T08:45:34.123456Z link=3 in >["message", "run:status", "hello"]
///     {"time":"2026-11-23T08:45:34.123456Z","link":3,"direction":"in","resp":{"type":"push",…}}
///     hex 2026-11-23T08:45:34.123456Z link=3 in 3e330d0a…
///
/// `in` is from Redis, `out` is to Redis. Where something is missing the trace says so, in hex form
/// for example with `omitted=7` before a value of which 7 bytes of text are left out, `skipped=7`
/// for bytes that stand in no value, `raw=` for bytes that are no RESP, and `dropped=7` without a
/// link for lines that did not get into the trace.
enum TraceForm {
    /// What a line in hex form begins with.
    static let hexMark = "hex "
    /// The bytes of a time, such as `2026-11-23T08:45:34.123456Z`.
    static let timeLength = 27

    /// Whether the text begins with a time.
    static func startsWithTime(_ text: ArraySlice<UInt8>) -> Bool {
        text.count >= timeLength && timeAgrees(text.prefix(timeLength))
    }

    /// Whether the text, as far as it goes, can be the beginning of a time.
    static func timeAgrees(_ text: ArraySlice<UInt8>) -> Bool {
        zip(text, "dddd-dd-ddTdd:dd:dd.ddddddZ".utf8).allSatisfy { byte, shape in
            shape == UInt8(ascii: "d")
                ? (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) : byte == shape
        }
    }
}
