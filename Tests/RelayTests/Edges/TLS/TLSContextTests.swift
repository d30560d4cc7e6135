import COpenSSL
import Foundation
import Testing

@testable import Relay

@Suite("The files of the TLS settings")
struct TLSContextTests {
    let directory: TestDirectory
    let authority = TestAuthority()
    var settings = RedisTLSSettings()

    init() throws {
        directory = try TestDirectory()
        settings.caFile = directory.path("ca.pem")
        settings.certificateFile = directory.path("client.crt")
        settings.keyFile = directory.path("client.key")
        authority.own.write(to: settings.caFile)
        let own = authority.issue("DNS:client")
        own.write(to: settings.certificateFile)
        own.writeKey(to: settings.keyFile)
    }

    private func makeContext() throws -> TLSContext {
        try TLSContext(settings, readSize: TLSConversation.readSize)
    }

    private func refusal() -> TLSFileError? {
        do throws(TLSFileError) {
            _ = try TLSCredentials(settings)
            return nil
        } catch {
            return error
        }
    }

    @Test("are read again when they have changed, and tickets of before count no more")
    func refresh() throws {
        let server = TestTLSServer(authority.issue())
        let context = try makeContext()
        let before = try #require(TLSConversation(context, server))
        try before.run()
        #expect(context.refresh() == .unchanged)
        let other = TestAuthority("another")
        other.own.write(to: settings.caFile)
        #expect(context.refresh() == .reloaded)
        #expect(context.refresh() == .unchanged)
        let talk = try #require(TLSConversation(context, server))
        #expect(throws: TLSError.self) { try talk.run() }
        try #require(TLSConversation(context, TestTLSServer(other.issue()))).run()
        // A connection that was made before goes on.
        before.peer.send([1])
        try before.run()
        #expect(before.received == [1])
    }

    @Test("that cannot be used are told of once, and leave the former ones in force")
    func brokenFiles() throws {
        let server = TestTLSServer(authority.issue())
        let context = try makeContext()
        try Data("half".utf8).write(to: URL(fileURLWithPath: settings.caFile))
        guard case .refused(let error) = context.refresh() else {
            Issue.record("the file is taken")
            return
        }
        #expect(error.variable == "STATUS_REDIS_TLS_CA_FILE" && error.path == settings.caFile)
        #expect(context.refresh() == .unchanged)
        try #require(TLSConversation(context, server)).run()
        try FileManager.default.removeItem(atPath: settings.caFile)
        guard case .refused = context.refresh() else {
            Issue.record("a missing file is no change")
            return
        }
        authority.own.write(to: settings.caFile)
        #expect(context.refresh() == .reloaded)
    }

    @Test("a certificate and its key that change one after the other are taken when both have")
    func oneAfterTheOther() throws {
        let context = try makeContext()
        let renewed = authority.issue("DNS:client")
        renewed.write(to: settings.certificateFile)
        guard case .refused(let error) = context.refresh() else {
            Issue.record("a key is taken with another's certificate")
            return
        }
        #expect(error.variable == "STATUS_REDIS_TLS_KEY_FILE")
        #expect(error.reason.hasPrefix("does not belong to the certificate"))
        renewed.writeKey(to: settings.keyFile)
        #expect(context.refresh() == .reloaded)
    }

    @Test("that hold something else are refused by name")
    mutating func contents() throws {
        let sound = settings
        let paths: [WritableKeyPath<RedisTLSSettings, String>] = [
            \.caFile, \.certificateFile, \.keyFile,
        ]
        let empty = directory.path("empty")
        try Data().write(to: URL(fileURLWithPath: empty))
        for path in paths {
            settings = sound
            settings[keyPath: path] = empty
            let error = try #require(refusal())
            #expect(error.path == empty && error.reason.contains("in PEM form"))
            settings[keyPath: path] = directory.path("nowhere")
            #expect(try #require(refusal()).reason == "cannot be read: no such file or directory")
        }
    }

    @Test("tickets are kept for few names")
    func ticketLimit() throws {
        let names = (0...TLSCredentials.ticketLimit).map { "redis\($0).test" }
        let certificate = authority.issue(names.map { "DNS:\($0)" }.joined(separator: ","))
        let server = TestTLSServer(certificate)
        let context = try makeContext()
        for name in names { try #require(TLSConversation(context, server, host: name)).run() }
        for (name, isKept) in [(names[0], false), (names[names.count - 1], true)] {
            let talk = try #require(TLSConversation(context, server, host: name))
            try talk.run()
            #expect(talk.session.isResumed == isKept)
        }
    }
}
