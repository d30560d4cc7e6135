/// A file of `NAME=value` lines, as systemd and Docker have them, which wins over the environment and
/// is read again at `SIGHUP`: a process's own environment nobody can change.
///
/// Blank lines and those that begin with `#` or `;` are passed over, an `export` before the name and
/// quotes around the value are dropped; within double quotes `\"` and `\\` stand for the second
/// character. Nothing is expanded.
struct EnvironmentFile: Equatable, Sendable {
    static let variable = "STATUS_ENV_FILE"
    static let flag = SettingRow.flag(of: variable)

    let path: String
    private(set) var values: [String: String] = [:]

    /// Finds the file that a flag or the environment names and reads it; nil where none is named.
    static func find(
        environment: [String: String], flags: [String: String], readFile: SecretFile.Read
    ) throws(TextSources.Refusal) -> EnvironmentFile? {
        let (name, path) =
            flags[flag].map { ("--\(flag)", $0) } ?? (variable, environment[variable] ?? "")
        guard !path.isEmpty else { return nil }
        do throws(InvalidValue) {
            return try EnvironmentFile(path, readFile)
        } catch {
            throw TextSources.Refusal(name: name, shownValue: path, reason: error.reason)
        }
    }

    /// Reads a file.
    init(_ path: String, _ readFile: SecretFile.Read) throws(InvalidValue) {
        self.path = path
        guard !path.utf8.contains(0) else { throw InvalidValue("is not a path") }
        let bytes: [UInt8]
        do throws(SecretFile.ReadError) {
            bytes = try readFile(path, SecretFile.limit)
        } catch {
            switch error {
            case .refused(let reason): throw InvalidValue("cannot be read: \(reason)")
            case .notAFile: throw InvalidValue("is not a regular file")
            }
        }
        guard bytes.count <= SecretFile.limit else {
            throw InvalidValue("is a file of over \(SecretFile.limit) bytes")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw InvalidValue("is a file that is not UTF-8")
        }
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() { try take(line, number: index + 1) }
    }

    /// No error quotes the line, which may hold a secret.
    private mutating func take(_ line: Substring, number: Int) throws(InvalidValue) {
        var line = String(line).trimmingBlanks()
        if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { return }
        if line.hasPrefix("export ") { line = String(line.dropFirst(7)).trimmingBlanks() }
        guard let (name, value) = line.splitOnce("="), Self.isName(name) else {
            throw InvalidValue("has no NAME=value in line \(number)")
        }
        guard let plain = Self.unquoted(String(value).trimmingBlanks()) else {
            throw InvalidValue("has a quote that is not closed in line \(number)")
        }
        // The last of two counts, as with systemd and Docker.
        values[String(name)] = plain
    }

    private static func isName(_ text: Substring) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool {
            (0x41...0x5A).contains(byte & 0xDF) || byte == UInt8(ascii: "_")
        }
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) }
    }

    private static func unquoted(_ text: String) -> String? {
        guard let quote = text.unicodeScalars.first, quote == "\"" || quote == "'" else {
            return text
        }
        var plain = String.UnicodeScalarView()
        var isEscaped = false
        var isClosed = false
        for scalar in text.unicodeScalars.dropFirst() {
            if isClosed { return nil }
            if isEscaped {
                if scalar != "\"", scalar != "\\" { plain.append("\\") }
                plain.append(scalar)
                isEscaped = false
            } else if scalar == "\\", quote == "\"" {
                isEscaped = true
            } else if scalar == quote {
                isClosed = true
            } else {
                plain.append(scalar)
            }
        }
        return isClosed ? String(plain) : nil
    }
}
