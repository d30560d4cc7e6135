import WSFrame

/// The form in which the metrics are written.
enum MetricsFormat: Equatable, Sendable {
    /// Prometheus's text exposition format, version 0.0.4.
    case prometheus
    /// OpenMetrics, version 1.0.0.
    case openMetrics

    /// The form that a request prefers (RFC 9110, section 12.5.1); Prometheus's own where it says
    /// nothing, or takes neither.
    ///
    /// OpenMetrics has to be named: what takes anything gets what it always got.
    init(_ headers: HTTPHeaders) {
        var openMetrics = 0
        var prometheus = 0
        for range in headers.list("Accept") {
            guard let range = MediaRange(range) else { continue }
            switch range.type {
            case "application/openmetrics-text" where range.isKnownVersion:
                openMetrics = max(openMetrics, range.thousandths)
            case "text/plain": prometheus = max(prometheus, range.thousandths)
            default: break
            }
        }
        self = openMetrics > 0 && openMetrics >= prometheus ? .openMetrics : .prometheus
    }

    /// The value of `Content-Type`.
    var contentType: String {
        switch self {
        case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
        case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
        }
    }
}

/// An element of `Accept`: a media type with its version and its weight.
private struct MediaRange {
    let type: String
    /// Whether no version is asked for that is not written here.
    private(set) var isKnownVersion = true
    /// The weight times a thousand, which is exact (RFC 9110, section 12.4.2).
    private(set) var thousandths = 1000

    /// Reads an element; nil where its weight is none.
    init?(_ element: String) {
        let parts = element.split(separator: ";", omittingEmptySubsequences: false)
            .map { Self.trimmed($0).lowercased() }
        type = parts[0]
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1).map { Self.trimmed($0) }
            guard pair.count == 2 else { continue }
            switch pair[0] {
            case "q":
                guard let weight = Self.thousandths(pair[1]) else { return nil }
                thousandths = weight
            case "version":
                isKnownVersion = ["1.0.0", "\"1.0.0\"", "0.0.1", "\"0.0.1\""].contains(pair[1])
            default: break
            }
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        var text = text
        while let first = text.utf8.first, first == 0x20 || first == 0x09 { text.removeFirst() }
        while let last = text.utf8.last, last == 0x20 || last == 0x09 { text.removeLast() }
        return String(text)
    }

    /// A weight: 0 or 1 with at most three digits behind the point.
    private static func thousandths(_ text: String) -> Int? {
        let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard let whole = Int(parts[0]), (0...1).contains(whole) else { return nil }
        var fraction = parts.count == 2 ? String(parts[1]) : ""
        guard fraction.utf8.count <= 3,
            fraction.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
        else { return nil }
        fraction += String(repeating: "0", count: 3 - fraction.utf8.count)
        return min(1000, whole * 1000 + (Int(fraction) ?? 0))
    }
}
