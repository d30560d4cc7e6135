/// Writes metrics in the Prometheus text exposition format, version 0.0.4.
struct PrometheusText {
    enum Kind: String {
        case counter, gauge
    }

    private(set) var text = ""

    /// Adds a metric with one value.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: some BinaryInteger) {
        head(name, kind, help)
        text += "\(name) \(value)\n"
    }

    /// Adds a metric that is a span of time, in seconds.
    mutating func add(_ name: String, _ kind: Kind, _ help: String, seconds span: Nanoseconds) {
        head(name, kind, help)
        let microseconds = max(0, span.count) / 1000
        let fraction = String(microseconds % 1_000_000)
        let padding = String(repeating: "0", count: 6 - fraction.count)
        text += "\(name) \(microseconds / 1_000_000).\(padding)\(fraction)\n"
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
            text += "\(name){\(label)=\"\(key)\"} \(value)\n"
        }
    }

    /// Adds a metric with the counts of a dictionary, in the order of their names.
    mutating func add(
        _ name: String, _ kind: Kind, _ help: String, by label: String, _ counts: [String: UInt64]
    ) {
        let sorted = counts.sorted { $0.key < $1.key }
        add(name, kind, help, by: label, sorted.map { ($0.key, $0.value) })
    }

    private mutating func head(_ name: String, _ kind: Kind, _ help: String) {
        text += "# HELP \(name) \(help)\n# TYPE \(name) \(kind.rawValue)\n"
    }
}
