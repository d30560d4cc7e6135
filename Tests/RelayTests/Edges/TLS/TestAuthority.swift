import COpenSSL
import Foundation

/// An authority of the tests' own, in memory.
@safe final class TestAuthority {
    /// A certificate with its key.
    @safe final class Certificate {
        let certificate: OpaquePointer
        let key: OpaquePointer

        fileprivate init(certificate: OpaquePointer, key: OpaquePointer) {
            unsafe self.certificate = unsafe certificate
            unsafe self.key = unsafe key
        }

        deinit {
            unsafe X509_free(certificate)
            unsafe EVP_PKEY_free(key)
        }

        /// Writes the certificate in PEM form.
        func write(to path: String) {
            let file = unsafe BIO_new_file(path, "w")
            unsafe PEM_write_bio_X509(file, certificate)
            unsafe BIO_free(file)
        }

        /// Writes the key in PEM form.
        func writeKey(to path: String) {
            let file = unsafe BIO_new_file(path, "w")
            unsafe PEM_write_bio_PrivateKey(file, key, nil, nil, 0, nil, nil)
            unsafe BIO_free(file)
        }
    }

    let own: Certificate

    init(_ name: String = "test authority") {
        own = unsafe Self.make(name, seconds: -3600...3600, issuer: nil) { certificate in
            unsafe Self.add(NID_basic_constraints, "critical,CA:TRUE", to: certificate)
        }
    }

    /// Signs a certificate for alternative names such as `DNS:redis.test` or `IP:10.0.0.1`.
    func issue(
        _ names: String = "DNS:redis.test", seconds: ClosedRange<Int> = -3600...3600
    ) -> Certificate {
        unsafe Self.make("server", seconds: seconds, issuer: own) { certificate in
            unsafe Self.add(NID_subject_alt_name, names, to: certificate)
        }
    }

    private static func make(
        _ name: String, seconds: ClosedRange<Int>, issuer: Certificate?,
        extend: (OpaquePointer) -> Void
    ) -> Certificate {
        guard let certificate = unsafe X509_new(), let key = unsafe makeKey() else {
            preconditionFailure("OpenSSL makes no certificate")
        }
        unsafe X509_set_version(certificate, 2)
        unsafe ASN1_INTEGER_set(X509_get_serialNumber(certificate), Int.random(in: 1...1 << 40))
        unsafe X509_gmtime_adj(X509_getm_notBefore(certificate), seconds.lowerBound)
        unsafe X509_gmtime_adj(X509_getm_notAfter(certificate), seconds.upperBound)
        unsafe X509_set_pubkey(certificate, key)
        let subject = unsafe X509_get_subject_name(certificate)
        let text = Array(name.utf8)
        unsafe X509_NAME_add_entry_by_txt(
            subject, "CN", 0x1001, text, Int32(text.count), -1, 0)
        let signer = unsafe issuer?.certificate ?? certificate
        unsafe X509_set_issuer_name(certificate, X509_get_subject_name(signer))
        unsafe extend(certificate)
        unsafe X509_sign(certificate, issuer?.key ?? key, nil)
        return unsafe Certificate(certificate: certificate, key: key)
    }

    private static func makeKey() -> OpaquePointer? {
        let context = unsafe EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nil)
        var key: OpaquePointer?
        unsafe EVP_PKEY_keygen_init(context)
        unsafe EVP_PKEY_keygen(context, &key)
        unsafe EVP_PKEY_CTX_free(context)
        return unsafe key
    }

    private static func add(_ kind: Int32, _ value: String, to certificate: OpaquePointer) {
        let part = unsafe X509V3_EXT_conf_nid(nil, nil, kind, value)
        unsafe X509_add_ext(certificate, part, -1)
        unsafe X509_EXTENSION_free(part)
    }
}

/// A directory for the files of one test.
final class TestDirectory {
    private let url = FileManager.default.temporaryDirectory
        .appendingPathComponent("status2-tls-\(UUID().uuidString)")

    init() throws {
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        // What is left behind is a file of the system's own directory for such.
        try? FileManager.default.removeItem(at: url)
    }

    func path(_ name: String) -> String { url.appendingPathComponent(name).path }
}
