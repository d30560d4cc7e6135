/// Writes metrics in Prometheus's text exposition format, version 0.0.4, or as OpenMetrics, 1.0.0.
struct PrometheusText {
    enum Kind: String {
        case counter, gauge, histogram
    }

    private let format: MetricsFormat
    private var written = ""

    init(_ format: MetricsFormat) {
        self.format = format
    }

    /// All that was added, with the end that OpenMetrics asks for.
    var text: String { format == .openMetrics ? written + "# EOF\n" : written }

    /// Adds a metric with one value.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        head(name, kind, help)
        written += "\(name) \(value)\n"
    }

    /// Adds a metric that is a span of time, in seconds.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, seconds span: Nanoseconds) {
        head(name, kind, help)
        written += "\(name) \(Self.seconds(UInt64(max(0, span.count)), digits: 6))\n"
    }

    /// Adds a metric with one value for each value of a label, in the order given.
    ///
    /// Names and values of labels are the daemon's own words, which need no escaping.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, by label: String,
        _ values: [(String, UInt64)]
    ) {
        head(name, kind, help)
        for (key, value) in values {
            written += "\(name){\(label)=\"\(key)\"} \(value)\n"
        }
    }

    /// Adds a metric with the counts of a dictionary, in the order of their names.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, by label: String, _ counts: [String: UInt64]
    ) {
        let sorted = counts.sorted { $0.key < $1.key }
        add(name, kind, help, by: label, sorted.map { ($0.key, $0.value) })
    }

    /// Adds a histogram of spans of time, in seconds.
    mutating func add(_ name: String, _ help: String, _ histogram: Histogram) {
        head(name, .histogram, help)
        var total: UInt64 = 0
        for index in 0..<Histogram.bucketCount {
            total &+= histogram.count(inBucket: index)
            let edge = index < Histogram.edges.count ? Histogram.edges[index] : "+Inf"
            written += "\(name)_bucket{le=\"\(edge)\"} \(total)\n"
        }
        written += "\(name)_sum \(Self.seconds(histogram.sum, digits: 9))\n"
        written += "\(name)_count \(total)\n"
    }

    /// Adds a metric that is always 1 and tells what its labels say.
    ///
    /// Names and values of labels are the daemon's own words, which need no escaping.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, labels: [(name: String, value: String)]
    ) {
        head(name, kind, help)
        let pairs = labels.map { "\($0.name)=\"\($0.value)\"" }
        written += "\(name){\(pairs.joined(separator: ","))} 1\n"
    }

    /// In OpenMetrics the name of a counter's family does without the `_total` of its samples.
    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        var family = name[...]
        if format == .openMetrics, kind == .counter, family.hasSuffix("_total") {
            family.removeLast("_total".count)
        }
        written += "# HELP \(family) \(help)\n# TYPE \(family) \(kind.rawValue)\n"
        guard format == .openMetrics else { return }
        for unit in ["seconds", "bytes"] where family.hasSuffix("_" + unit) {
            written += "# UNIT \(family) \(unit)\n"
        }
    }

    /// Nanoseconds as seconds with so many digits behind the point, at most nine.
    private static func seconds(_ nanoseconds: UInt64, digits: Int) -> String {
        let fraction = String(nanoseconds % 1_000_000_000)
        let padded = String(repeating: "0", count: 9 - fraction.utf8.count) + fraction
        return "\(nanoseconds / 1_000_000_000).\(padded.prefix(digits))"
    }
}
