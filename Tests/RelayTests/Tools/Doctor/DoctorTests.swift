import RESP
import Testing

@testable import Relay

/// What is read from Redis's answers, and what becomes of verdicts.
@Suite("The doctor") struct DoctorTests {
    @Test("reads the limit of subscribers' output buffers")
    func outputBuffer() throws {
        let text = "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"
        let standard = try #require(PubSubBufferLimit(text))
        #expect(standard.description == "33554432 8388608 60" && !standard.isTighterThanStandard)
        #expect(PubSubBufferLimit("pubsub 33554432 0 0")?.isTighterThanStandard == false)
        #expect(PubSubBufferLimit("pubsub 1048576 0 0")?.isTighterThanStandard == true)
        #expect(PubSubBufferLimit("pubsub 33554432 1024 60")?.isTighterThanStandard == true)
        #expect(PubSubBufferLimit("normal 0 0 0") == nil && PubSubBufferLimit("pubsub 1") == nil)
    }

    private func value(_ wire: String) throws -> RESPValue {
        var parser = RESPParser()
        return try #require(try parser.next(Array(wire.utf8).span, from: 0).value)
    }

    @Test("reads the channels of a user as Redis 6.2 and as Redis 7 tell them")
    func channels() throws {
        let seven = try value("*4\r\n$5\r\nflags\r\n*0\r\n$8\r\nchannels\r\n$8\r\n&a:* &b:\r\n")
        #expect(Doctor.channels(of: seven) == "a:* b:")
        let six = try value("*2\r\n$8\r\nchannels\r\n*1\r\n$1\r\n*\r\n")
        #expect(Doctor.channels(of: six) == "*")
        #expect(
            Doctor.channels(of: try value("*2\r\n$8\r\nchannels\r\n$0\r\n\r\n")) == "no channel")
        #expect(Doctor.channels(of: try value("*0\r\n")) == nil)
    }

    @Test("ends with the worst verdict, and holds what is unknown against nobody")
    func status() {
        func diagnosis(_ levels: Verdict.Level...) -> Diagnosis {
            Diagnosis(
                verdicts: levels.map { Verdict(subject: "x", level: $0, text: "a\n", advice: "b") })
        }
        #expect(diagnosis().level.status == 0 && diagnosis(.ok, .unknown).level.status == 0)
        #expect(diagnosis(.warn, .unknown, .ok).level.status == 1)
        #expect(diagnosis(.warn, .fail, .ok).level.status == 2)
        #expect(diagnosis(.warn).lines == "warn     x              \"a\\n: b\"\n")
        #expect(
            diagnosis(.warn).json
                == #"{"verdict":"warn","checks":[{"subject":"x","verdict":"warn","text":"a\n","#
                + #""advice":"b"}]}"# + "\n")
    }
}
