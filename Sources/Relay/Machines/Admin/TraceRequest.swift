/// A trace that is asked for by the admin listener: of what, for how long, and whereto.
struct TraceRequest: Equatable, Sendable {
    /// How long a trace goes on where nothing is said.
    static let standardSpan = Nanoseconds.seconds(30)
    /// The longest trace; one that is forgotten ends by itself.
    static let longestSpan = Nanoseconds.seconds(3600)

    /// The shell pattern of the channels; nil for all.
    var channel: String?
    /// Only the link with this number.
    var link: UInt64?
    var span = TraceRequest.standardSpan
    var format = TraceOptions.Format.text
    /// Whether the lines go to the daemon's own file or standard error and not to who asks.
    var goesToSink = false

    init() {}

    /// Reads `channel=run:*&link=3&for=30s&format=text&to=here`, all of which may be left out.
    init(_ query: String?) throws(InvalidValue) {
        for (name, value) in try QueryText.pairs(query) {
            switch name {
            case "channel":
                guard Glob(value) != nil else { throw InvalidValue("channel is malformed") }
                channel = value
            case "link":
                guard let number = UInt64(value) else { throw InvalidValue("link is no number") }
                link = number
            case "for": span = try Self.span(value)
            case "format":
                guard let known = TraceOptions.Format(rawValue: value) else {
                    let names = TraceOptions.Format.allCases.map(\.rawValue)
                    throw InvalidValue("format is not \(names.joined(separator: ", "))")
                }
                format = known
            case "to":
                guard ["here", "sink"].contains(value) else {
                    throw InvalidValue("to is not here or sink")
                }
                goesToSink = value == "sink"
            default:
                throw InvalidValue(
                    "unknown parameter; there are channel, link, for, format, to")
            }
        }
    }

    private static func span(_ value: String) throws(InvalidValue) -> Nanoseconds {
        let span: Nanoseconds
        do throws(InvalidValue) {
            span = try GoDuration.parse(value)
        } catch {
            throw InvalidValue("for \(error.reason)")
        }
        guard span > .zero, span <= longestSpan else {
            throw InvalidValue("for is a time over 0 and at most 1h")
        }
        return span
    }

    /// The options of the trace; `configured` says what the request does not.
    func options(from configured: TraceOptions) -> TraceOptions {
        var options = TraceOptions()
        options.maximumStringBytes = configured.maximumStringBytes
        options.format = format
        options.link = link
        if let channel { _ = options.restrict(toChannels: channel) }
        return options
    }
}
