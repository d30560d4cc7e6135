import RESP
@testable import Relay
import Testing

/// The machine that makes lines of bytes.
@Suite struct TraceTests {
    static let time: Int64 = 1_795_423_534_123_456_000
    static let head = "2026-11-23T08:45:34.123456Z link=3"

    static func make(
        _ format: TraceOptions.Format = .text, maximum: Int? = nil, secrets: [String] = []
    ) -> Trace {
        var options = TraceOptions()
        options.format = format
        options.maximumStringBytes = maximum
        var trace = Trace(options: options, secrets: secrets.map(Secret.init), valueLimit: 1000)
        trace.begin(link: 3, channel: Array("run:status".utf8), unparsed: [])
        return trace
    }

    /// The lines of one piece of the traffic.
    static func lines(
        _ trace: inout Trace, _ bytes: String, _ direction: Trace.Direction = .received
    ) -> [String] {
        trace.take(Array(bytes.utf8)[...], link: 3, direction, at: Self.time)
        return trace.takeLines().map { String(decoding: $0, as: UTF8.self) }
    }

    static func encoded(_ command: String...) -> String {
        var encoder = RESPEncoder()
        encoder.command(command)
        return String(decoding: encoder.bytes, as: UTF8.self)
    }

    static func hexadecimal(_ text: String) -> String {
        text.utf8.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    @Test(
        "each form",
        arguments: [
            (.text, "\(head) in >[\"message\", \"a:b\", \"hi\\n\"]\n"),
            (
                .json,
                #"{"time":"2026-11-23T08:45:34.123456Z","link":3,"direction":"in","resp":"#
                    + #"{"type":"push","value":[{"type":"blob_string","value":"message"},"#
                    + #"{"type":"blob_string","value":"a:b"},"#
                    + #"{"type":"blob_string","value":"hi\n"}]}}"# + "\n"
            ),
            (
                .hex,
                "hex \(head) in 3e330d0a24370d0a6d6573736167650d0a24330d0a613a620d0a24330d0a68690a"
                    + "0d0a\n"
            ),
        ] as [(TraceOptions.Format, String)])
    func forms(_ format: TraceOptions.Format, _ line: String) {
        let wire = ">3\r\n$7\r\nmessage\r\n$3\r\na:b\r\n$3\r\nhi\n\r\n"
        var trace = Self.make(format)
        #expect(Self.lines(&trace, wire) == [line])
        // Byte by byte the line comes with the last byte.
        var pieces: [[String]] = []
        for byte in wire.unicodeScalars { pieces.append(Self.lines(&trace, String(byte))) }
        #expect(pieces.dropLast().joined().isEmpty)
        #expect(pieces.last == [line])
    }

    @Test("passwords of commands are masked", arguments: TraceOptions.Format.allCases)
    func masking(_ format: TraceOptions.Format) {
        var trace = Self.make(format)
        let hello = Self.encoded("HELLO", "3", "AUTH", "me", "s3cr3t", "SETNAME", "x")
        let auth = Self.encoded("auth", "s3cr3t")
        let lines = Self.lines(&trace, hello + auth, .sent)
        #expect(lines.count == 2)
        for line in lines {
            #expect(!line.contains("s3cr3t") && !line.contains(Self.hexadecimal("s3cr3t")))
            #expect(line.contains(format == .hex ? Self.hexadecimal("***") : "***"))
        }
        #expect(lines[0].contains(format == .hex ? Self.hexadecimal("SETNAME") : "SETNAME"))
    }

    @Test("what Redis repeats of a command is masked", arguments: TraceOptions.Format.allCases)
    func echoes(_ format: TraceOptions.Format) {
        var trace = Self.make(format, secrets: ["s3cr3t"])
        let unknown =
            "-ERR unknown command `HELLO`, with args beginning with: `3`, `AUTH`, `me`, `s3c\r\n"
        let other = "-ERR bad s3cr3t and s3cr3t\r\n"
        let malformed = "?s3cr3t\r\n"
        for wire in [unknown, other, malformed] {
            let lines = Self.lines(&trace, wire)
            #expect(lines.count == 1)
            #expect(!lines[0].contains("s3c") && !lines[0].contains(Self.hexadecimal("s3c")))
        }
    }

    @Test func stringsAreShortenedInEveryForm() {
        let wire = "*2\r\n$5\r\nhello\r\n%1\r\n$1\r\nk\r\n$5\r\nworld\r\n"
        var text = Self.make(.text, maximum: 2)
        #expect(
            Self.lines(&text, wire)
                == ["\(Self.head) in [\"he\"...(+3 bytes), {\"k\" => \"wo\"...(+3 bytes)}]\n"])
        var json = Self.make(.json, maximum: 2)
        #expect(Self.lines(&json, wire)[0].contains(#""omitted":6,"resp":{"#))
        var hex = Self.make(.hex, maximum: 2)
        let short = Self.hexadecimal("*2\r\n$2\r\nhe\r\n%1\r\n$1\r\nk\r\n$2\r\nwo\r\n")
        #expect(Self.lines(&hex, wire) == ["hex \(Self.head) in omitted=6 \(short)\n"])
    }

