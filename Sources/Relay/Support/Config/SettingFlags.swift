/// The flags of a command line that are settings, as the table has them.
public struct SettingFlags: Sendable, Equatable {
    /// Why a command line cannot be used: a sentence without a full stop.
    public struct UsageError: Error, Equatable {
        /// It holds no value, since that may be a secret.
        public let reason: String
    }

    /// The values by flag, without dashes; of one that is given twice the last counts.
    public private(set) var values: [String: String] = [:]
    /// All other arguments, in their order.
    public private(set) var rest: [String] = []

    /// Takes `--name value` and `--name=value` of the table's flags out of the arguments, which are
    /// those behind the program's name; what follows a `--` is left alone.
    public init(_ arguments: [String]) throws(UsageError) {
        let end = arguments.firstIndex(of: "--") ?? arguments.endIndex
        var index = arguments.startIndex
        while index < end {
            let argument = arguments[index]
            let pair = argument.splitOnce("=")
            let name = String(pair?.0 ?? Substring(argument))
            index += 1
            if let advice = Self.advice[name] { throw UsageError(reason: "\(name) \(advice)") }
            guard name.hasPrefix("--"), let row = SettingsTable.row(flag: String(name.dropFirst(2)))
            else {
                rest.append(argument)
                continue
            }
            if let value = pair?.1 {
                values[row.flag] = String(value)
                continue
            }
            // What begins with two dashes is the next option; -1 is a number.
            guard index < end, !arguments[index].hasPrefix("--") else {
                throw UsageError(reason: "Missing value for '\(name) <\(row.placeholder)>'")
            }
            values[row.flag] = arguments[index]
            index += 1
        }
        rest += arguments[end...]
    }

    /// The flag of a setting, with its dashes, that an unknown one may have been meant to be; nil
    /// where none is near.
    public static func nearest(to name: String) -> String? {
        NearestName.find(name, among: SettingsTable.rows.map { "--\($0.flag)" })
    }

    /// What to say of the flags that were settings once.
    private static let advice: [String: String] = SettingsTable.former.reduce(into: [:]) {
        $0["--\(SettingRow.flag(of: $1.key))"] = $1.value
    }
}
