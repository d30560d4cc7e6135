@testable import Relay
import Testing
import WSFrame

/// A connection to the admin listener, and what the command line makes of its answers.
@Suite struct AdminConnectionTests {
    private static let start = Instant(nanoseconds: 1_000_000_000)

    /// Feeds a request; gives back the action and the connection's answer so far.
    private func feed(
        _ text: String, to connection: inout AdminConnection
    ) -> (AdminAction, String) {
        let bytes = Array(text.utf8)
        var offset = 0
        var reply: [UInt8] = []
        let action = connection.receive(
            bytes, from: &offset, to: bytes.count, now: Self.start, reply: &reply)
        return (action, String(decoding: reply, as: UTF8.self))
    }

    private func isRoute(_ action: AdminAction) -> Bool {
        if case .route = action { true } else { false }
    }

    @Test func aRequestIsRoutedAndWhatFollowsItIsForNobody() {
        var connection = AdminConnection(now: Self.start)
        #expect(isRoute(feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", to: &connection).0))
        #expect(connection.state == .waiting)
        let (action, reply) = feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n", to: &connection)
        #expect(action == .none && reply == "")
    }

    @Test(arguments: [
        ("nonsense\r\n\r\n", "400"), ("GET / HTTP/2.0\r\n\r\n", "505"),
        ("GET / HTTP/1.1\r\n\r\n", "400"),
    ])
    func whatIsNoRequestIsRefused(text: String, status: String) {
        var connection = AdminConnection(now: Self.start)
        let (action, reply) = feed(text, to: &connection)
        #expect(action == .finish)
        #expect(reply.hasPrefix("HTTP/1.1 \(status) "))
        #expect(connection.state == .finishing)
    }

    @Test func whoAsksNothingIsClosedInTime() {
        let connection = AdminConnection(now: Self.start)
        #expect(connection.timedOut(now: Self.start + .seconds(9)) == .none)
        #expect(connection.timedOut(now: Self.start + AdminConnection.requestLimit) == .close)
    }

    @Test func aStreamLastsAsLongAsItIsToAndAnAnswerMayTakeItsTime() {
        var connection = AdminConnection(now: Self.start)
        _ = feed("POST /debug/trace HTTP/1.1\r\nHost: a\r\n\r\n", to: &connection)
        var reply: [UInt8] = []
        let end = Self.start + .seconds(3600)
        connection.beginStream(until: end, reply: &reply)
        #expect(connection.timedOut(now: end) == .none)
        connection.endStream(now: end, reply: &reply)
        #expect(connection.timedOut(now: end + AdminConnection.answerLimit) == .close)
    }

    @Test func theAnswerToHeadHasNoBody() {
        var connection = AdminConnection(now: Self.start)
        _ = feed("HEAD /health HTTP/1.1\r\nHost: a\r\n\r\n", to: &connection)
        var reply: [UInt8] = []
        connection.respond(HTTPResponse(status: 200, text: "OK"), now: Self.start, reply: &reply)
        let text = String(decoding: reply, as: UTF8.self)
        #expect(text.contains("Content-Length: 2\r\n") && text.hasSuffix("\r\n\r\n"))
    }

    /// The bytes of a stream of two pieces, asked for in this version of HTTP.
    private func streamed(_ version: String) -> [UInt8] {
        var connection = AdminConnection(now: Self.start)
        _ = feed("POST /debug/trace HTTP/\(version)\r\nHost: a\r\n\r\n", to: &connection)
        var reply: [UInt8] = []
        connection.beginStream(until: Self.start + .seconds(30), reply: &reply)
        connection.stream(Array("one\n".utf8), reply: &reply)
        connection.stream([], reply: &reply)
        connection.stream(Array("two, longer than fifteen\n".utf8), reply: &reply)
        connection.endStream(now: Self.start, reply: &reply)
        // Nothing may follow the end.
        connection.stream(Array("late\n".utf8), reply: &reply)
        return reply
    }

    @Test func aStreamIsWrittenInChunks() {
        let text = String(decoding: streamed("1.1"), as: UTF8.self)
        #expect(text.contains("Transfer-Encoding: chunked\r\n"))
        #expect(
            text.hasSuffix(
                "\r\n\r\n4\r\none\n\r\n19\r\ntwo, longer than fifteen\n\r\n0\r\n\r\n"))
    }

    @Test func whoKnowsNoChunksGetsThePlainLines() {
        let text = String(decoding: streamed("1.0"), as: UTF8.self)
        #expect(!text.contains("Transfer-Encoding"))
        #expect(text.hasSuffix("\r\n\r\none\ntwo, longer than fifteen\n"))
    }

    // MARK: - The answer, as it is read

    /// Reads bytes in two parts; gives back the body, and whether it has come to its end.
    private func read(_ bytes: [UInt8], split: Int) throws -> (String, AdminAnswer) {
        var answer = AdminAnswer()
        var content: [UInt8] = []
        try answer.feed(Array(bytes[..<split]), content: &content)
        try answer.feed(Array(bytes[split...]), content: &content)
        return (String(decoding: content, as: UTF8.self), answer)
    }

    @Test func aStreamIsReadWhereverItIsCut() throws {
        let bytes = streamed("1.1")
        for split in 0...bytes.count {
            let (text, answer) = try read(bytes, split: split)
            #expect(text == "one\ntwo, longer than fifteen\n")
            #expect(answer.status == 200 && answer.isComplete)
        }
        for end in 0..<bytes.count {
            let (_, answer) = try read(Array(bytes[..<end]), split: 0)
            #expect(!answer.isComplete && (!answer.endsWithConnection || answer.status == nil))
        }
    }

    @Test func bodiesOfKnownLengthAndOfNoneAreRead() throws {
        var bytes: [UInt8] = []
        HTTPResponse(status: 409, text: "on already\n").append(to: &bytes)
        for split in 0...bytes.count {
            let (text, answer) = try read(bytes, split: split)
            #expect(text == "on already\n" && answer.status == 409 && answer.isComplete)
        }
        let (text, answer) = try read(streamed("1.0"), split: 10)
        #expect(text == "one\ntwo, longer than fifteen\n" && answer.endsWithConnection)
    }

    @Test(arguments: [
        "SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 ok\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        String(repeating: "x", count: 20_000),
    ])
    func whatIsNoAnswerIsRefused(text: String) {
        #expect(throws: AdminAnswer.Malformed.self) { try read(Array(text.utf8), split: 0) }
    }

    // MARK: - Lines on their way

    @Test func linesThatAreNotTakenAreDroppedAndToldOf() {
        let lines = LineStream(capacity: 10, note: { Array("(\($0) dropped)\n".utf8) })
        for _ in 0..<5 { lines.write(Array("line\n".utf8)) }
        #expect(lines.dropped == 3)
        #expect(String(decoding: lines.takeAll(), as: UTF8.self) == "line\nline\n(3 dropped)\n")
        #expect(lines.takeAll() == [])
    }
}
