import COpenSSL
import Testing

@testable import Relay

@Suite("A TLS session")
struct TLSSessionTests {
    let directory: TestDirectory
    let authority = TestAuthority()
    var settings = RedisTLSSettings()

    init() throws {
        directory = try TestDirectory()
        settings.caFile = directory.path("ca.pem")
        authority.own.write(to: settings.caFile)
    }

    private func makeContext() throws -> TLSContext {
        try TLSContext(settings, readSize: TLSConversation.readSize)
    }

    private func converse(
        _ server: TestTLSServer, host: String = "redis.test", piece: Int = TLSConversation.readSize
    ) throws -> TLSConversation {
        try #require(TLSConversation(makeContext(), server, host: host, piece: piece))
    }

    /// The error with which a handshake ends.
    private func refusal(
        of certificate: TestAuthority.Certificate, host: String = "redis.test"
    ) throws -> TLSError? {
        let talk = try converse(TestTLSServer(certificate), host: host)
        do throws(TLSError) {
            try talk.run()
            return nil
        } catch {
            #expect(talk.session.state == .closed)
            #expect(!talk.peer.isEstablished)
            return error
        }
    }

    // MARK: - Traffic

    @Test(
        "carries bytes both ways, in pieces of any size",
        arguments: [1, 7, 1000, 65_536], [TLS1_2_VERSION, TLS1_3_VERSION])
    func traffic(piece: Int, version: Int32) throws {
        let server = TestTLSServer(authority.issue(), version: version)
        let talk = try converse(server, piece: piece)
        try talk.run()
        #expect(talk.session.state == .established)
        #expect(talk.peer.isEstablished)
        #expect(talk.peer.serverName == "redis.test")
        #expect(!talk.session.isResumed)
        let request = (0..<40_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let answer = (0..<150_000).map { UInt8(truncatingIfNeeded: $0 &* 17) }
        try talk.send(request)
        talk.peer.send(answer)
        try talk.run()
        #expect(talk.peer.received == request)
        #expect(talk.received == answer)
    }

    @Test("hands plaintext out in the portions for which there is room")
    func portions() throws {
        let talk = try converse(TestTLSServer(authority.issue()))
        try talk.run()
        talk.peer.send(Array(0..<100))
        let bytes = talk.peer.takeOutput()
        var buffer = [UInt8](repeating: 0, count: TLSConversation.readSize)
        buffer.replaceSubrange(0..<bytes.count, with: bytes)
        talk.context.wire.take(&buffer, count: bytes.count)
        var small = [UInt8](repeating: 0, count: 30)
        var portions: [[UInt8]] = []
        while true {
            let count = try talk.session.read(into: &small)
            if count == 0 { break }
            portions.append(Array(small[..<count]))
        }
        #expect(portions.map(\.count) == [30, 30, 30, 10])
        #expect(Array(portions.joined()) == Array(0..<100))
    }

    @Test("tells that the server has ended its direction")
    func closeNotify() throws {
        let talk = try converse(TestTLSServer(authority.issue()))
        try talk.run()
        talk.peer.send([1, 2, 3])
        talk.peer.end()
        try talk.run()
        #expect(talk.received == [1, 2, 3])
        #expect(talk.session.state == .closed)
    }

    @Test("writes nothing before the handshake is done")
    func nothingInTheClear() throws {
        let talk = try converse(TestTLSServer(authority.issue()))
        try talk.send(Array("AUTH secret".utf8))
        #expect(talk.takeOutput().isEmpty)
    }

    // MARK: - Certificates

    @Test("takes a certificate with the name or the address that was dialed")
    func names() throws {
        let both = authority.issue("DNS:redis.test,IP:10.1.2.3,IP:fe80::1")
        for host in ["redis.test", "REDIS.test", "redis.test.", "10.1.2.3", "fe80::1%eth0"] {
            #expect(try refusal(of: both, host: host) == nil, "\(host)")
        }
        let wildcard = authority.issue("DNS:*.example.org")
        #expect(try refusal(of: wildcard, host: "redis.example.org") == nil)
        #expect(
            try refusal(of: wildcard, host: "a.redis.example.org")
                == .nameMismatch("a.redis.example.org"))
        #expect(
            try refusal(of: both, host: "10.1.2.4") == .nameMismatch("10.1.2.4"))
        #expect(
            try refusal(of: authority.issue("DNS:10.1.2.3"), host: "10.1.2.3")
                == .nameMismatch("10.1.2.3"))
        #expect(
            try refusal(of: authority.issue("DNS:re*.example.org"), host: "redis.example.org")
                == .nameMismatch("redis.example.org"))
    }

    @Test("sends no address as a name")
    func addressIsNoServerName() throws {
        let talk = try converse(
            TestTLSServer(authority.issue("IP:10.1.2.3")), host: "10.1.2.3")
        try talk.run()
        #expect(talk.peer.isEstablished)
        #expect(talk.peer.serverName == nil)
    }

    @Test("refuses a certificate outside its days")
    func days() throws {
        #expect(try refusal(of: authority.issue(seconds: -7200 ... -3600)) == .expired)
        #expect(try refusal(of: authority.issue(seconds: 3600...7200)) == .notYetValid)
    }

    @Test("refuses a certificate of another authority")
    func authorities() throws {
        let error = try #require(try refusal(of: TestAuthority("another").issue()))
        guard case .unknownAuthority = error else {
            Issue.record("refused as \(error)")
            return
        }
        #expect(error.isCertificate)
    }

    @Test("takes any certificate where verification is left out")
    mutating func unverified() throws {
        settings.skipsVerification = true
        let strange = TestAuthority("another").issue("DNS:other", seconds: -7200 ... -3600)
        #expect(try refusal(of: strange) == nil)
    }

    @Test("presents its certificate, and tells when it is missed or refused")
    mutating func clientCertificate() throws {
        let clients = TestAuthority("clients")
        func error() throws -> TLSError? {
            let server = TestTLSServer(authority.issue(), clientAuthority: clients)
            do throws(TLSError) {
                let talk = try? converse(server)
                try talk?.run()
                return nil
            } catch {
                return error
            }
        }
        #expect(try error() == .certificateRefused("certificate required"))
        settings.certificateFile = directory.path("client.crt")
        settings.keyFile = directory.path("client.key")
        for (issuer, expected) in [
            (clients, nil), (authority, TLSError.certificateRefused("unknown ca")),
        ] {
            let own = issuer.issue("DNS:client")
            own.write(to: settings.certificateFile)
            own.writeKey(to: settings.keyFile)
            #expect(try error() == expected)
        }
    }

    // MARK: - What is no handshake

    @Test(
        "names what is wrong with an answer",
        arguments: [
            (Array("-ERR unknown command\r\n".utf8), TLSError.notTLS),
            (Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8), .notTLS),
            ([0x15, 0x03, 0x01, 0, 2, 2, 70], .protocolVersion),
            ([0x15, 0x03, 0x03, 0, 2, 2, 40], .alert("handshake failure")),
        ])
    func answers(bytes: [UInt8], expected: TLSError) throws {
        let talk = try converse(TestTLSServer(authority.issue()))
        _ = try talk.session.handshake()
        #expect(throws: expected) { try talk.feed(bytes[...]) }
        #expect(!expected.isCertificate)
    }

    @Test("takes nothing for Redis's words of which a bit was changed")
    func everyBitCounts() throws {
        let server = TestTLSServer(authority.issue())
        let secret = Array("+PONG\r\n".utf8)
        var length = 0
        try converse(server).run { length += $0.count }
        #expect(length > 500)
        for position in stride(from: 0, to: length, by: 3) {
            // A context of its own: no ticket makes the handshake a shorter one.
            let talk = try converse(server)
            var passed = 0
            do throws(TLSError) {
                try talk.run { bytes in
                    let index = position - passed
                    passed += bytes.count
                    if bytes.indices.contains(index) { bytes[index] ^= 1 << (position % 8) }
                }
                talk.peer.send(secret)
                try talk.run()
            } catch {}
            #expect([[], secret].contains(talk.received))
        }
    }

    // MARK: - Tickets

    @Test(
        "takes up an earlier handshake, again and again",
        arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func resumption(version: Int32) throws {
        let server = TestTLSServer(authority.issue(), version: version)
        let context = try makeContext()
        try #require(TLSConversation(context, server)).run()
        // At once, so that all offer the same ticket.
        let talks = try (0..<20).map { _ in try #require(TLSConversation(context, server)) }
        for talk in talks {
            try talk.run()
            #expect(talk.session.isResumed)
        }
    }

    @Test("offers a ticket to the server alone that has sent it")
    func ticketsBelongToNames() throws {
        let server = TestTLSServer(authority.issue("DNS:redis.test,DNS:other.test"))
        let context = try makeContext()
        try #require(TLSConversation(context, server)).run()
        let other = try #require(TLSConversation(context, server, host: "other.test"))
        try other.run()
        #expect(!other.session.isResumed)
    }

    @Test("looks at the certificate again when it has expired, whatever tickets there are")
    func ticketsEndWithTheirCertificate() throws {
        let server = TestTLSServer(authority.issue(seconds: -3600...3600))
        let context = try makeContext()
        try #require(TLSConversation(context, server)).run()
        let present = WallClock.unixTime() / 1_000_000_000
        for (seconds, isResumed) in [(3500, true), (3700, false)] {
            let talk = try #require(
                TLSConversation(context, server, atUnixSeconds: Int(present) + seconds))
            try talk.run()
            #expect(talk.session.isResumed == isResumed)
        }
    }

    @Test("does without a ticket that the server no longer takes")
    func staleTicket() throws {
        let certificate = authority.issue()
        let context = try makeContext()
        try #require(TLSConversation(context, TestTLSServer(certificate))).run()
        let talk = try #require(TLSConversation(context, TestTLSServer(certificate)))
        try talk.run()
        #expect(talk.session.state == .established)
        #expect(!talk.session.isResumed)
    }
}
