public import Logging

/// Writes each event as one line of JSON.
///
/// A line has `time`, `level`, `msg` and `component` in this order, then the metadata with sorted
/// keys. A metadata key that is one of those four gets an underscore at its end.
public struct JSONLogHandler: LogHandler {
    /// What every line of this handler carries.
    public var metadata: Logger.Metadata = [:]
    /// The lowest level that is written.
    public var logLevel: Logger.Level
    /// Adds metadata to each event.
    public var metadataProvider: Logger.MetadataProvider?

    private let label: String
    private let sink: any LogSink
    private let now: @Sendable () -> Int64

    /// Makes a handler.
    ///
    /// - Parameters:
    ///   - label: the component that logs.
    ///   - level: the lowest level that is written.
    ///   - sink: where the lines go.
    ///   - now: the time in nanoseconds since the Unix epoch.
    public init(
        label: String, level: LogLevel, sink: any LogSink, now: @escaping @Sendable () -> Int64
    ) {
        self.label = label
        logLevel = level.threshold
        self.sink = sink
        self.now = now
    }

    /// One member of the metadata.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one event.
    public func log(event: LogEvent) {
        var line = JSONText(capacity: Self.usualLength)
        line.open("{")
        line.member("time", Timestamp(nanosecondsSinceEpoch: now()))
        line.member("level", JSONLogHandler.word(for: event.level))
        line.member("msg", event.message.description)
        line.member("component", label)
        for (key, value) in collected(event).sorted(by: { $0.key < $1.key }) {
            line.key(JSONLogHandler.isReserved(key) ? key + "_" : key)
            line.append(value)
        }
        line.close("}")
        line.endLine()
        sink.write(line.bytes)
    }

    private func collected(_ event: LogEvent) -> Logger.Metadata {
        // Most lines have metadata of their own alone: nothing is to be merged.
        if metadata.isEmpty, metadataProvider == nil, event.error == nil {
            return event.metadata ?? [:]
        }
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        if let own = event.metadata { all.merge(own) { $1 } }
        return all
    }

    private static let usualLength = 256

    private static func isReserved(_ key: String) -> Bool {
        switch key {
        case "time", "level", "msg", "component": true
        default: false
        }
    }

    private static func word(for level: Logger.Level) -> String {
        switch level {
        case .trace, .debug: LogLevel.debug.rawValue
        case .info, .notice: LogLevel.info.rawValue
        case .warning: LogLevel.warn.rawValue
        case .error, .critical: LogLevel.error.rawValue
        }
    }
}

extension LogLevel {
    /// The level of the logging interface from which on events are written.
    public var threshold: Logger.Level {
        switch self {
        case .debug: .debug
        case .info: .info
        case .warn: .warning
        case .error: .error
        }
    }
}

extension JSONText {
    /// Appends a metadata value: whole numbers and booleans as such, lists and dictionaries as
    /// arrays and objects, everything else as a string.
    fileprivate mutating func append(_ value: Logger.Metadata.Value) {
        switch value {
        case .string(let text): string(text)
        // Told by their types, since to look for a protocol takes longer than the rest of a line.
        case .stringConvertible(let value as Int): raw(value.description)
        case .stringConvertible(let value as Int64): raw(value.description)
        case .stringConvertible(let value as any FixedWidthInteger): raw(value.description)
        case .stringConvertible(let value as Bool): raw(value.description)
        case .stringConvertible(let value): string(value.description)
        case .array(let values):
            open("[")
            for value in values {
                separate()
                append(value)
            }
            close("]")
        case .dictionary(let members):
            open("{")
            for (key, value) in members.sorted(by: { $0.key < $1.key }) {
                self.key(key)
                append(value)
            }
            close("}")
        }
    }
}

/// Where finished lines of the log go.
public protocol LogSink: Sendable {
    /// Takes one line with its closing newline; it never blocks and may drop the line when full.
    func write(_ line: [UInt8])
}
