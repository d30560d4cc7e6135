/// One setting: its names, what it means, how its value is read and printed, and what follows where
/// that cannot be read.
public struct SettingRow: Sendable {
    /// What follows where the variable's value cannot be read.
    public enum Refusal: Sendable, Equatable {
        /// The default is used, with a warning: it is no wider than any value may be meant.
        case fallback
        /// The daemon does not start: the default would let in, trust or reach more than was meant.
        case fatal
    }

    /// The environment variable, such as `STATUS_PING_INTERVAL`.
    public let variable: String
    /// The flag without its dashes, such as `ping-interval`.
    public let flag: String
    /// What stands for the value in a usage text, such as `duration`.
    public let placeholder: String
    /// What the setting does, in a clause without a full stop.
    public let meaning: String
    /// What follows where the variable's value cannot be read; that of a flag is a usage error.
    public let refusal: Refusal
    /// Stores a value.
    let apply: @Sendable (String, inout Settings) throws(InvalidValue) -> Void
    /// Prints the value that is in force, passwords masked.
    let print: @Sendable (Settings) -> String

    /// Whether the value is the same in both.
    let isSame: @Sendable (Settings, Settings) -> Bool
    /// Copies the value into other settings.
    let copy: @Sendable (Settings, inout Settings) -> Void

    /// The value of a daemon that nobody has configured; empty for an empty list.
    public var defaultText: String { print(Settings()) }

    init<Value: Equatable>(
        _ variable: String, _ path: any WritableKeyPath<Settings, Value> & Sendable,
        _ value: SettingValue<Value>, _ meaning: String, refusal: Refusal = .fallback
    ) {
        self.variable = variable
        flag = Self.flag(of: variable)
        placeholder = value.placeholder
        self.meaning = meaning
        self.refusal = refusal
        apply = { (text, settings) throws(InvalidValue) in
            settings[keyPath: path] = try value.parse(text)
        }
        print = { value.print($0[keyPath: path]) }
        isSame = { $0[keyPath: path] == $1[keyPath: path] }
        copy = { $1[keyPath: path] = $0[keyPath: path] }
    }

    /// The flag, without its dashes, of a variable: `ping-interval` of `STATUS_PING_INTERVAL`.
    static func flag(of variable: String) -> String {
        variable.dropFirst("STATUS_".count).lowercased().split(separator: "_")
            .joined(separator: "-")
    }
}

/// Settings that belong together in a usage text.
public struct SettingGroup: Sendable {
    /// The heading.
    public let title: String
    /// The settings in the order in which they are documented.
    public let rows: [SettingRow]
}
