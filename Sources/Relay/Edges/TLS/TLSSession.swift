import COpenSSL

/// One TLS connection, the client's end, without input and output of its own (RFC 8446, RFC 5246).
///
/// Ciphertext comes and goes through the context's ``TLSWire``: whoever calls takes the wire's output
/// afterwards. What OpenSSL has of a connection is bounded: a record of 16 KiB that is not complete,
/// and a handshake message of ``TLSContext/chainLimit``.
@safe final class TLSSession {
    /// How far the connection is.
    enum State: Equatable, Sendable {
        case handshaking, established
        /// The peer has ended its direction (close_notify), or the connection has failed.
        case closed
    }

    private(set) var state = State.handshaking
    private let ssl: OpaquePointer
    private let credentials: TLSCredentials
    private let wire: TLSWire
    /// The name that the certificate must have, and under which tickets are kept.
    let name: String

    /// Makes a connection that will verify `name`; a ticket of an earlier one is offered.
    init?(credentials: TLSCredentials, wire: TLSWire, name: String, atUnixSeconds now: Int) {
        guard let ssl = unsafe SSL_new(credentials.context) else { return nil }
        unsafe self.ssl = unsafe ssl
        self.credentials = credentials
        self.wire = wire
        self.name = name
        guard let bio = unsafe wire.makeBIO() else { return nil }
        // One BIO for both directions takes one reference.
        unsafe SSL_set_bio(ssl, bio, bio)
        unsafe SSL_set_connect_state(ssl)
        unsafe SSL_set_ex_data(ssl, 0, Unmanaged.passUnretained(self).toOpaque())
        guard expectName() else { return nil }
        if let ticket = unsafe credentials.ticket(for: name, atUnixSeconds: now) {
            unsafe SSL_set_session(ssl, ticket)
            unsafe SSL_SESSION_free(ticket)
        }
    }

    deinit {
        // Without these marks OpenSSL takes the connection for a failed one and spoils its ticket.
        unsafe SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        unsafe SSL_free(ssl)
    }

    /// The certificate must have the name, or the address if the name is one. A server is told the
    /// name it is meant by, and never an address (SNI: RFC 6066, section 3).
    private func expectName() -> Bool {
        let parameters = unsafe SSL_get0_param(ssl)
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
        unsafe X509_VERIFY_PARAM_set_hostflags(
            parameters, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS))
        return unsafe X509_VERIFY_PARAM_set1_host(parameters, name, 0) == 1
            && status2_set_server_name(ssl, name) == 1
    }

    // MARK: - Traffic

    /// Goes on with the handshake as far as what has come allows; true when it has just ended.
    func handshake() throws(TLSError) -> Bool {
        guard state == .handshaking else { return false }
        ERR_clear_error()
        let result = unsafe SSL_do_handshake(ssl)
        if result == 1 {
            state = .established
            return true
        }
        let cause = unsafe SSL_get_error(ssl, result)
        if cause == SSL_ERROR_WANT_READ { return false }
        throw fail()
    }

    /// Decrypts into `buffer` what has come, as far as there is room; 0 when nothing is there.
    ///
    /// Call it until it returns 0: more may wait than the buffer has room for.
    func read(into buffer: inout [UInt8]) throws(TLSError) -> Int {
        var filled = 0
        while state == .established, filled < buffer.count {
            ERR_clear_error()
            var count = 0
            let result = unsafe buffer.withUnsafeMutableBytes { bytes in
                guard let start = bytes.baseAddress else { return Int32(0) }
                return unsafe SSL_read_ex(ssl, start + filled, bytes.count - filled, &count)
            }
            filled += count
            guard result != 1 else { continue }
            switch unsafe SSL_get_error(ssl, result) {
            case SSL_ERROR_WANT_READ: return filled
            case SSL_ERROR_ZERO_RETURN: state = .closed
            default: throw fail()
            }
        }
        return filled
    }

    /// Encrypts bytes for the peer.
    func write(_ bytes: [UInt8]) throws(TLSError) {
        guard state == .established, !bytes.isEmpty else { return }
        ERR_clear_error()
        var count = 0
        let result = unsafe bytes.withUnsafeBytes { source in
            unsafe SSL_write_ex(ssl, source.baseAddress, source.count, &count)
        }
        guard result == 1, count == bytes.count else { throw fail() }
    }

    // MARK: - What came of it

    /// Whether the handshake went on from an earlier one, without certificates.
    var isResumed: Bool { unsafe SSL_session_reused(ssl) == 1 }

    /// How long the certificates that the server has shown are valid for, the first of them to end.
    var certificateLifetime: Nanoseconds { .seconds(Int64(unsafe status2_certificates_left(ssl))) }

    /// The version that was agreed upon, such as `TLSv1.3`.
    var version: String { unsafe String(cString: SSL_get_version(ssl)) }

    /// The cipher that was agreed upon.
    var cipher: String {
        guard let cipher = unsafe SSL_get_current_cipher(ssl),
            let name = unsafe SSL_CIPHER_get_name(cipher)
        else { return "" }
        return unsafe String(cString: name)
    }

    /// Keeps a ticket that the server has sent for this name; OpenSSL hands its reference over.
    fileprivate func keep(ticket: OpaquePointer) {
        unsafe credentials.keep(ticket: ticket, for: name)
    }

    private func fail() -> TLSError {
        let verdict = unsafe SSL_get_verify_result(ssl)
        let wasHandshaking = state == .handshaking
        state = .closed
        if wasHandshaking, verdict != X509_V_OK, credentials.verifies {
            return TLSError(verifyResult: verdict, name: name)
        }
        return .last
    }

    /// OpenSSL calls this with every ticket; a result of 1 keeps the reference.
    static func keepTicket(_ ssl: OpaquePointer?, _ ticket: OpaquePointer?) -> Int32 {
        guard let ticket = unsafe ticket, let data = unsafe SSL_get_ex_data(ssl, 0) else {
            return 0
        }
        unsafe Unmanaged<TLSSession>.fromOpaque(data).takeUnretainedValue().keep(ticket: ticket)
        return 1
    }
}
