import CLinux
import Glibc

/// Makes the TLS connections of one event loop, and reads the files again when they have changed.
final class TLSContext {
    /// The longest chain of certificates that a server may send, in bytes.
    static let chainLimit = 100 * 1024

    /// What came of looking at the files.
    enum Refresh: Equatable, Sendable {
        case unchanged
        /// They had changed and are in force.
        case reloaded
        /// They have changed and cannot be used: the former ones stay in force.
        case refused(TLSFileError)
    }

    let wire: TLSWire
    private let settings: RedisTLSSettings
    private var credentials: TLSCredentials
    private var stamps: [FileStamp?]

    /// Reads the files; reads from sockets bring `readSize` bytes at most.
    init(_ settings: RedisTLSSettings, readSize: Int) throws(TLSFileError) {
        self.settings = settings
        // Before they are read: what changes meanwhile is then read again.
        stamps = Self.stamps(settings)
        credentials = try TLSCredentials(settings)
        wire = TLSWire(readSize: readSize)
    }

    /// Reads the files again if they have changed.
    ///
    /// Files that cannot be used are told of once, and tried again when they change.
    func refresh() -> Refresh {
        let present = Self.stamps(settings)
        guard present != stamps else { return .unchanged }
        stamps = present
        do throws(TLSFileError) {
            credentials = try TLSCredentials(settings)
            return .reloaded
        } catch {
            return .refused(error)
        }
    }

    /// Makes a connection to the server of this host; nil when OpenSSL has no memory for it, or the
    /// name cannot be one of a certificate.
    func makeSession(host: String, atUnixSeconds now: Int) -> TLSSession? {
        wire.clear()
        return TLSSession(
            credentials: credentials, wire: wire, name: expectedName(host), atUnixSeconds: now)
    }

    /// The name that the server's certificate must have.
    private func expectedName(_ host: String) -> String {
        let name = settings.serverName.isEmpty ? host : settings.serverName
        // The zone of an IPv6 address and the final dot of a name are in no certificate.
        if name.utf8.contains(UInt8(ascii: ":")) {
            return String(name.prefix { $0 != "%" })
        }
        return name.hasSuffix(".") ? String(name.dropLast()) : name
    }

    private static func stamps(_ settings: RedisTLSSettings) -> [FileStamp?] {
        [settings.caFile, settings.certificateFile, settings.keyFile].map {
            $0.isEmpty ? nil : FileStamp($0)
        }
    }
}

/// What tells one state of a file from another without reading it.
private struct FileStamp: Equatable {
    let device: UInt
    let node: UInt
    let size: Int
    let seconds: Int
    let nanoseconds: Int

    /// Looks at the file at this path; nil where there is none.
    init?(_ path: String) {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        node = UInt(status.st_ino)
        size = Int(status.st_size)
        seconds = status.st_mtim.tv_sec
        nanoseconds = status.st_mtim.tv_nsec
    }
}
