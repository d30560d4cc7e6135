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
        lines += warnings.map { "warning: \($0)" }
        if settings.allowedOrigins.isEmpty { lines.append("warning: \(Self.openToAll)") }
        lines.append("The configuration is \(isFaulty ? "faulty" : "sound").")
        return lines.joined(separator: "\n") + "\n"
    }

    /// What is said where no origin is named.
    static let openToAll = "STATUS_ALLOWED_ORIGINS is empty: pages of every origin may connect"

    /// What is to be logged when the daemon starts all the same.
    public var startupWarnings: [String] {
        problems.map(\.description) + warnings.map(\.description)
    }
}

extension SettingsTable {
    /// The sections of a usage text about flags and variables, wrapped as the others are.
    public static var usage: String {
        var lines: [String] = []
        for group in groups {
            lines.append("\(group.title.uppercased()):")
            for row in group.rows {
                let value = row.defaultText.isEmpty ? "none" : row.defaultText
                lines += usage(
                    of: "--\(row.flag) <\(row.placeholder)>",
                    "\(row.meaning) (\(row.variable); default: \(value)).")
            }
            lines.append("")
        }
        lines.append("ENVIRONMENT:")
        lines.append(
            "  Each of these options has the variable that is named with it and wins over it.")
        lines.append("  A variable and its file at once are refused. And there are:")
        for (variable, meaning) in companions { lines += usage(of: variable, "\(meaning).") }
        return lines.joined(separator: "\n")
    }

    /// Where meanings begin, and where lines end.
    private static let (indent, width) = (26, 80)

    private static func usage(of name: String, _ meaning: String) -> [String] {
        var lines = ["  \(name)"]
        if name.utf8.count > indent - 3 { lines.append("") }
        for word in meaning.split(separator: " ") {
            var line = lines.removeLast()
            if line.utf8.count + 1 + word.utf8.count > width {
                lines.append(line)
                line = ""
            }
            let padding = max(0, indent - 1 - line.utf8.count)
            line += String(repeating: " ", count: padding) + " " + word
            lines.append(line)
        }
        return lines
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
    var printable: String {
        if isEmpty { return "-" }
        let isPlain = unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
        return isPlain ? self : debugDescription
    }
}
