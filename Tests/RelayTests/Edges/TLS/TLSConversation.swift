@testable import Relay

/// A client's session and a server's end, which hand each other bytes.
final class TLSConversation {
    static let readSize = 65_536

    let context: TLSContext
    let session: TLSSession
    let peer: TestTLSPeer
    /// What the client has received, decrypted.
    private(set) var received: [UInt8] = []
    private var buffer = [UInt8](repeating: 0, count: readSize)
    private let piece: Int

    /// Begins at `unixSeconds`, of which tickets alone take notice; bytes pass in pieces of at most
    /// `piece`.
    init?(
        _ context: TLSContext, _ server: TestTLSServer, host: String = "redis.test",
        piece: Int = readSize, atUnixSeconds now: Int = 0
    ) {
        guard let session = context.makeSession(host: host, atUnixSeconds: now) else {
            return nil
        }
        self.context = context
        self.session = session
        self.piece = piece
        peer = server.makePeer()
    }

    /// Lets both sides talk until neither has anything to say.
    ///
    /// `change` may spoil what the server says.
    func run(change: (inout [UInt8]) -> Void = { _ in }) throws(TLSError) {
        _ = try session.handshake()
        while true {
            let sent = takeOutput()
            for start in stride(from: 0, to: sent.count, by: piece) {
                peer.take(sent[start..<min(start + piece, sent.count)])
            }
            var answer = peer.takeOutput()
            change(&answer)
            guard !answer.isEmpty else { return }
            for start in stride(from: 0, to: answer.count, by: piece) {
                try feed(answer[start..<min(start + piece, answer.count)])
            }
        }
    }

    /// Hands the client bytes as the event loop does.
    func feed(_ bytes: ArraySlice<UInt8>) throws(TLSError) {
        buffer.replaceSubrange(0..<bytes.count, with: bytes)
        context.wire.take(&buffer, count: bytes.count)
        _ = try session.handshake()
        while true {
            let count = try session.read(into: &buffer)
            guard count > 0 else { return }
            received += buffer[..<count]
        }
    }

    func send(_ bytes: [UInt8]) throws(TLSError) { try session.write(bytes) }

    func takeOutput() -> [UInt8] {
        defer { context.wire.clearOutput() }
        return context.wire.output
    }
}
