/// Settings together with where each comes from and what was wrong with them.
public struct Configuration: Sendable {
    /// What the daemon runs with.
    public internal(set) var settings = Settings()
    /// Values that were refused, in the order of the settings' table.
    public internal(set) var problems: [ConfigurationProblem] = []
    /// What was taken as it is but looks unintended.
    public internal(set) var warnings: [ConfigurationWarning] = []
    /// Each setting as it is in force, in the order of the settings' table.
    public internal(set) var entries: [EffectiveSetting] = []

    /// Reads the URL and the passwords of Redis again; nil where none of them comes from a file.
    public internal(set) var redisReload: RedisReload?

    /// The first problem with which the daemon cannot start.
    public var fatal: ConfigurationProblem? { problems.first { $0.outcome == .fatal } }

    /// The first problem with a flag, which makes the command line unusable.
    public var usageError: ConfigurationProblem? { problems.first { $0.outcome == .usageError } }

    /// Whether the daemon would not start, or would start with something else than was said; a
    /// warning is neither.
    public var isFaulty: Bool { !problems.isEmpty }
}

/// A value that was refused.
public struct ConfigurationProblem: Sendable, Equatable, CustomStringConvertible {
    /// What follows from the problem.
    public enum Outcome: Sendable, Equatable {
        /// The default is used, which is printed here.
        case fallback(String)
        /// The daemon cannot start.
        case fatal
        /// The command line cannot be used.
        case usageError
    }

    /// The variable, or the flag with its dashes.
    public let name: String
    /// The value that was refused; nil where it may hold a secret.
    public let refusedValue: String?
    /// Why: a clause that follows the value.
    public let reason: String
    /// What follows from it.
    public let outcome: Outcome

    /// What is wrong, without what follows from it.
    var fault: String {
        var text = name
        if let refusedValue {
            text += (name.hasPrefix("--") ? " " : "=") + refusedValue.prefix(100).debugDescription
        }
        return text + " \(reason)"
    }

    /// One line for people; it holds no secret and no control character.
    public var description: String {
        var text = fault
        if case .fallback(let value) = outcome {
            text += "; the default is used: \(value.isEmpty ? "empty" : value)"
        }
        return text
    }
}

/// Something that was taken as it is but looks unintended.
public struct ConfigurationWarning: Sendable, Equatable, CustomStringConvertible {
    /// The variable that it is about.
    public let name: String
    /// Why: a clause that follows the name.
    public let reason: String

    /// One line for people; it holds no secret.
    public var description: String { "\(name) \(reason)" }
}

/// A setting as it is in force.
public struct EffectiveSetting: Sendable, Equatable {
    /// The environment variable that stands for the setting.
    public let variable: String
    /// The value in force, passwords masked; empty for an empty list.
    public let value: String
    /// Where the value comes from.
    public let origin: ValueOrigin
}

/// Where a value comes from.
public indirect enum ValueOrigin: Sendable, Equatable, CustomStringConvertible {
    /// Nobody has set it, or what was set was refused.
    case standard
    /// The environment variables with these names.
    case environment([String])
    /// The flag with this name, dashes included.
    case flag(String)
    /// A file, and the variable or the flag that names it.
    case file(path: String, namedBy: String)
    /// Two places that each give a part.
    case joined(ValueOrigin, ValueOrigin)

    /// `default`, `environment NAME`, `flag --name` or `file path (NAME)`, with commas in between.
    public var description: String {
        switch self {
        case .standard: "default"
        case .environment(let names): "environment \(names.joined(separator: ", "))"
        case .flag(let name): "flag \(name)"
        case .file(let path, let name): "file \(path.printable) (\(name))"
        case .joined(let first, let second): "\(first), \(second)"
        }
    }

    /// Both places; the default counts for none, and variables are named in one list.
    func joined(with other: ValueOrigin) -> ValueOrigin {
        switch (self, other) {
        case (.standard, _): other
        case (_, .standard): self
        case (.environment(let names), .environment(let others)): .environment(names + others)
        default: .joined(self, other)
        }
    }
}
