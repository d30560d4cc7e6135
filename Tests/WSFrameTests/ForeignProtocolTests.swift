import Testing
import WSFrame

@Suite("What is no HTTP")
struct ForeignProtocolTests {
    static let signature: [UInt8] = [13, 10, 13, 10, 0, 13, 10, 0x51, 0x55, 0x49, 0x54, 10]

    static let openings: [([UInt8], ForeignProtocol?)] = [
        ([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00], .tls), ([0x16, 0x03, 0x03], .tls),
        ([0x16], .tls), ([0x16, 0x01], nil), ([0x17, 0x03], nil), ([], nil),
        (Array("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n".utf8), .proxyProtocol),
        (Array("PROXY UNKNOWN\r\n".utf8), .proxyProtocol), (Array("PROXYTCP4".utf8), nil),
        (signature, .proxyProtocol), (signature + [0x21, 0x11, 0, 12], .proxyProtocol),
        (Array(signature.prefix(5)), .proxyProtocol), (Array(signature.prefix(4)), nil),
        ([13, 10, 13, 10, 1], nil), ([13, 10, 13, 10] + Array("GET / HTTP/1.1".utf8), nil),
        (Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8), .http2),
        (Array("SSH-2.0-OpenSSH_9.2\r\n".utf8), .ssh), (Array("ssh".utf8), nil),
        (Array("*1\r\n$4\r\nPING\r\n".utf8), .redis), (Array("*12".utf8), .redis),
        (Array("*1x".utf8), nil), (Array("* HTTP/1.1".utf8), nil), (Array("GET  /".utf8), nil),
        (Array("hello".utf8), nil), ([0x03, 0x00, 0x00, 0x13], nil),
    ]

    @Test("is told by its first bytes", arguments: openings)
    func told(_ bytes: [UInt8], _ expected: ForeignProtocol?) {
        #expect(ForeignProtocol(bytes.span) == expected)
    }

    @Test("is refused by the parser of requests", arguments: openings)
    func refused(_ bytes: [UInt8], _ expected: ForeignProtocol?) {
        guard expected != nil, bytes.count > 12 || expected == .tls else { return }
        var parser = HTTPRequestParser()
        #expect(throws: HTTPError.self) { try parser.next(bytes.span, from: 0) }
    }
}
