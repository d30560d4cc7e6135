/// Where the text of a setting is looked for: its flag, its variable, or a file that one of two
/// others names.
///
/// A flag wins over the environment. A variable and its file at once are refused, since one of them
/// must be a mistake, and to guess which would be to log in as somebody else.
struct TextSources: Sendable {
    /// What makes of a variable's name that of the one which names a file.
    static let fileSuffix = "_FILE"
    private static let fileFlagSuffix = "-file"

    /// Why no text could be had.
    struct Refusal: Error, Equatable {
        /// The variable, or the flag with its dashes.
        let name: String
        /// The value that was refused; nil where it may hold a secret.
        let shownValue: String?
        let reason: String
    }

    /// A text and where it comes from.
    struct Found: Equatable {
        let text: String
        /// What gave it: a variable, or a flag with its dashes; for a file, what names the file.
        let name: String
        /// The path, where the text is a file's.
        let path: String?
        /// The environment file that the variable stands in.
        var environmentFile: String?

        /// Whether the command line has said so.
        var isFlag: Bool { name.hasPrefix("--") }

        /// Where the text comes from, for people.
        var origin: ValueOrigin {
            if let path { return .file(path: path, namedBy: name) }
            if let environmentFile {
                return .file(path: environmentFile, namedBy: EnvironmentFile.variable)
            }
            return isFlag ? .flag(name) : .environment([name])
        }
    }

    /// The environment with what a file has put into it; no value is empty.
    let environment: [String: String]
    /// That file.
    var file: EnvironmentFile?
    /// The values by flag, without dashes; one may be empty.
    let flags: [String: String]
    /// Reads files.
    let readFile: SecretFile.Read

    /// The text of a setting; nil where nothing is said.
    ///
    /// - Parameters:
    ///   - variable: the variable that holds the text itself.
    ///   - flag: the flag that does, without dashes; nil where there is none.
    ///   - hasFile: whether the text may also be a file's.
    func find(_ variable: String, flag: String?, hasFile: Bool) throws(Refusal) -> Found? {
        if let flag {
            let fileFlag = flag + Self.fileFlagSuffix
            let path = hasFile ? flags[fileFlag] : nil
            if let text = flags[flag] {
                guard path == nil else { throw conflict("--\(fileFlag)", "--\(flag)") }
                return Found(text: text, name: "--\(flag)", path: nil)
            }
            if let path { return try read(path, "--\(fileFlag)") }
        }
        let fileVariable = variable + Self.fileSuffix
        let path = hasFile ? environment[fileVariable] : nil
        if let text = environment[variable] {
            guard path == nil else { throw conflict(fileVariable, variable) }
            let isOfFile = variable != EnvironmentFile.variable && file?.values[variable] == text
            return Found(
                text: text, name: variable, path: nil,
                environmentFile: isOfFile ? file?.path : nil)
        }
        if let path { return try read(path, fileVariable) }
        return nil
    }

    private func conflict(_ name: String, _ other: String) -> Refusal {
        Refusal(
            name: name, shownValue: nil,
            reason: "cannot stand beside \(other): one of them is meant"
        )
    }

    private func read(_ path: String, _ name: String) throws(Refusal) -> Found {
        do throws(InvalidValue) {
            return Found(
                text: try SecretFile.text(at: path, readFile), name: name, path: path)
        } catch {
            throw Refusal(name: name, shownValue: path, reason: error.reason)
        }
    }
}

/// A file that holds one secret, as Docker, Kubernetes and systemd hand them to a process.
public enum SecretFile {
    /// The most bytes that such a file may have.
    public static let limit = 64 * 1024

    /// Why a file could not be read.
    public enum ReadError: Error, Equatable, Sendable {
        /// The operating system refused, in its words.
        case refused(String)
        /// It is a directory, a device, a pipe.
        case notAFile
    }

    /// Reads a file: all of it, or so many bytes that it is certain to have more than `limit`.
    public typealias Read = @Sendable (_ path: String, _ limit: Int) throws(ReadError) -> [UInt8]

    /// The secret that the file holds: all of it but one line end at its end.
    ///
    /// No error quotes the content.
    static func text(at path: String, _ read: Read) throws(InvalidValue) -> String {
        guard !path.isEmpty else { throw InvalidValue("names no file") }
        guard !path.utf8.contains(0) else { throw InvalidValue("is not a path") }
        let bytes: [UInt8]
        do throws(ReadError) {
            bytes = try read(path, limit)
        } catch {
            switch error {
            case .refused(let reason): throw InvalidValue("cannot be read: \(reason)")
            case .notAFile: throw InvalidValue("is not a regular file")
            }
        }
        guard bytes.count <= limit else { throw InvalidValue("is a file of over \(limit) bytes") }
        guard var text = String(validating: bytes, as: UTF8.self) else {
            throw InvalidValue("is a file that is not UTF-8")
        }
        if text.utf8.last == UInt8(ascii: "\n") {
            let isCarriedBack = text.utf8.dropLast().last == UInt8(ascii: "\r")
            text = String(Substring(text.utf8.dropLast(isCarriedBack ? 2 : 1)))
        }
        guard !text.isEmpty else { throw InvalidValue("is an empty file") }
        // It would be sent to Redis as part of the secret, and nobody could see why that refuses.
        guard text.unicodeScalars.first != "\u{FEFF}" else {
            throw InvalidValue("is a file that begins with a byte order mark")
        }
        return text
    }
}
