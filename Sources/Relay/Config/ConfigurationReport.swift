extension Configuration {
    /// What `--check-config` prints: a table of the settings in force, then what was wrong.
    ///
    /// Passwords are masked, and no line holds a control character.
    public var report: String {
        let header = ["SETTING", "VALUE", "ORIGIN"]
        let rows = entries.map { [$0.variable, $0.value.printable, $0.origin.description] }
        let widths = header.indices.map { column in
            ([header] + rows).map { $0[column].count }.max() ?? 0
        }
        var lines = ([header] + rows).map { row in
            zip(row, widths).dropLast().map { cell, width in
                cell + String(repeating: " ", count: width - cell.count)
            }.joined(separator: "  ") + "  " + (row.last ?? "")
        }
        lines.append("")
        lines += problems.map { "\($0.outcome == .fatal ? "fatal" : "problem"): \($0)" }
        lines += warnings.map { "\($0.isAdvice ? "advice" : "warning"): \($0)" }
        lines.append(isFaulty ? "The configuration is faulty." : "The configuration is sound.")
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is to be logged when the daemon starts all the same.
    public var startupWarnings: [String] {
        problems.map(\.description) + warnings.map(\.description)
    }
}

extension SettingsTable {
    /// A setting's line in a usage text: its meaning, its variable and its default.
    public static func usage(of row: SettingRow) -> String {
        let value = row.defaultText.isEmpty ? "none" : row.defaultText
        return "\(row.meaning) (\(row.variable); default: \(value))"
    }

    /// The section of a usage text about variables.
    public static var environmentUsage: String {
        let width = companions.map(\.variable.count).max() ?? 0
        let lines = companions.map { variable, meaning in
            "  \(variable)\(String(repeating: " ", count: width - variable.count))  \(meaning)"
        }
        return
            (["Each option has an environment variable, over which it wins. And there are:"]
            + lines).joined(separator: "\n")
    }
}

extension Secret {
    /// The text with what stands between `://` and `@` masked, for messages of others' making that
    /// may quote a URL.
    public static func maskingCredentials(in text: String) -> String {
        guard let (head, tail) = text.splitOnce("://") else { return text }
        // A password may hold any character, a blank or a quote included: all that comes before
        // the line's last @ is taken for one.
        let lineEnd = tail.utf8.firstIndex(of: UInt8(ascii: "\n")) ?? tail.endIndex
        guard let at = tail[..<lineEnd].utf8.lastIndex(of: UInt8(ascii: "@")) else {
            return head + "://" + maskingCredentials(in: String(tail))
        }
        return head + "://" + mask + maskingCredentials(in: String(tail[at...]))
    }
}

extension String {
    /// The text itself; quoted and escaped where it has control characters; `-` where it is empty.
    fileprivate var printable: String {
        if isEmpty { return "-" }
        let isPlain = unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        return isPlain ? self : debugDescription
    }
}
