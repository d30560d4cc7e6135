import Testing

@testable import Relay

/// Positions in streams, and what a stream holds for pages that come back.
@Suite struct ResumeTests {
    private static let epoch = StreamEpoch(
        loop: 3, beganAt: 1_700_000_000_123, secret: 0x0123_4567_89AB_CDEF)

    private static func text(_ position: StreamPosition) -> String {
        var bytes: [UInt8] = []
        position.appendText(to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test func aPositionIsReadAsItIsWritten() {
        let position = StreamPosition(Self.epoch, 42)
        #expect(Self.text(position) == "03018bcfe5687b0123456789abcdef-42")
        #expect(StreamPosition(Self.text(position)) == position)
        #expect(ResumeRequest(query: "resume=" + Self.text(position)) == .after(position))
    }

    @Test(arguments: [
        "", "1-", "-1", "03018bcfe5687b0123456789abcdef", "03018bcfe5687b0123456789abcdef-",
        "03018BCFE5687B0123456789ABCDEF-1", "03018bcfe5687b0123456789abcdef-+1",
        "03018bcfe5687b0123456789abcdef--1", "03018bcfe5687b0123456789abcde-12",
        "03018bcfe5687b0123456789abcdef-1234567890123456", "g3018bcfe5687b0123456789abcdef-1",
    ])
    func nothingElseIsAPosition(text: String) {
        #expect(StreamPosition(text) == nil)
        #expect(ResumeRequest(query: "resume=\(text)") == .unknown)
    }

    @Test func aQueryTellsWhetherAPageCanResume() {
        #expect(ResumeRequest(query: nil) == nil)
        #expect(ResumeRequest(query: "") == nil)
        #expect(ResumeRequest(query: "x=1&resumes=1") == nil)
        #expect(ResumeRequest(query: "x=1&resume=1") == .begin)
        #expect(ResumeRequest(query: "resume=1&resume=2") == .begin)
    }

    @Test func aStreamHoldsTheLastMessagesUpToItsBytes() {
        let stream = ResumeStream(Self.epoch)
        #expect(stream.holds(after: 0) && !stream.holds(after: 1))
        for number in UInt8(1)...5 {
            _ = stream.append([number, number].span, limit: 6)
        }
        #expect(stream.last == 5 && stream.byteCount == 6)
        #expect(!stream.holds(after: 1) && stream.holds(after: 2) && stream.holds(after: 5))
        #expect(!stream.holds(after: 6))
        #expect(Array(stream.payloads(after: 3)) == [[4, 4], [5, 5]])
        #expect(Array(stream.payloads(after: 5)) == [])
    }

    @Test func aMessageThatIsTooLargeAloneIsNotHeld() {
        let stream = ResumeStream(Self.epoch)
        #expect(stream.append([1, 2].span, limit: 4) == 2)
        #expect(stream.append([1, 2, 3, 4, 5].span, limit: 4) == -2)
        #expect(stream.byteCount == 0 && stream.last == 2 && !stream.holds(after: 1))
        #expect(stream.holds(after: 2))
    }

    @Test func ofManyLossesTheOldestBecomeOneThatCoversThem() {
        let stream = ResumeStream(Self.epoch)
        for number in 0..<20 {
            let since = BootTime(nanoseconds: Int64(number * 10))
            stream.lost(since: since, until: BootTime(nanoseconds: Int64(number * 10 + 5)))
            _ = stream.append([1].span, limit: 100)
        }
        #expect(stream.losses.count == ResumeStream.lossLimit)
        #expect(stream.losses[0].since.nanoseconds == 0)
        // A page that has had the message behind a loss does not hear of it.
        #expect(stream.losses[0].after == 12)
        #expect(stream.losses.last?.after == 19)
    }
}
