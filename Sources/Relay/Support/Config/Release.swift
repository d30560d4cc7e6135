/// What a build is called: the number of the release and the commit that it was built from.
public struct Release: Sendable, Equatable, CustomStringConvertible {
    /// The number of the release that the sources are, or become: the one place that has it.
    ///
    /// `Scripts/version` reads this line, and the packages are named after it.
    public static let version = "0.1.0"

    /// The number of the release.
    public let version: String
    /// The first twelve digits of the commit, with `.dirty` behind them where the tree had changes;
    /// empty where the build was not told.
    public let revision: String

    /// Names a build of these sources.
    public init(revision: String = "") {
        version = Self.version
        self.revision = revision
    }

    /// The name as `--version` prints it, such as `0.1.0+69998c6b7d1e` (Semantic Versioning 2.0.0,
    /// section 10).
    public var description: String { revision.isEmpty ? version : "\(version)+\(revision)" }
}
