import Testing

@testable import Relay

@Suite("Channel paths")
struct ChannelPathTests {
    @Test(
        "name a channel byte for byte",
        arguments: [
            ("/run:status", "run", "status"), ("/run:status/", "run", "status"),
            ("run:status", "run", "status"), ("/a;;b%3Bc:wepp", "a;;b;c", "wepp"),
            ("/A.b_c-9;x:Y.z_0-", "A.b_c-9;x", "Y.z_0-"), ("/%72un%3Astatus", "run", "status"),
            ("/run:status?token=1/2:%zz", "run", "status"), ("%2Frun:status%2f", "run", "status"),
            ("/.:.", ".", "."), ("/..:..", "..", ".."), ("/health:metrics", "health", "metrics"),
        ])
    func valid(target: String, runID: String, channel: String) throws {
        guard case .channel(let name) = ChannelPath(target: target.utf8) else {
            Issue.record("\(target) is refused")
            return
        }
        #expect(name.runID == runID)
        #expect(name.channel == channel)
        #expect(name.bytes == Array("\(runID):\(channel)".utf8))
    }

    @Test("know the root", arguments: ["/", "", "/?x", "?x", "%2F"])
    func root(target: String) {
        #expect(ChannelPath(target: target.utf8) == .root)
    }

    @Test(
        "refuse everything else",
        arguments: [
            "//", "//run:status", "/run:status//", "/run", "/run:", "/:status", "/:", "/a:b:c",
            "/a::b", "/a:b;c", "/a/b:c", "/a:b/c", "/a b:c", "/a%20b:c", "/a+b:c", "/a:b%0A",
            "/a:b\n", "/\na:b", "/a%00:b", "/a:b%", "/a:b%3", "/a:b%zz", "/a%3:b", "/a%+1:b",
            "/é:b", "/a:%C3%A9", "/a:b#c", "/a*:b", "/a:*", "/a,b:c", "/a=b:c", "/a:b\\",
            "/a%252E:b",
            "/health", "/ready", "/metrics", "/console", "http://h/a:b", "*",
        ])
    func invalid(target: String) {
        #expect(ChannelPath(target: target.utf8) == .invalid)
    }

    @Test("take each byte exactly where the pattern has it")
    func everyByte() {
        let plain = Set(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-".utf8)
        for byte in UInt8.min...UInt8.max {
            let inRun = ChannelName(bytes: [0x61, byte, 0x3A, 0x62]) != nil
            let inChannel = ChannelName(bytes: [0x61, 0x3A, byte]) != nil
            #expect(inRun == (plain.contains(byte) || byte == UInt8(ascii: ";")), "byte \(byte)")
            #expect(inChannel == plain.contains(byte), "byte \(byte)")
        }
    }

    @Test("are at most 512 bytes long, decoded")
    func length() {
        let longest = String(repeating: "r", count: 510) + ":c"
        #expect(ChannelPath(target: "/\(longest)/".utf8) != .invalid)
        #expect(ChannelPath(target: "/\(longest)c".utf8) == .invalid)
        let escaped = String(repeating: "%72", count: 510) + ":c"
        #expect(ChannelPath(target: "/\(escaped)".utf8) == ChannelPath(target: "/\(longest)".utf8))
    }
}
