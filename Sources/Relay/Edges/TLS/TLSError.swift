import COpenSSL

/// Why a TLS connection to Redis failed. No case holds a secret.
enum TLSError: Error, Equatable, Sendable {
    /// The server's certificate has expired.
    case expired
    /// The server's certificate is not valid yet.
    case notYetValid
    /// The server's certificate is signed by nobody who is trusted; OpenSSL's words.
    case unknownAuthority(String)
    /// The server's certificate is for other names than this one.
    case nameMismatch(String)
    /// The server's certificate does not verify for another reason; OpenSSL's words.
    case unverified(String)
    /// The server refuses our certificate, or wants one and got none; the alert's name.
    case certificateRefused(String)
    /// The server speaks no version of TLS that is accepted here.
    case protocolVersion
    /// What the server sends is not TLS.
    case notTLS
    /// The server ended the handshake or the connection with this alert.
    case alert(String)
    /// Something else is wrong with what came; OpenSSL's words.
    case broken(String)

    /// Whether a certificate, the server's or ours, does not verify: no retry helps.
    var isCertificate: Bool {
        switch self {
        case .expired, .notYetValid, .unknownAuthority, .nameMismatch, .unverified,
            .certificateRefused:
            true
        case .protocolVersion, .notTLS, .alert, .broken: false
        }
    }
}

extension TLSError: CustomStringConvertible {
    /// One clear clause for people.
    var description: String {
        switch self {
        case .expired: "the server's certificate has expired"
        case .notYetValid: "the server's certificate is not valid yet"
        case .unknownAuthority(let words):
            "the server's certificate is not signed by a trusted authority (\(words))"
        case .nameMismatch(let name): "the server's certificate is not for \(name)"
        case .unverified(let words): "the server's certificate does not verify (\(words))"
        case .certificateRefused(let alert):
            "the server wants another client certificate (alert: \(alert))"
        case .protocolVersion: "the server speaks neither TLS 1.2 nor a later version"
        case .notTLS: "the server does not speak TLS on this port: redis:// is meant"
        case .alert(let name): "the server sent the alert \(name)"
        case .broken(let words): words
        }
    }
}

extension TLSError {
    /// What an alert of the peer begins with among OpenSSL's reasons; the alert's number follows.
    private static let alertBase: Int32 = 1000

    /// Alerts about a certificate of ours (RFC 8446, section 6.2).
    private static let certificateAlerts: Set<Int32> = [42, 43, 44, 45, 46, 48, 116]

    /// Alerts with which a server refuses the versions that it is offered.
    private static let versionAlert: Int32 = 70

    /// The error behind a failed verification.
    init(verifyResult: Int, name: String) {
        let words = unsafe String(cString: X509_verify_cert_error_string(verifyResult))
        switch Int32(truncatingIfNeeded: verifyResult) {
        case X509_V_ERR_CERT_HAS_EXPIRED: self = .expired
        case X509_V_ERR_CERT_NOT_YET_VALID: self = .notYetValid
        case X509_V_ERR_HOSTNAME_MISMATCH, X509_V_ERR_IP_ADDRESS_MISMATCH:
            self = .nameMismatch(name)
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
            X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
            X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, X509_V_ERR_CERT_UNTRUSTED,
            X509_V_ERR_CERT_SIGNATURE_FAILURE:
            self = .unknownAuthority(words)
        default: self = .unverified(words)
        }
    }

    /// The first error that OpenSSL has noted in this thread.
    static var last: TLSError {
        let code = ERR_peek_error()
        guard ERR_GET_LIB(code) == ERR_LIB_SSL else { return .broken(words(for: code)) }
        let reason = ERR_GET_REASON(code)
        switch reason {
        case SSL_R_UNSUPPORTED_PROTOCOL, SSL_R_UNSUPPORTED_SSL_VERSION,
            alertBase + versionAlert:
            return .protocolVersion
        case SSL_R_WRONG_VERSION_NUMBER, SSL_R_HTTP_REQUEST, SSL_R_HTTPS_PROXY_REQUEST,
            SSL_R_BAD_RECORD_TYPE:
            return .notTLS
        case alertBase..<alertBase + 256:
            let name = alertName(words(for: code))
            return certificateAlerts.contains(reason - alertBase)
                ? .certificateRefused(name) : .alert(name)
        default:
            return .broken(words(for: code))
        }
    }

    /// OpenSSL's words for the last thing that went wrong, without codes and places.
    static var lastWords: String { words(for: ERR_peek_error()) }

    private static func words(for code: UInt) -> String {
        guard code != 0, let text = unsafe ERR_reason_error_string(code) else {
            return "unknown error"
        }
        return unsafe String(cString: text)
    }

    /// `certificate required` of `tlsv13 alert certificate required`.
    private static func alertName(_ words: String) -> String {
        guard let (_, name) = words.splitOnce("alert ") else { return words }
        return String(name)
    }
}
