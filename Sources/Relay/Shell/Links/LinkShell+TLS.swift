import Logging
import RESP

// TLS between the sockets and the machines of links: ciphertext in the queues, plaintext above.
extension LinkShell where S: ~Copyable {
    /// Unsent ciphertext at which a link is given up: Redis asks for answers and takes none.
    static var queueLimit: Int { 256 * 1024 }

    /// Begins the handshake on a connection that has just been made.
    mutating func beginHandshake(
        _ id: SlotID, host: String, _ context: inout LoopContext<S>
    ) {
        guard let tls else {
            // The password must never go out in the clear.
            return failed(id, .tls("it is asked for and not set up"), &context)
        }
        Self.logRefresh(tls.refresh(), context)
        let now = Int(context.loop.sys.unixTime() / 1_000_000_000)
        guard let session = tls.makeSession(host: host, atUnixSeconds: now) else {
            return failed(id, .tls("no connection can be made to \(host)"), &context)
        }
        entries[id].tls = session
        goOn(session, of: id, &context)
    }

    /// Takes ciphertext that was read.
    mutating func takeCiphertext(
        _ session: TLSSession, of id: SlotID, _ buffer: inout [UInt8], _ count: Int,
        _ context: inout LoopContext<S>
    ) {
        tls?.wire.take(&buffer, count: count)
        // Any byte is life, but in the handshake, which has a time of its own (I5).
        entries[id].machine.heard(now: context.loop.now)
        if session.state == .handshaking { goOn(session, of: id, &context) }
    }

    /// Makes plaintext of what was read, as far as it is whole; returns whether there was any.
    mutating func decrypt(
        _ session: ObjectIdentifier, _ reading: inout LinkReading, _ buffer: inout [UInt8],
        _ context: inout LoopContext<S>
    ) -> Bool {
        let id = reading.link
        guard let present = self.session(session, of: id), present.state == .established else {
            return false
        }
        let plain: Int
        do throws(TLSError) {
            plain = try present.read(into: &buffer)
        } catch {
            tlsFailed(id, error, &context)
            return false
        }
        // Whatever comes may have to be answered: a ticket, a new key.
        queueCiphertext(of: id, &context)
        guard plain > 0 else { return false }
        takePlaintext(&reading, &buffer, plain, &context)
        return true
    }

    /// All that was read is taken.
    mutating func endReading(
        _ session: ObjectIdentifier, of id: SlotID, _ context: inout LoopContext<S>
    ) {
        tls?.wire.clear()
        guard let present = self.session(session, of: id) else { return }
        if present.state == .closed { return lost(id, nil, &context) }
        if entries[id].socket.output.count > Self.queueLimit {
            failed(id, .tls("the server asks for more than it takes"), &context)
        }
    }

    /// The link's TLS connection, if it still is the one that was read from.
    private func session(_ session: ObjectIdentifier, of id: SlotID) -> TLSSession? {
        guard contains(id), let present = entries[id].tls, ObjectIdentifier(present) == session
        else { return nil }
        return present
    }

    /// Encrypts what is to be sent and queues it for the end of the turn.
    mutating func encrypt(
        _ bytes: [UInt8], by session: TLSSession, of id: SlotID,
        _ context: inout LoopContext<S>
    ) {
        guard entries[id].socket.isOpen else { return }
        do throws(TLSError) {
            try session.write(bytes)
        } catch {
            return tlsFailed(id, error, &context)
        }
        queueCiphertext(of: id, &context)
    }

    private mutating func goOn(
        _ session: TLSSession, of id: SlotID, _ context: inout LoopContext<S>
    ) {
        let isDone: Bool
        do throws(TLSError) {
            isDone = try session.handshake()
        } catch {
            return tlsFailed(id, error, &context)
        }
        queueCiphertext(of: id, &context)
        guard isDone else { return }
        if session.isResumed {
            context.metrics.tlsHandshakesResumed += 1
        } else {
            context.metrics.tlsHandshakesFull += 1
        }
        context.log.redis.debug(
            "redis link secured",
            metadata: metadata(of: id).merging([
                "version": "\(session.version)", "cipher": "\(session.cipher)",
                "resumed": .stringConvertible(session.isResumed),
            ]) { $1 })
        encoder.removeAll()
        entries[id].machine.secured(now: context.loop.now, output: &encoder)
        sendEncoded(on: id, &context)
    }

    private mutating func queueCiphertext(
        of id: SlotID, _ context: inout LoopContext<S>
    ) {
        guard let wire = tls?.wire, !wire.output.isEmpty else { return }
        context.loop.queue(wire.output, on: &entries[id].socket)
        wire.clearOutput()
    }

    /// The TLS connection has failed; an alert that says why may be left to be sent.
    private mutating func tlsFailed(
        _ id: SlotID, _ error: TLSError, _ context: inout LoopContext<S>
    ) {
        queueCiphertext(of: id, &context)
        // At once, since the connection is closed now; where the socket is full Redis is told nothing.
        _ = context.loop.flush(&entries[id].socket, reads: true)
        let failure =
            error.isCertificate
            ? LinkFailure.certificate("\(error)") : .tls("\(error)")
        failed(id, failure, &context)
    }

    private static func logRefresh(
        _ refresh: TLSContext.Refresh, _ context: borrowing LoopContext<S>
    ) {
        switch refresh {
        case .unchanged: break
        case .reloaded:
            context.log.redis.info("TLS files have changed and are in force")
        case .refused(let error):
            context.log.redis.warning(
                "TLS files have changed and cannot be used; the former ones stay in force",
                metadata: ["error": "\(error)"])
        }
    }
}
