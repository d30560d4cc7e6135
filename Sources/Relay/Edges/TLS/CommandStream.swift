/// A connection of a command to a host, a port or a path, with TLS where that is asked for.
final class CommandStream {
    /// Bytes that a read brings, at most.
    static let readSize = 64 * 1024

    private let stream: ClientStream
    private let context: TLSContext?
    private let session: TLSSession?
    private var buffer = [UInt8](repeating: 0, count: readSize)

    /// Connects to the first address that answers; with `tls`, the certificate must be the host's.
    ///
    /// A look-up of a name takes as long as the system's resolver does.
    init(
        to address: ListenAddress, tls: TLSContext? = nil, by deadline: BootTime
    ) throws(LinkFailure) {
        stream = try Self.connect(to: address, by: deadline)
        context = tls
        guard let tls else {
            session = nil
            return
        }
        let host = if case .tcp(let host, _) = address { host } else { "localhost" }
        let seconds = Int(WallClock.unixTime() / 1_000_000_000)
        guard let session = tls.makeSession(host: host, atUnixSeconds: seconds) else {
            throw .tls("OpenSSL takes no connection to this name")
        }
        self.session = session
        try shakeHands(by: deadline)
    }

    private static func connect(
        to address: ListenAddress, by deadline: BootTime
    ) throws(LinkFailure) -> ClientStream {
        var failure = LinkFailure.nameLookup("no address")
        for address in try addresses(of: address) {
            do throws(SystemError) {
                return try ClientStream(to: address, by: deadline)
            } catch {
                failure = LinkFailure(error)
            }
        }
        throw failure
    }

    private static func addresses(
        of address: ListenAddress
    ) throws(LinkFailure) -> [SocketAddress] {
        switch address {
        case .unix(let path):
            guard let socket = SocketAddress(path: path) else { throw .nameLookup("no path") }
            return [socket]
        case .tcp(let host, let port):
            if let numeric = SocketAddress(numeric: host, port: port) { return [numeric] }
            switch Resolver.lookUp(host: host, port: port) {
            case .addresses(let found): return found
            case .failed(let reason): throw .nameLookup(reason)
            }
        }
    }

    /// What was agreed upon, such as `TLSv1.3`; nil without TLS.
    var tlsVersion: String? { session?.version }

    /// How long the server's certificates are valid for; nil without TLS.
    var certificateLifetime: Nanoseconds? { session?.certificateLifetime }

    /// Sends all of the bytes.
    func send(_ bytes: [UInt8], by deadline: BootTime) throws(LinkFailure) {
        guard let session, let context else { return try sendRaw(bytes, deadline) }
        do throws(TLSError) { try session.write(bytes) } catch { throw LinkFailure(error) }
        try sendRaw(context.wire.output, deadline)
        context.wire.clearOutput()
    }

    /// What has come, as soon as there is something; empty at the end of the stream.
    func receive(by deadline: BootTime) throws(LinkFailure) -> [UInt8] {
        guard let session, let context else {
            let count = try receiveRaw(deadline)
            return Array(buffer[..<count])
        }
        var plain = [UInt8](repeating: 0, count: Self.readSize)
        while true {
            let count: Int
            do throws(TLSError) {
                count = try session.read(into: &plain)
            } catch {
                throw LinkFailure(error)
            }
            try sendRaw(context.wire.output, deadline)
            context.wire.clearOutput()
            if count > 0 { return Array(plain[..<count]) }
            if session.state == .closed { return [] }
            let received = try receiveRaw(deadline)
            if received == 0 { return [] }
            context.wire.take(&buffer, count: received)
        }
    }

    private func shakeHands(by deadline: BootTime) throws(LinkFailure) {
        guard let session, let context else { return }
        while true {
            var failure: TLSError?
            var isDone = false
            do throws(TLSError) { isDone = try session.handshake() } catch { failure = error }
            // An alert tells the server why.
            try sendRaw(context.wire.output, deadline)
            context.wire.clearOutput()
            if let failure { throw LinkFailure(failure) }
            if isDone { return }
            let count: Int
            do throws(LinkFailure) {
                count = try receiveRaw(deadline)
            } catch {
                throw error == .dialTimeout ? .handshakeTimeout : error
            }
            if count == 0 { throw .tls("the server closed the connection in the handshake") }
            context.wire.take(&buffer, count: count)
        }
    }

    private func sendRaw(_ bytes: [UInt8], _ deadline: BootTime) throws(LinkFailure) {
        guard !bytes.isEmpty else { return }
        do throws(SystemError) {
            try stream.send(bytes, by: deadline)
        } catch {
            throw LinkFailure(error)
        }
    }

    private func receiveRaw(_ deadline: BootTime) throws(LinkFailure) -> Int {
        do throws(SystemError) {
            return try stream.receive(into: &buffer, by: deadline)
        } catch {
            throw LinkFailure(error)
        }
    }
}

extension LinkFailure: Error {}

extension LinkFailure {
    /// The failure behind an error of TLS.
    init(_ error: TLSError) {
        self = error.isCertificate ? .certificate("\(error)") : .tls("\(error)")
    }
}
