/// The files that the URL and the passwords of Redis come from, to be read again while the daemon
/// runs: an operator changes a password by writing it into its file.
public struct RedisReload: Sendable {
    private let source: RedisSource
    private let settings: Settings

    /// Remembers where the settings of Redis came from; nil where no file is among them.
    init?(_ texts: TextSources, _ settings: Settings) {
        let others = ["REDIS_URL", "REDIS_PASSWORD"].map { $0 + TextSources.fileSuffix }
        let isAnyFile =
            settings.redisFiles != RedisFiles()
            || others.contains { texts.environment[$0] != nil }
        guard isAnyFile else { return nil }
        source = RedisSource(texts: texts)
        self.settings = settings
    }

    /// `read` for whoever knows no more of it.
    var reader: @Sendable () -> RedisRefresh { { read() } }

    /// What the files say by now; it takes as long as the disk does.
    func read() -> RedisRefresh {
        do throws(TextSources.Refusal) {
            var settings = settings
            settings.redis = try source.resolve().target
            let row = "STATUS_REDIS_SENTINEL_PASSWORD"
            let found = try source.texts.find(row, flag: SettingRow.flag(of: row), hasFile: true)
            settings.redisSentinelPassword = found.flatMap {
                $0.text.isEmpty ? nil : Secret($0.text)
            }
            return .changed(RedisAccess(settings))
        } catch {
            let problem = ConfigurationProblem(
                name: error.name, refusedValue: error.shownValue, reason: error.reason,
                outcome: .fatal)
            return .refused(problem.description)
        }
    }
}
