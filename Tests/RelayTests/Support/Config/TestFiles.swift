@testable import Relay

/// Files that are not on any disk.
enum TestFiles {
    /// A disk without files.
    static let none: SecretFile.Read = reading([:])

    /// A disk with these files; `/pipe` is none.
    static func reading(_ files: [String: [UInt8]]) -> SecretFile.Read {
        { (path, limit) throws(SecretFile.ReadError) in
            if path == "/pipe" { throw .notAFile }
            guard let bytes = files[path] else { throw .refused("No such file or directory") }
            return Array(bytes.prefix(limit + 1))
        }
    }
}
