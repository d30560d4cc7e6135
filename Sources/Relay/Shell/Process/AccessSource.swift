import Synchronization

/// Where passwords and URL of Redis come from: files that are read again, and other files after the
/// configuration has been read again. All loops and the canary ask the same one.
final class AccessSource: Sendable {
    private let reload: Mutex<RedisReload?>

    /// Begins with what the daemon was started with; nil where nothing comes from a file.
    init(_ reload: RedisReload?) {
        self.reload = Mutex(reload)
    }

    /// What the files say by now.
    @Sendable func read() -> RedisRefresh {
        reload.withLock { $0 }?.read() ?? .unchanged
    }

    /// The same way of reading the configuration, after which its files are the ones that are read;
    /// those of a faulty one are not.
    func renewing(
        _ read: (@Sendable () -> Configuration)?
    ) -> (@Sendable () -> Configuration)? {
        guard let read else { return nil }
        return { [self] in
            let configuration = read()
            if configuration.problems.isEmpty {
                reload.withLock { $0 = configuration.redisReload }
            }
            return configuration
        }
    }
}
