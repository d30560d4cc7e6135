import COpenSSL

/// A TLS server in memory, which makes the far ends of connections.
@safe final class TestTLSServer {
    fileprivate let context: OpaquePointer

    /// Makes a server that speaks at most `version`; with an authority it wants a certificate of it.
    init(
        _ certificate: TestAuthority.Certificate, version: Int32 = TLS1_3_VERSION,
        clientAuthority: TestAuthority? = nil
    ) {
        guard let context = unsafe SSL_CTX_new(TLS_server_method()) else {
            preconditionFailure("OpenSSL makes no server")
        }
        unsafe self.context = unsafe context
        unsafe SSL_CTX_use_certificate(context, certificate.certificate)
        unsafe SSL_CTX_use_PrivateKey(context, certificate.key)
        _ = unsafe status2_ctx_set_max_version(context, version)
        guard let clientAuthority else { return }
        unsafe X509_STORE_add_cert(
            SSL_CTX_get_cert_store(context), clientAuthority.own.certificate)
        unsafe SSL_CTX_set_verify(
            context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nil)
    }

    deinit { unsafe SSL_CTX_free(context) }

    func makePeer() -> TestTLSPeer { TestTLSPeer(self) }
}

/// The server's end of one connection.
@safe final class TestTLSPeer {
    private let server: TestTLSServer
    private let ssl: OpaquePointer
    private let fromClient: OpaquePointer
    private let toClient: OpaquePointer
    private(set) var isEstablished = false
    /// What the client has sent, decrypted.
    private(set) var received: [UInt8] = []

    fileprivate init(_ server: TestTLSServer) {
        guard let ssl = unsafe SSL_new(server.context),
            let fromClient = unsafe BIO_new(BIO_s_mem()), let toClient = unsafe BIO_new(BIO_s_mem())
        else { preconditionFailure("OpenSSL makes no connection") }
        self.server = server
        unsafe (self.ssl, self.fromClient, self.toClient) = unsafe (ssl, fromClient, toClient)
        unsafe SSL_set_bio(ssl, fromClient, toClient)
        unsafe SSL_set_accept_state(ssl)
    }

    deinit { unsafe SSL_free(ssl) }

    /// The name that the client asked for (SNI).
    var serverName: String? {
        guard let name = unsafe SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) else {
            return nil
        }
        return unsafe String(cString: name)
    }

    /// Takes what the client has written.
    func take(_ bytes: some Collection<UInt8>) {
        let copy = Array(bytes)
        if !copy.isEmpty { unsafe BIO_write(fromClient, copy, Int32(copy.count)) }
        if !isEstablished { isEstablished = unsafe SSL_do_handshake(ssl) == 1 }
        guard isEstablished else { return }
        var buffer = [UInt8](repeating: 0, count: 16_384)
        var count = 0
        while unsafe SSL_read_ex(ssl, &buffer, buffer.count, &count) == 1 {
            received += buffer[..<count]
        }
    }

    /// Takes what was decrypted so far.
    func takeReceived() -> [UInt8] {
        defer { received = [] }
        return received
    }

    func send(_ bytes: [UInt8]) {
        var count = 0
        unsafe SSL_write_ex(ssl, bytes, bytes.count, &count)
    }

    /// Says that nothing more follows (close_notify).
    func end() { unsafe SSL_shutdown(ssl) }

    /// Asks for another handshake (HelloRequest, TLS 1.2), which a client has to decline.
    func askForRenegotiation() {
        unsafe SSL_renegotiate(ssl)
        unsafe SSL_do_handshake(ssl)
    }

    /// What is to be handed to the client.
    func takeOutput() -> [UInt8] {
        var output: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = unsafe BIO_read(toClient, &buffer, Int32(buffer.count))
            guard count > 0 else { return output }
            output += buffer[..<Int(count)]
        }
    }
}
