@testable import Relay
import Testing
import WSFrame

@Suite struct ConsolePageTests {
    // MARK: - Files

    @Test(
        "a slash at the end is dropped of the page's own path alone",
        arguments: [
            ("/console", ConsoleFile.page), ("/console/", .page), ("/console/example", .example),
            ("/console/status-stream.js", .client), ("/console/status-stream.mjs", .module),
            ("/console/example/", nil), ("/console//", nil), ("/console/other", nil),
            ("/consoles", nil),
        ] as [(String, ConsoleFile?)])
    func aPathNamesAFile(path: String, file: ConsoleFile?) {
        #expect(ConsoleFile(path: path) == file)
    }

    @Test(
        "off, none of them is there",
        arguments: [
            "/console", "/console/", "/console/example", "/console/status-stream.js",
        ])
    func offItIsNotFound(path: String) {
        #expect(SimulatedDaemon().get(path).status == 404)
        #expect(SimulatedDaemon { $0.consoleEnabled = true }.get(path).status == 200)
    }

    private func answer(
        _ file: ConsoleFile, redis: RedisTarget = RedisTarget(), sendsNotices: Bool = false
    ) -> (headers: [String: String], body: String) {
        let response = ConsolePage.response(
            file, nonce: 0xabc, redis: redis, sendsNotices: sendsNotices)
        let headers = response.headers.map { ($0.name, $0.value) }
        return (
            Dictionary(uniqueKeysWithValues: headers),
            String(decoding: response.body, as: UTF8.self)
        )
    }

    @Test(arguments: [ConsoleFile.page, .example])
    func eachScriptAndStyleOfAPageHasTheNonce(file: ConsoleFile) {
        let (headers, body) = answer(file)
        #expect(headers["Content-Security-Policy"]?.contains("script-src 'nonce-abc';") == true)
        for tag in ["<script", "<style"] {
            #expect(body.contains(tag))
            #expect(body.ranges(of: tag).count == body.ranges(of: tag + " nonce=\"abc\"").count)
        }
        #expect(!body.contains("{{"))
    }

    @Test func theClientIsServedAsItIsAndIsInThePage() {
        let client = answer(.client)
        #expect(client.headers["Content-Type"] == "text/javascript; charset=utf-8")
        #expect(client.body.contains("root.StatusStream="))
        #expect(answer(.page).body.contains(client.body))
        #expect(answer(.module).body.contains("import \"./status-stream.js\";"))
    }

    @Test func thePageKnowsTheCommandAndWhetherOutagesAreTold() {
        var redis = RedisTarget()
        redis.address = .tcp(host: "a\"><b", port: 7)
        #expect(
            answer(.page, redis: redis, sendsNotices: true).body.hasPrefix(
                """
                <!doctype html>
                <html lang="en" data-redis-cli="redis-cli -h 'a&quot;&gt;&lt;b' -p 7" \
                data-notices="true">
                """))
        #expect(answer(.page).body.contains("data-notices=\"false\""))
    }

    // MARK: - Templates

    @Test func aTemplateIsFilledInOnePass() {
        let template = TextTemplate(
            Array("<style>{{a}}{{b}}{{unknown}} {{ {{A}} {{}} {{a}<script src>".utf8),
            fixed: ["a": Array("{{b}}<script>".utf8)])
        let text = template.text(nonce: "N", values: ["b": "{{a}} & \"<'>\""])
        #expect(
            String(decoding: text, as: UTF8.self)
                == "<style nonce=\"N\">{{b}}<script>{{a}} &amp; &quot;&lt;'&gt;&quot; {{ {{A}} {{}} "
                + "{{a}<script nonce=\"N\" src>")
    }

    // MARK: - The command

    @Test(arguments: [
        ("redis://localhost:6379/2", "redis-cli -h localhost -p 6379"),
        ("rediss://u:p@h.example:7", "redis-cli -h h.example -p 7 --tls --user u --askpass"),
        ("redis://:it's@[::1]", "redis-cli -h ::1 -p 6379 --askpass"),
        ("redis://it%27s%20me@h", "redis-cli -h h -p 6379 --user 'it'\\''s me'"),
        ("unix:///run/redis.sock", "redis-cli -s /run/redis.sock"),
        ("redis+sentinel://s1,s2/main", "redis-cli -h MASTER -p PORT"),
    ])
    func theCommandNamesTheServerAndNoPassword(url: String, command: String) throws {
        #expect(try RedisURL.parse(url).target.commandLine == command)
    }
}
