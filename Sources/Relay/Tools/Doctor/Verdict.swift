/// What the doctor says about one thing.
public struct Verdict: Sendable, Equatable {
    /// How bad it is.
    public enum Level: String, Sendable, Comparable {
        /// As it should be.
        case ok
        /// It could not be found out; what to look at is said.
        case unknown
        /// It works, and will not when it is needed.
        case warn
        /// It does not work.
        case fail

        /// Compares two levels; the worse one is the greater.
        public static func < (left: Level, right: Level) -> Bool { left.weight < right.weight }

        /// The exit status: what could not be found out is not held against anybody.
        public var status: Int32 { Int32(max(0, weight - 1)) }

        private var weight: Int {
            switch self {
            case .ok: 0
            case .unknown: 1
            case .warn: 2
            case .fail: 3
            }
        }
    }

    /// What was looked at: a word for scripts.
    public let subject: String
    /// How bad it is.
    public let level: Level
    /// What was found.
    public let text: String
    /// What to change, or to look at; nil where there is nothing to do.
    public let advice: String?
}

/// All that the doctor has found.
public struct Diagnosis: Sendable {
    /// One for each thing that was looked at, in the order in which it was.
    public internal(set) var verdicts: [Verdict] = []

    /// The worst of them.
    public var level: Verdict.Level { verdicts.map(\.level).max() ?? .ok }

    /// A line for each verdict.
    public var lines: String {
        verdicts.map { verdict in
            let level = verdict.level.rawValue
            let subject = verdict.subject
            let advice = verdict.advice.map { ": \($0)" } ?? ""
            return level + String(repeating: " ", count: max(1, 9 - level.count)) + subject
                + String(repeating: " ", count: max(1, 15 - subject.count))
                + (verdict.text + advice).printable + "\n"
        }.joined()
    }

    /// The same as one line of JSON.
    public var json: String {
        var text = JSONText()
        text.open("{")
        text.member("verdict", level.rawValue)
        text.key("checks")
        text.open("[")
        for verdict in verdicts {
            text.separate()
            text.open("{")
            text.member("subject", verdict.subject)
            text.member("verdict", verdict.level.rawValue)
            text.member("text", verdict.text)
            if let advice = verdict.advice { text.member("advice", advice) }
            text.close("}")
        }
        text.close("]")
        text.close("}")
        return String(decoding: text.bytes, as: UTF8.self) + "\n"
    }
}
