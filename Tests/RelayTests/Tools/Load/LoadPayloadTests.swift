import Testing
import WSFrame

@testable import Relay

@Suite struct LoadPayloadTests {
    private static let payload = LoadPayload(
        sender: 0xAB_0012, number: 987_654, unixTime: 1_790_000_000_123_456_789)

    private static func text(_ payload: LoadPayload, _ length: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = []
        payload.append(paddedTo: length, to: &bytes)
        return bytes
    }

    @Test(arguments: [0, 64, 65, 1000])
    func isAsLongAsAskedAndReadBack(length: Int) {
        let text = Self.text(Self.payload, length)
        #expect(text.count == max(length, Self.text(Self.payload).count))
        #expect(LoadPayload.find(in: text.span) == Self.payload)
    }

    @Test func theLongestHeadIsWithinItsLimit() {
        let longest = LoadPayload(sender: .max, number: UInt64(Int64.max), unixTime: .max)
        #expect(Self.text(longest).count <= LoadPayload.longestHead)
        #expect(LoadPayload.find(in: Self.text(longest).span) == longest)
    }

    @Test func isFoundInTheDaemonsFrames() {
        var storage: [UInt8] = []
        let payload = Self.text(Self.payload, 200)
        let (frame, replacements) = StatusFrame.build(payload.span, in: &storage)
        #expect(replacements == 0)
        let text = Array(storage[frame].dropFirst(4))
        #expect(LoadMessage(text.span) == .status(Self.payload))
    }

    @Test(arguments: [
        #"{"data":"s2l1 00ab0012 987654 1790000000123456789 xx","type":"status"}"#,
        #"{ "type" : "status", "data" : "s2l1 00ab0012 987654 1790000000123456789 " }"#,
    ])
    func isFoundWhereverItStands(text: String) {
        #expect(LoadMessage(text.utf8.span) == .status(Self.payload))
    }

    @Test(arguments: [
        "", "s2l1", "s2l1 ", "s2l1 00ab0012", "s2l1 00ab0012 5 6", "s2l1 00AB0012 5 6 ",
        "s2l1 00ab0012 x 6 ", "s2l1 00ab0012  6 ", "s2l1 00ab0012 99999999999999999999 6 ",
    ])
    func whatIsNoneIsNotTakenForOne(text: String) {
        #expect(LoadPayload.find(in: text.utf8.span) == nil)
    }

    @Test(
        arguments: [
            (#"{"type":"ping"}"#, LoadMessage.ping), (#"{"type":"hangup"}"#, .hangup),
            (#"{"type":"gap","reason":"x","from_ms":1,"to_ms":2}"#, .gap),
            (#"{"type":"outage","since_ms":1}"#, .outage),
            (#"{"type":"status","data":"of others"}"#, .status(nil)),
            (#"{"type":"status","data":"\"type\":\"ping\""}"#, .status(nil)),
            (#"{"type":"news"}"#, .other), (#"{"type":7}"#, .other), (#"{"type":"pi"#, .other),
            ("{}", .other), ("", .other), (#""type""#, .other), (#""type":"#, .other),
        ] as [(String, LoadMessage)])
    func messagesAreToldApart(text: String, expected: LoadMessage) {
        #expect(LoadMessage(text.utf8.span) == expected)
    }
}
