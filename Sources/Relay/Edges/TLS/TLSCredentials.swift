import COpenSSL
import Glibc

/// A file of the TLS settings that cannot be used.
struct TLSFileError: Error, Equatable, Sendable {
    /// The setting that names the file.
    let variable: String
    let path: String
    /// Why: a clause that follows the path. It never quotes the file.
    let reason: String
}

extension TLSFileError: CustomStringConvertible {
    /// One line for people.
    var description: String { "\(variable)=\(path.debugDescription) \(reason)" }
}

/// What is presented to Redis and what is trusted of it, as the files had it when they were read.
///
/// It also keeps the newest ticket for each server name, so that a later handshake needs neither
/// certificates nor signatures. A ticket may be used many times: with hundreds of links that dial at
/// once, one for each is not to be had. Both ends are servers of one operator, to whom links that
/// can be told to be the same client's give nothing away (RFC 8446, appendix C.4).
@safe final class TLSCredentials {
    /// Names whose tickets are kept at once.
    static let ticketLimit = 16

    let context: OpaquePointer
    /// Whether the server's certificate is verified.
    let verifies: Bool
    private var tickets: [String: OpaquePointer] = unsafe [:]

    /// Reads the files.
    init(_ settings: RedisTLSSettings) throws(TLSFileError) {
        guard let context = unsafe SSL_CTX_new(TLS_client_method()) else {
            throw TLSFileError(variable: "", path: "", reason: TLSError.lastWords)
        }
        unsafe self.context = unsafe context
        verifies = !settings.skipsVerification
        configure()
        try loadAuthorities(settings)
        try loadCertificate(settings)
    }

    deinit {
        unsafe tickets.values.forEach { unsafe SSL_SESSION_free($0) }
        unsafe SSL_CTX_free(context)
    }

    private func configure() {
        let isConfigured = unsafe status2_ctx_set_min_version(context, TLS1_2_VERSION)
        precondition(isConfigured == 1, "OpenSSL knows no TLS 1.2")
        unsafe status2_ctx_set_options(context)
        // An idle connection keeps no buffers: 33 KiB less for each, for one allocation a read.
        unsafe status2_ctx_set_mode(
            context, Int(SSL_MODE_RELEASE_BUFFERS) | Int(SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER))
        unsafe status2_ctx_set_max_cert_list(context, TLSContext.chainLimit)
        unsafe SSL_CTX_set_verify(context, verifies ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nil)
        unsafe status2_ctx_keep_tickets_outside(context)
        unsafe SSL_CTX_sess_set_new_cb(context) { unsafe TLSSession.keepTicket($0, $1) }
        // A key with a pass phrase must not make the daemon ask for it on a terminal.
        unsafe SSL_CTX_set_default_passwd_cb(context) { _, _, _, _ in -1 }
    }

    private func loadAuthorities(_ settings: RedisTLSSettings) throws(TLSFileError) {
        guard !settings.caFile.isEmpty else {
            // A system without authorities is told of by the first handshake.
            unsafe SSL_CTX_set_default_verify_paths(context)
            return
        }
        try Self.checkReadable(RedisTLSSettings.caVariable, settings.caFile)
        ERR_clear_error()
        guard unsafe SSL_CTX_load_verify_file(context, settings.caFile) == 1 else {
            throw Self.unusable(
                RedisTLSSettings.caVariable, settings.caFile, "holds no certificate in PEM form")
        }
    }

    private func loadCertificate(_ settings: RedisTLSSettings) throws(TLSFileError) {
        guard !settings.certificateFile.isEmpty, !settings.keyFile.isEmpty else { return }
        let (certificate, key) = (settings.certificateFile, settings.keyFile)
        try Self.checkReadable(RedisTLSSettings.certificateVariable, certificate)
        try Self.checkReadable(RedisTLSSettings.keyVariable, key)
        ERR_clear_error()
        guard unsafe SSL_CTX_use_certificate_chain_file(context, certificate) == 1 else {
            throw Self.unusable(
                RedisTLSSettings.certificateVariable, certificate,
                "holds no certificate in PEM form")
        }
        ERR_clear_error()
        guard unsafe SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 else {
            let isForAnother =
                ERR_GET_LIB(ERR_peek_last_error()) == ERR_LIB_X509
                && ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH
            throw Self.unusable(
                RedisTLSSettings.keyVariable, key,
                isForAnother
                    ? "does not belong to the certificate"
                    : "holds no private key in PEM form without a pass phrase")
        }
        guard unsafe SSL_CTX_check_private_key(context) == 1 else {
            throw Self.unusable(
                RedisTLSSettings.keyVariable, key, "does not belong to the certificate")
        }
    }

    private static func unusable(
        _ variable: String, _ path: String, _ reason: String
    ) -> TLSFileError {
        let words = ERR_peek_error() == 0 ? "" : " (\(TLSError.lastWords))"
        return TLSFileError(variable: variable, path: path, reason: reason + words)
    }

    private static func checkReadable(
        _ variable: String, _ path: String
    ) throws(TLSFileError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw TLSFileError(
                variable: variable, path: path,
                reason: "cannot be read: \(SystemError.last.reason)")
        }
        _ = close(descriptor)
    }

    // MARK: - Tickets

    /// A copy of the newest ticket for this server; the caller frees it.
    ///
    /// A copy, since OpenSSL marks the ticket of a TLS 1.3 connection as used up. A ticket ends with
    /// the certificate that it stands for: every resumed handshake brings another ticket, and nobody
    /// would look at the certificate again.
    func ticket(for name: String, atUnixSeconds now: Int) -> OpaquePointer? {
        guard let ticket = unsafe tickets[name] else { return nil }
        if verifies, unsafe Self.isExpired(ticket, atUnixSeconds: now) {
            unsafe tickets.removeValue(forKey: name)
            unsafe SSL_SESSION_free(ticket)
            return nil
        }
        return unsafe SSL_SESSION_dup(ticket)
    }

    private static func isExpired(_ ticket: OpaquePointer, atUnixSeconds now: Int) -> Bool {
        guard let certificate = unsafe SSL_SESSION_get0_peer(ticket) else { return true }
        var now = now
        return unsafe X509_cmp_time(X509_get0_notAfter(certificate), &now) <= 0
    }

    /// Keeps a ticket in the place of the former one.
    func keep(ticket: OpaquePointer, for name: String) {
        if unsafe tickets[name] == nil, unsafe tickets.count >= Self.ticketLimit {
            unsafe tickets.values.forEach { unsafe SSL_SESSION_free($0) }
            unsafe tickets.removeAll()
        }
        if let former = unsafe tickets.updateValue(ticket, forKey: name) {
            unsafe SSL_SESSION_free(former)
        }
    }
}
