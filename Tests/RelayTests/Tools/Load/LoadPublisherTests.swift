import RESP
import Testing

@testable import Relay

@Suite struct LoadPublisherTests {
    private static let message = PublishedMessage(channel: 4, number: 9, livePages: 1)

    private static func answers(
        _ publisher: inout LoadPublisher, _ text: String
    ) -> [LoadPublisher.Answer] {
        let bytes = Array(text.utf8)
        var offset = 0
        var answers: [LoadPublisher.Answer] = []
        while true {
            let answer = publisher.receive(bytes, from: &offset, to: bytes.count)
            if answer == .none { return answers }
            answers.append(answer)
            if case .refused = answer { return answers }
        }
    }

    /// A publisher that may send.
    private static func ready() throws -> LoadPublisher {
        var publisher = LoadPublisher()
        var output = RESPEncoder()
        publisher.connected(to: try target("redis://h:1"), output: &output)
        #expect(!publisher.isReady)
        #expect(String(decoding: output.bytes, as: UTF8.self) == "*1\r\n$4\r\nPING\r\n")
        #expect(answers(&publisher, "+PONG\r\n") == [.ready])
        return publisher
    }

    private static func target(_ url: String) throws -> RedisTarget {
        try #require(LoadOptions.redis(url).target)
    }

    @Test func publishesAndReadsHowManyHeard() throws {
        var publisher = try Self.ready()
        var output = RESPEncoder()
        publisher.publish(
            Self.message, to: Array("a:b".utf8), payload: Array("hi".utf8), output: &output)
        #expect(
            String(decoding: output.bytes, as: UTF8.self)
                == "*3\r\n$7\r\nPUBLISH\r\n$3\r\na:b\r\n$2\r\nhi\r\n")
        #expect(Self.answers(&publisher, ":1\r\n") == [.receivers(Self.message, count: 1)])
        #expect(publisher.unansweredCount == 0)
    }

    @Test func logsInFirst() throws {
        var publisher = LoadPublisher()
        var output = RESPEncoder()
        publisher.connected(to: try Self.target("redis://u:p@h:1"), output: &output)
        #expect(!publisher.isReady)
        #expect(
            String(decoding: output.bytes, as: UTF8.self)
                == "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n*1\r\n$4\r\nPING\r\n")
        #expect(Self.answers(&publisher, "+OK\r\n") == [])
        #expect(Self.answers(&publisher, "+PONG\r\n") == [.ready])
        #expect(publisher.isReady)
    }

    @Test func aRefusedLogInIsSaidWithoutThePassword() throws {
        var publisher = LoadPublisher()
        var output = RESPEncoder()
        publisher.connected(to: try Self.target("redis://u:p@h:1"), output: &output)
        #expect(Self.answers(&publisher, "-WRONGPASS no\r\n") == [.refused("the log-in")])
    }

    @Test(arguments: [
        "-DENIED Redis is running in protected mode", "-NOAUTH Authentication required.",
    ])
    func aRedisThatRefusesTheConnectionIsFoundBeforeAnythingIsPublished(answer: String) throws {
        var publisher = LoadPublisher()
        var output = RESPEncoder()
        publisher.connected(to: try Self.target("redis://h:1"), output: &output)
        #expect(Self.answers(&publisher, answer + "\r\n") == [.refused(String(answer.dropFirst()))])
        #expect(!publisher.isReady)
    }

    @Test func aUserWhoMayNotPingMayPublish() throws {
        var publisher = LoadPublisher()
        var output = RESPEncoder()
        publisher.connected(to: try Self.target("redis://h:1"), output: &output)
        #expect(Self.answers(&publisher, "-NOPERM no permissions to run 'ping'\r\n") == [.ready])
    }

    @Test func whatWasNotAnsweredIsHandedOutAtTheEnd() throws {
        var publisher = try Self.ready()
        var output = RESPEncoder()
        for number: UInt64 in 0..<3 {
            publisher.publish(
                PublishedMessage(channel: 0, number: number, livePages: 1), to: [1], payload: [2],
                output: &output)
        }
        _ = Self.answers(&publisher, ":0\r\n")
        #expect(publisher.disconnected().map(\.number) == [1, 2])
        #expect(!publisher.isReady && publisher.unansweredCount == 0)
    }

    @Test(arguments: ["-NOPERM x\r\n", "+OK\r\n", "garbage\r\n"])
    func anythingButANumberEndsTheConnectionAndLosesNoMessage(answer: String) throws {
        var publisher = try Self.ready()
        var output = RESPEncoder()
        publisher.publish(Self.message, to: [1], payload: [2], output: &output)
        let answers = Self.answers(&publisher, answer)
        guard case .refused? = answers.first else {
            Issue.record("\(answers)")
            return
        }
        #expect(Array(publisher.disconnected()) == [Self.message])
    }
}
