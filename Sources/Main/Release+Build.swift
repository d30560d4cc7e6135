import CBuild
import Relay

extension Release {
    /// This build.
    static let current = Release(revision: unsafe String(cString: status2_revision()))
}
