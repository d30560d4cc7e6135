/// The settings as all connections see them: one copy, which never changes.
final class SharedSettings: Sendable {
    let settings: Settings

    init(_ settings: Settings) {
        self.settings = settings
    }
}
