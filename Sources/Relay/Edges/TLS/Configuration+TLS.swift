extension Configuration {
    /// Tries the files of the TLS settings, where Redis is reached over TLS.
    ///
    /// A file that cannot be used is a problem with which the daemon cannot start.
    public mutating func checkTLSFiles() {
        guard settings.redis.usesTLS, fatal == nil else { return }
        do throws(TLSFileError) {
            _ = try TLSCredentials(settings.redisTLS)
        } catch {
            problems.append(
                ConfigurationProblem(
                    name: error.variable, refusedValue: error.path, reason: error.reason,
                    outcome: .fatal))
        }
    }
}
