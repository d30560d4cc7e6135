import Logging
import Synchronization
import Testing

@testable import Relay

@Suite("Lines of the log")
struct JSONLogHandlerTests {
    final class Lines: LogSink {
        private let lines = Mutex<[String]>([])

        func write(_ line: [UInt8]) {
            lines.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
        }

        var all: [String] { lines.withLock { $0 } }
    }

    private static let head =
        #"{"time":"2026-11-23T08:45:34.123456Z","level":"info","msg":"m","component":"relay""#

    private func logged(
        level: LogLevel = .debug, _ body: (inout Logger) -> Void
    ) -> [String] {
        let sink = Lines()
        var logger = Logger(label: "relay") { label in
            JSONLogHandler(label: label, level: level, sink: sink) { 1_795_423_534_123_456_789 }
        }
        body(&logger)
        return sink.all
    }

    @Test("have time, level, message and component first, then sorted metadata")
    func order() {
        let lines = logged { logger in
            logger[metadataKey: "run_id"] = "r"
            logger[metadataKey: "channel"] = "old"
            logger.info("m", metadata: ["attempt": "\(1)", "channel": "c"])
        }
        #expect(lines == [Self.head + #","attempt":"1","channel":"c","run_id":"r"}"# + "\n"])
    }

    @Test("keep numbers, booleans, lists and dictionaries")
    func values() {
        let lines = logged { logger in
            logger.info(
                "m",
                metadata: [
                    "n": .stringConvertible(-7), "u": .stringConvertible(UInt64.max),
                    "b": .stringConvertible(true), "d": .stringConvertible(1.5),
                    "l": ["x", .stringConvertible(2), []], "o": ["z": "1", "a": ["k": "v"]],
                ])
        }
        #expect(
            lines == [
                Self.head + #","b":true,"d":"1.5","l":["x",2,[]],"n":-7,"#
                    + #""o":{"a":{"k":"v"},"z":"1"},"u":18446744073709551615}"# + "\n"
            ])
    }

    @Test("tell metadata from the members that every line has")
    func reserved() {
        let lines = logged { $0.info("m", metadata: ["msg": "x", "time": "y", "level": "z"]) }
        #expect(lines == [Self.head + #","level_":"z","msg_":"x","time_":"y"}"# + "\n"])
    }

    @Test("carry an error's text")
    func error() {
        let lines = logged { $0.info("m", error: InvalidValue("is odd")) }
        #expect(lines.first?.contains(#""error":"InvalidValue(reason: \"is odd\")""#) == true)
    }

    @Test("have one of four words for a level")
    func levels() {
        let words = Logger.Level.allCases.map { level in
            logged { logger in
                logger.logLevel = .trace
                logger.log(level: level, "m")
            }.first?.split(separator: "\"")[7]
        }
        #expect(words == ["debug", "debug", "info", "info", "warn", "error", "error"])
    }

    @Test(
        "are written from the configured level on",
        arguments: [(LogLevel.debug, 4), (.info, 3), (.warn, 2), (.error, 1)])
    func threshold(level: LogLevel, count: Int) {
        let lines = logged(level: level) { logger in
            logger.trace("m")
            logger.debug("m")
            logger.info("m")
            logger.warning("m")
            logger.error("m")
        }
        #expect(lines.count == count)
    }

    @Test(
        "escape any text",
        arguments: [
            ("", ""), ("plain é ☺ 𝄞", "plain é ☺ 𝄞"), ("\"\\", #"\"\\"#),
            ("\n\r\t", #"\n\r\t"#), ("\r\n", #"\r\n"#),
            ("\u{0}\u{1B}\u{1F}", #"\u0000\u001b\u001f"#),
            ("\u{7F}\u{85}", #"\u007f\u0085"#), ("\u{2028}\u{2029}", #"\u2028\u2029"#),
            ("\u{FFFD}\u{FEFF}", "\u{FFFD}\u{FEFF}"), ("\"\u{301}", "\\\"\u{301}"),
        ])
    func escapes(text: String, escaped: String) {
        var json = JSONText()
        json.string(text)
        #expect(json.bytes == Array("\"\(escaped)\"".utf8))
    }

    @Test("never show a secret")
    func secrets() throws {
        let target = try RedisURL.parse("redis://u:s3cr3t@h").target
        let lines = logged { logger in
            logger.info("\(target)", metadata: ["redis": .stringConvertible(target)])
            logger.info("m", metadata: ["p": "\(Secret("s3cr3t"))"])
        }
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { !$0.contains("s3cr3t") && $0.contains("***") })
    }
}