    @Test func bytesThatAreNoRESPAreShownInHexAndWhatFollowsIsCounted() {
        var trace = Self.make()
        #expect(
            Self.lines(&trace, ":1\r\n\u{1}abc") == [
                "\(Self.head) in (integer) 1\n", "\(Self.head) in (not RESP) 01616263\n",
            ])
        #expect(Self.lines(&trace, ":2\r\n").isEmpty)
        trace.end(link: 3, at: Self.time)
        #expect(Self.lines(&trace, "") == ["\(Self.head) in (4 bytes not shown)\n"])
        #expect(!trace.knows(link: 3))
    }

    @Test func aValueOverTheLimitIsCountedAndTheStreamIsTakenUpBehindIt() {
        var trace = Self.make()
        #expect(
            Self.lines(&trace, "$2000\r\n" + String(repeating: "x", count: 1500)).isEmpty)
        #expect(trace.needsAlignment(link: 3))
        #expect(Self.lines(&trace, String(repeating: "x", count: 500) + "\r\n:1").isEmpty)
        trace.align(link: 3, unparsed: Array(":1".utf8), at: Self.time)
        #expect(
            Self.lines(&trace, "2\r\n") == [
                "\(Self.head) in (2009 bytes not shown)\n", "\(Self.head) in (integer) 12\n",
            ])
        #expect(!trace.needsAlignment(link: 3))
    }

    @Test func aTraceThatBeginsAmidAValueWaitsForTheNext() {
        var trace = Self.make()
        trace.begin(link: 3, channel: nil, unparsed: nil)
        #expect(Self.lines(&trace, "lo\r\n:7\r\n").isEmpty)
        trace.align(link: 3, unparsed: [], at: Self.time)
        #expect(
            Self.lines(&trace, ":8\r\n") == [
                "\(Self.head) in (8 bytes not shown)\n", "\(Self.head) in (integer) 8\n",
            ])
    }

    @Test func linksThatAreNotWantedAreNotKept() {
        var options = TraceOptions()
        options.link = 2
        let isMalformedTaken = options.restrict(toChannels: "[a")
        let isTaken = options.restrict(toChannels: "run?:*")
        #expect(isTaken && !isMalformedTaken)
        var trace = Trace(options: options, secrets: [], valueLimit: 100)
        let channels: [(UInt64, String?)] = [(1, "run1:a"), (2, "run1:a"), (3, nil)]
        for (link, channel) in channels {
            trace.begin(link: link, channel: channel.map { Array($0.utf8) }, unparsed: [])
            trace.take(Array(":\(link)\r\n".utf8)[...], link: link, .received, at: Self.time)
        }
        let lines = trace.takeLines().map { String(decoding: $0, as: UTF8.self) }
        #expect(lines == ["2026-11-23T08:45:34.123456Z link=2 in (integer) 2\n"])
        #expect(!options.shows(link: 2, channel: nil))
        #expect(!options.shows(link: 2, channel: Array("run:a".utf8)))
    }

    @Test func aFullQueueDropsLinesAndTellsWhereAndHowMany() {
        var queue = LineQueue(capacity: 10) { Array("-\($0)\n".utf8) }
        var outcomes: [LineQueue.Outcome] = []
        for line in ["12345", "678901", "678902", "67", "890"] {
            outcomes.append(queue.append(Array("\(line)\n".utf8)))
        }
        #expect(outcomes == [.first, .dropped, .dropped, .queued, .dropped])
        let taken = queue.takeAll()
        #expect(String(decoding: taken, as: UTF8.self) == "12345\n-2\n67\n-1\n")
        #expect(queue.dropped == 3)
        let rest = queue.takeAll()
        #expect(rest.isEmpty)
    }
}
