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
        "03018bcfe5687b0123456789abcdef-07", "03018bcfe5687b0123456789abcdef-00", "0", "01", "2",
        "%", "%zz", "%ff", "1%00", "03018bcfe5687b0123456789abcdef-1 ",
        "03018bcfe5687b0123456789abcdef-%2B1", "03018bcfe5687b0123456789abcdef+1",
    ])
    func nothingElseIsAPosition(text: String) {
        #expect(StreamPosition(text) == nil)
        #expect(ResumeRequest(query: "resume=\(text)") == .unknown)
    }

    @Test func aQueryTellsWhetherAPageCanResume() {
        #expect(ResumeRequest(query: nil) == nil)
        #expect(ResumeRequest(query: "") == nil)
        #expect(ResumeRequest(query: "x=1&resumes=1") == nil)
        #expect(ResumeRequest(query: "resume") == nil)
        #expect(ResumeRequest(query: "Resume=1") == nil)
        #expect(ResumeRequest(query: "x=1&resume=1") == .begin)
        #expect(ResumeRequest(query: "&&resume=1&x=resume=2&") == .begin)
    }

    @Test func aProxyMayEncodeWhatItPassesOn() {
        let position = StreamPosition(Self.epoch, 42)
        let encoded = "03018bcfe5687b0123456789abcdef%2d42"
        #expect(ResumeRequest(query: "resume=" + encoded) == .after(position))
        #expect(ResumeRequest(query: "%72esume=%31") == .begin)
    }

    @Test func aQueryThatSaysItTwiceIsOfUseOnlyWhereItSaysTheSame() {
        let text = Self.text(StreamPosition(Self.epoch, 42))
        #expect(ResumeRequest(query: "resume=1&resume=1") == .begin)
        #expect(ResumeRequest(query: "resume=1&resume=2") == .unknown)
        #expect(ResumeRequest(query: "resume=1&resume=\(text)") == .unknown)
        #expect(ResumeRequest(query: "resume=\(text)&resume=1") == .unknown)
    }

    /// The payloads behind a number; nil where not all of them are held.
    private static func payloads(_ stream: ResumeStream, after number: UInt64) -> [[UInt8]]? {
        guard var cursor = stream.cursor(after: number) else { return nil }
        var payloads: [[UInt8]] = []
        var payload: [UInt8] = []
        while stream.next(&cursor, into: &payload) { payloads.append(payload) }
        #expect(cursor.number == stream.last)
        return payloads
    }

    @Test func aStreamHoldsTheLastMessagesUpToItsBytes() {
        let stream = ResumeStream(Self.epoch)
        #expect(stream.holds(after: 0) && !stream.holds(after: 1))
        let cost = 2 + ResumeStream.messageCost
        for number in UInt8(1)...5 {
            _ = stream.append([number, number].span, limit: 3 * cost)
        }
        #expect(stream.last == 5 && stream.byteCount == 3 * cost && stream.messageCount == 3)
        #expect(!stream.holds(after: 1) && stream.holds(after: 2) && stream.holds(after: 5))
        #expect(!stream.holds(after: 6))
        #expect(Self.payloads(stream, after: 2) == [[3, 3], [4, 4], [5, 5]])
        #expect(Self.payloads(stream, after: 3) == [[4, 4], [5, 5]])
        #expect(Self.payloads(stream, after: 5) == [])
        #expect(Self.payloads(stream, after: 1) == nil && Self.payloads(stream, after: 6) == nil)
    }

    @Test func withOneByteLessTheOldestIsForgotten() {
        let cost = 2 + ResumeStream.messageCost
        for (limit, held) in [(2 * cost, 2), (2 * cost - 1, 1), (cost, 1), (cost - 1, 0), (0, 0)] {
            let stream = ResumeStream(Self.epoch)
            for _ in 0..<2 { _ = stream.append([1, 2].span, limit: limit) }
            #expect(stream.messageCount == held, "\(limit)")
        }
    }

    @Test func messagesWithoutBytesAreBoundedToo() {
        let stream = ResumeStream(Self.epoch)
        let nothing: [UInt8] = []
        for _ in 0..<10_000 { _ = stream.append(nothing.span, limit: 1000) }
        #expect(stream.messageCount == 1000 / ResumeStream.messageCost)
        #expect(Self.payloads(stream, after: 9_990)?.count == 10)
    }

    @Test func aMessageThatIsTooLargeAloneIsNotHeldNorIsAnythingBeforeIt() {
        let stream = ResumeStream(Self.epoch)
        let cost = ResumeStream.messageCost
        #expect(stream.append([1, 2].span, limit: cost + 4) == cost + 2)
        #expect(stream.append([1, 2, 3, 4, 5].span, limit: cost + 4) == -(cost + 2))
        #expect(stream.byteCount == 0 && stream.last == 2 && !stream.holds(after: 1))
        #expect(stream.holds(after: 2))
        #expect(stream.append([3].span, limit: cost + 4) == cost + 1)
        #expect(Self.payloads(stream, after: 2) == [[3]] && Self.payloads(stream, after: 1) == nil)
    }

    @Test func whateverLengthsComeEachMessageIsWhatItWas() {
        var random = SystemRandomNumberGenerator()
        for limit in [40, 100, 300, 5000] {
            let stream = ResumeStream(Self.epoch)
            var all: [[UInt8]] = []
            var held = 0
            for number in 0..<500 {
                let length = Int.random(in: 0...60, using: &random)
                let payload = [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: length)
                all.append(payload)
                held += stream.append(payload.span, limit: limit)
                #expect(held == stream.byteCount && held <= limit)
                let count = stream.messageCount
                #expect(
                    Self.payloads(stream, after: UInt64(all.count - count))
                        == Array(all.suffix(count)))
                if number % 97 == 96 { held -= stream.forgetHalf() }
            }
        }
    }

    @Test func whatIsForgottenWhileAPageCatchesUpIsMissedByIt() {
        let stream = ResumeStream(Self.epoch)
        for number in UInt8(1)...8 { _ = stream.append([number].span, limit: 1000) }
        guard var cursor = stream.cursor(after: 2) else {
            Issue.record("they are held")
            return
        }
        var payload: [UInt8] = []
        var moved = stream.next(&cursor, into: &payload)
        #expect(moved && payload == [3])
        let forgotten = stream.forgetHalf()
        #expect(forgotten == 4 * (1 + ResumeStream.messageCost))
        moved = stream.next(&cursor, into: &payload)
        #expect(!moved && cursor.number == 3)
        cursor = stream.cursor(after: 5) ?? cursor
        moved = stream.next(&cursor, into: &payload)
        #expect(moved && payload == [6])
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
