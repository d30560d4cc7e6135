import Logging
import RESP

// TLS between the sockets and the machines of links: ciphertext in the queues, plaintext above.
extension Relay where S: ~Copyable {
    /// Unsent ciphertext at which a link is given up: Redis asks for answers and takes none.
    static var linkQueueLimit: Int { 256 * 1024 }

    /// Begins the handshake on a connection that has just been made.
    mutating func beginHandshake(_ id: SlotID, host: String) {
        guard let tls else {
            // The password must never go out in the clear.
            return linkFailed(id, .tls("it is asked for and not set up"))
        }
        logRefresh(tls.refresh())
        let now = Int(loop.sys.unixTime() / 1_000_000_000)
        guard let session = tls.makeSession(host: host, atUnixSeconds: now) else {
            return linkFailed(id, .tls("no connection can be made to \(host)"))
        }
        links[id].tls = session
        goOn(session, of: id)
    }

    /// Takes ciphertext that was read; `buffer` holds plaintext afterwards.
    mutating func decrypt(
        _ session: TLSSession, of id: SlotID, _ buffer: inout [UInt8], _ count: Int
    ) {
        guard let wire = tls?.wire else { return }
        wire.take(&buffer, count: count)
        defer { wire.clear() }
        // Any byte is life, but in the handshake, which has a time of its own (I5).
        links[id].machine.heard(now: loop.now)
        if session.state == .handshaking { goOn(session, of: id) }
        while links.contains(id), links[id].tls === session, session.state == .established {
            let plain: Int
            do throws(TLSError) {
                plain = try session.read(into: &buffer)
            } catch {
                return tlsFailed(id, error)
            }
            // Whatever comes may have to be answered: a ticket, a new key.
            queueCiphertext(of: id)
            guard plain > 0 else { break }
            takePlaintext(id, &buffer, plain)
        }
        guard links.contains(id), links[id].tls === session else { return }
        if session.state == .closed { return linkLost(id, nil) }
        if links[id].socket.output.count > Self.linkQueueLimit {
            linkFailed(id, .tls("the server asks for more than it takes"))
        }
    }

    /// Encrypts what is to be sent and queues it for the end of the turn.
    mutating func encrypt(_ bytes: [UInt8], by session: TLSSession, of id: SlotID) {
        guard links[id].socket.isOpen else { return }
        do throws(TLSError) {
            try session.write(bytes)
        } catch {
            return tlsFailed(id, error)
        }
        queueCiphertext(of: id)
    }

    private mutating func goOn(_ session: TLSSession, of id: SlotID) {
        let isDone: Bool
        do throws(TLSError) {
            isDone = try session.handshake()
        } catch {
            return tlsFailed(id, error)
        }
        queueCiphertext(of: id)
        guard isDone else { return }
        if session.isResumed {
            metrics.tlsHandshakesResumed += 1
        } else {
            metrics.tlsHandshakesFull += 1
        }
        log.redis.debug(
            "redis link secured",
            metadata: metadata(of: id).merging([
                "version": "\(session.version)", "cipher": "\(session.cipher)",
                "resumed": .stringConvertible(session.isResumed),
            ]) { $1 })
        encoder.removeAll()
        links[id].machine.secured(now: loop.now, output: &encoder)
        sendEncoded(on: id)
    }

    private mutating func queueCiphertext(of id: SlotID) {
        guard let wire = tls?.wire, !wire.output.isEmpty else { return }
        loop.queue(wire.output, on: &links[id].socket)
        wire.clearOutput()
    }

    /// The TLS connection has failed; an alert that says why may be left to be sent.
    private mutating func tlsFailed(_ id: SlotID, _ error: TLSError) {
        queueCiphertext(of: id)
        // At once, since the connection is closed now; where the socket is full Redis is told nothing.
        _ = loop.flush(&links[id].socket, reads: true)
        linkFailed(id, error.isCertificate ? .certificate("\(error)") : .tls("\(error)"))
    }

    private func logRefresh(_ refresh: TLSContext.Refresh) {
        switch refresh {
        case .unchanged: break
        case .reloaded:
            log.redis.info("TLS files have changed and are in force")
        case .refused(let error):
            log.redis.warning(
                "TLS files have changed and cannot be used; the former ones stay in force",
                metadata: ["error": "\(error)"])
        }
    }
}
