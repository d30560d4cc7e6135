import Testing
import WSFrame

@testable import Relay

/// A page against bytes of a relay, by a clock of the test's own.
private struct Page {
    var machine: LoadPage
    var random = SplitMix64(seed: 5)
    private var upgrade = WebSocketClientHandshake(nonce: (1, 2))

    init(_ policy: ReturnPolicy = .script) {
        machine = LoadPage(dialDue: Self.at(0), pingInterval: .seconds(5), policy: policy)
    }

    static func at(_ milliseconds: Int64) -> BootTime {
        BootTime(nanoseconds: 0) + .milliseconds(milliseconds)
    }

    mutating func feed(_ bytes: [UInt8], at milliseconds: Int64 = 0) -> [LoadPageAction] {
        var buffer = bytes
        var offset = 0
        var actions: [LoadPageAction] = []
        while true {
            let action = machine.receive(
                &buffer, from: &offset, to: buffer.count, now: Self.at(milliseconds))
            if action == .none { return actions }
            actions.append(action)
        }
    }

    mutating func say(_ text: String, at milliseconds: Int64 = 0) -> [LoadPageAction] {
        var bytes: [UInt8] = []
        FrameEncoder.appendText(text, to: &bytes)
        return feed(bytes, at: milliseconds)
    }

    /// Dials and upgrades; what the page does at the 101.
    mutating func open(at milliseconds: Int64 = 0) -> [LoadPageAction] {
        machine.dial(upgrade, now: Self.at(milliseconds))
        machine.connected()
        var request: [UInt8] = []
        upgrade.appendRequest(host: "relay", path: "/a:b", to: &request)
        let key =
            String(decoding: request, as: UTF8.self).split(separator: "\r\n")
            .first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19) ?? ""
        var answer: [UInt8] = []
        WebSocketUpgrade.appendAcceptance(
            acceptKey: WebSocketUpgrade.acceptKey(for: String(key)), to: &answer)
        return feed(answer, at: milliseconds)
    }

    mutating func end(at milliseconds: Int64) -> Nanoseconds {
        machine.ended(now: Self.at(milliseconds), random: &random)
        return machine.deadline - Self.at(milliseconds)
    }
}

@Suite struct LoadPageTests {
    private static let ping = #"{"type":"ping"}"#

    @Test func opensSaysInitAndIsLiveAtTheFirstPing() {
        var page = Page()
        #expect(page.open() == [.opened])
        #expect(page.machine.state == .open && !page.machine.isLive)
        #expect(page.say(Self.ping, at: 2) == [.live])
        #expect(page.machine.isLive)
        #expect(page.say(Self.ping, at: 5040) == [.ping(lateness: .milliseconds(38))])
    }

    @Test func messagesAreHandedOutAlsoInPieces() {
        var page = Page()
        _ = page.open()
        var frame: [UInt8] = []
        FrameEncoder.appendText(
            #"{"type":"status","data":"s2l1 0000000a 3 77 "}"#, to: &frame)
        let payload = LoadPayload(sender: 10, number: 3, unixTime: 77)
        #expect(page.feed(Array(frame.prefix(9))) == [])
        #expect(page.feed(Array(frame.dropFirst(9))) == [.message(payload)])
    }

    @Test func pingsOfTheProtocolAreAnswered() {
        var page = Page()
        _ = page.open()
        var frame: [UInt8] = []
        FrameEncoder.append(.ping, [7].span, to: &frame)
        guard case .pong(let payload)? = page.feed(frame).first else {
            Issue.record("no pong")
            return
        }
        #expect(payload.bytes(in: frame) == [7])
    }

    @Test func aRefusalSaysItsStatus() {
        var page = Page()
        page.machine.dial(WebSocketClientHandshake(nonce: (1, 2)), now: Page.at(0))
        page.machine.connected()
        let answer = Array("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".utf8)
        #expect(page.feed(answer) == [.fail("status 503")])
    }

    @Test func aBrokenFrameFailsTheConnection() {
        var page = Page()
        _ = page.open()
        #expect(page.feed([0xFF, 0x00]).count == 1)
    }

    @Test func comesBackAfterAPlainCloseAsTheScriptDoes() {
        var page = Page()
        _ = page.open()
        var close: [UInt8] = []
        FrameEncoder.appendClose(code: 1012, to: &close)
        #expect(page.feed(close) == [.close(code: 1012)])
        #expect(page.machine.state == .closing && page.machine.closeCode == 1012)
        let waits = (0..<6).map { page.end(at: Int64($0) * 60_000).milliseconds }
        #expect(waits == [1500, 3000, 6000, 12_000, 15_000, 15_000])
        // An opening that succeeds starts it over.
        _ = page.open(at: 500_000)
        #expect(page.end(at: 501_000) == .milliseconds(1500))
    }

    @Test func takesHangupForTheEnd() {
        var page = Page()
        _ = page.open()
        #expect(page.say(#"{"type":"hangup"}"#) == [.notice(.hangup)])
        _ = page.end(at: 10)
        #expect(page.machine.state == .gone && page.machine.deadline == .never)
    }

    @Test func fastOnesComeBackAtOnceButNotTogether() {
        let waits = (0..<50).map { seed in
            var page = Page(.fast)
            page.random = SplitMix64(seed: UInt64(seed))
            return page.end(at: 0).milliseconds
        }
        #expect(waits.allSatisfy { (50...500).contains($0) })
        #expect(Set(waits).count > 30)
    }

    @Test func withoutAPolicyItStaysAway() {
        var page = Page(.none)
        _ = page.open()
        _ = page.end(at: 0)
        #expect(page.machine.state == .gone)
    }

    @Test func theTimeWithoutAStreamIsMeasuredFromItsEndToTheNextPing() {
        var page = Page()
        _ = page.open()
        _ = page.say(Self.ping, at: 0)
        #expect(page.machine.returned(now: Page.at(0)) == nil)
        _ = page.end(at: 10_000)
        // A failed attempt between does not start it over.
        page.machine.dial(WebSocketClientHandshake(nonce: (3, 4)), now: Page.at(11_500))
        _ = page.end(at: 11_501)
        _ = page.open(at: 14_501)
        #expect(page.say(Self.ping, at: 14_520) == [.live])
        #expect(page.machine.returned(now: Page.at(14_520)) == .milliseconds(4520))
    }
}
