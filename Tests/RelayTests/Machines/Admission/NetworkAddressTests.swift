import Testing

@testable import Relay

@Suite("Addresses and networks")
struct NetworkAddressTests {
    static let addresses: [(text: String, canonical: String)] = [
        ("0.0.0.0", "0.0.0.0"), ("255.255.255.255", "255.255.255.255"),
        ("192.0.2.1", "192.0.2.1"), ("::", "::"), ("::1", "::1"), ("1::", "1::"),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"), ("2001:db8::0001", "2001:db8::1"),
        ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
        ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
        ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("fe80::a:b", "fe80::a:b"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:c000:201", "192.0.2.1"),
        ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"),
        ("1:2:3:4:5:6:7.8.9.10", "1:2:3:4:5:6:708:90a"),
    ]

    @Test("are read and printed in their canonical form", arguments: addresses)
    func canonical(text: String, canonical: String) throws {
        let address = try #require(NetworkAddress(text))
        #expect(address.description == canonical)
        #expect(NetworkAddress(canonical) == address)
        // The kernel reads the same.
        #expect(SocketAddress(numeric: text, port: 1)?.networkAddress == address)
    }

    static let noAddresses = [
        "", " ", "1.2.3", "1.2.3.4.5", "1.2.3.256", "1.2.3.04", "01.2.3.4", "1.2.3.", ".1.2.3",
        "1..2.3", "+1.2.3.4", "1.2.3.4 ", "0x1.2.3.4", "1.2.3.4/8", "localhost", ":", ":::", "1:",
        ":1", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::",
        "::1:2:3:4:5:6:7:8", "1:2:3:4::5:6:7:8", "12345::", "g::", "::1%eth0", "[::1]",
        "1.2.3.4::", "::1.2.3", "::1.2.3.4:5", "::ffff:1.2.3.256", "1:2:3:4:5:6:7:1.2.3.4",
        String(repeating: "0:", count: 40), "١.2.3.4",
    ]

    @Test("are refused where the kernel refuses them", arguments: noAddresses)
    func malformed(text: String) {
        #expect(NetworkAddress(text) == nil)
        #expect(SocketAddress(numeric: text, port: 1) == nil)
    }

    @Test(
        "are what the kernel takes them for, whatever the text", arguments: 0..<40 as Range<UInt64>)
    func random(seed: UInt64) {
        var generator = SplitMix64(seed: seed)
        let pieces = ["0", "1", "ff", "abcd", "::", ":", ":", ":", ".", "255", "256", "ffff"]
        for _ in 0..<500 {
            let count = Int.random(in: 1...16, using: &generator)
            let text = (0..<count).map { _ in pieces.randomElement(using: &generator) ?? "" }
                .joined()
            let expected = SocketAddress(numeric: text, port: 1)?.networkAddress
            #expect(NetworkAddress(text) == expected, "\(text)")
        }
    }

    @Test(
        "are read as proxies write them",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:443", "192.0.2.1"), ("::1", "::1"),
            ("[::1]", "::1"), ("[2001:db8::1]:443", "2001:db8::1"),
            ("[::ffff:192.0.2.1]:1", "192.0.2.1"), ("unknown", nil), ("_hidden", nil), ("", nil),
            ("192.0.2.1:", nil), ("192.0.2.1:99999", nil), ("192.0.2.1:x", nil), ("[::1", nil),
            ("[::1]x", nil), ("[::1%eth0]:1", nil), ("\"192.0.2.1\"", nil), ("host:80", nil),
        ] as [(String, String?)])
    func forwarded(text: String, address: String?) {
        #expect(NetworkAddress(forwarded: text)?.description == address)
    }

    @Test(
        "of a network are those with its prefix",
        arguments: [
            (
                "10.0.0.0/8", ["10.0.0.0", "10.255.255.255", "::ffff:10.1.2.3"],
                ["11.0.0.0", "::a"]
            ),
            ("192.0.2.1", ["192.0.2.1"], ["192.0.2.0", "192.0.2.2"]),
            ("192.0.2.1/32", ["192.0.2.1"], ["192.0.2.2"]),
            ("192.0.2.77/30", ["192.0.2.76", "192.0.2.79"], ["192.0.2.75", "192.0.2.80"]),
            ("0.0.0.0/0", ["0.0.0.0", "255.1.1.1"], ["::", "2001:db8::1"]),
            ("::/0", ["::", "2001:db8::1"], ["192.0.2.1", "::ffff:192.0.2.1"]),
            ("2001:db8::/32", ["2001:db8:ffff::1"], ["2001:db9::", "32.1.13.184"]),
            ("2001:db8::/64", ["2001:db8::ffff:0:0:1"], ["2001:db8:0:1::"]),
            ("2001:db8::8000:0:0:0/65", ["2001:db8::f000:0:0:0"], ["2001:db8::7000:0:0:0"]),
            ("::1/128", ["::1"], ["::2", "127.0.0.1"]),
            ("::ffff:10.0.0.0/104", ["10.9.9.9"], ["11.0.0.0"]),
        ] as [(String, [String], [String])])
    func membership(text: String, inside: [String], outside: [String]) throws {
        let network = try #require(AddressNetwork(text))
        for address in inside {
            #expect(network.contains(try #require(NetworkAddress(address))), "\(address)")
        }
        for address in outside {
            #expect(!network.contains(try #require(NetworkAddress(address))), "\(address)")
        }
        #expect(AddressNetwork(network.description) == network)
    }

    @Test(
        "of a network are refused where it is malformed",
        arguments: [
            "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/08",
            "10.0.0.0/8/8", "10/8", "10.0.0.0 /8", "::/129", "::/1000", "::/x", "host/8",
        ])
    func malformedNetwork(text: String) {
        #expect(AddressNetwork(text) == nil)
    }

    @Test(
        "of networks print without the bits behind the prefix",
        arguments: [
            ("10.1.2.3/8", "10.0.0.0/8"), ("2001:db8::1/32", "2001:db8::/32"),
            ("192.0.2.1/32", "192.0.2.1"), ("::1/128", "::1"), ("::ffff:1.2.3.4/96", "0.0.0.0/0"),
        ])
    func printed(text: String, canonical: String) {
        #expect(AddressNetwork(text)?.description == canonical)
    }
}
