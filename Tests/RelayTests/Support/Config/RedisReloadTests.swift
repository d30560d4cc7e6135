import Synchronization
import Testing

@testable import Relay

@Suite("Files of secrets that change while the daemon runs")
struct RedisReloadTests {
    /// Files that somebody writes to.
    private final class Disk: Sendable {
        private let files: Mutex<[String: String]>

        init(_ files: [String: String]) { self.files = Mutex(files) }

        func write(_ path: String, _ text: String?) { files.withLock { $0[path] = text } }

        var read: SecretFile.Read {
            { (path, limit) throws(SecretFile.ReadError) in
                let text = self.files.withLock { $0[path] }
                guard let text else { throw .refused("no such file or directory") }
                return Array(text.utf8.prefix(limit + 1))
            }
        }
    }

    private func load(_ environment: [String: String], _ disk: Disk) -> Configuration {
        SettingsLoader.load(environment: environment, flags: [:], readFile: disk.read)
    }

    @Test("are not looked at where there are none")
    func none() {
        let disk = Disk([:])
        #expect(load([:], disk).redisReload == nil)
        #expect(load(["STATUS_REDIS_URL": "redis://:p@h"], disk).redisReload == nil)
    }

    @Test("say what the settings say until they change")
    func unchanged() throws {
        let disk = Disk(["/p": "one\n", "/s": "two\n"])
        let configuration = load(
            [
                "STATUS_REDIS_URL": "redis+sentinel://u@a/m", "REDIS_PASSWORD_FILE": "/p",
                "STATUS_REDIS_SENTINEL_PASSWORD_FILE": "/s", "STATUS_REDIS_SENTINEL_USERNAME": "w",
            ], disk)
        let reload = try #require(configuration.redisReload)
        #expect(reload.read() == .changed(RedisAccess(configuration.settings)))
    }

    @Test("give the new password, the new URL and the Sentinels' new password")
    func changed() throws {
        let disk = Disk(["/u": "redis://u@h/1", "/p": "one\n", "/s": "two\n"])
        let configuration = load(
            [
                "STATUS_REDIS_URL_FILE": "/u", "STATUS_REDIS_PASSWORD_FILE": "/p",
                "STATUS_REDIS_SENTINEL_PASSWORD_FILE": "/s",
            ], disk)
        let reload = try #require(configuration.redisReload)
        disk.write("/p", "three\r\n")
        disk.write("/s", "four")
        disk.write("/u", "redis://v@i/2\n")
        guard case .changed(let access) = reload.read() else {
            Issue.record("nothing has changed")
            return
        }
        #expect(access.redis.displayURL == "redis://v:***@i:6379/2")
        #expect(access.redis.password?.revealed == "three")
        #expect(access.sentinelPassword?.revealed == "four")
    }

    @Test("are refused with variable, path and reason, never with what they hold")
    func refused() throws {
        let disk = Disk(["/p": "one"])
        let configuration = load(["STATUS_REDIS_PASSWORD_FILE": "/p"], disk)
        let reload = try #require(configuration.redisReload)
        disk.write("/p", "")
        let empty = #"STATUS_REDIS_PASSWORD_FILE="/p" is an empty file"#
        #expect(reload.read() == .refused(empty))
        disk.write("/p", nil)
        let absent =
            #"STATUS_REDIS_PASSWORD_FILE="/p" cannot be read: no such file or directory"#
        #expect(reload.read() == .refused(absent))
        disk.write("/p", "two")
        guard case .changed(let access) = reload.read() else {
            Issue.record("the file is there again")
            return
        }
        #expect(access.redis.password?.revealed == "two")
    }
}
