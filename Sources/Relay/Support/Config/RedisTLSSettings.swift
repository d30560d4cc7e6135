/// How a TLS connection to Redis is made.
public struct RedisTLSSettings: Sendable, Equatable {
    static let caVariable = "STATUS_REDIS_TLS_CA_FILE"
    static let certificateVariable = "STATUS_REDIS_TLS_CERT_FILE"
    static let keyVariable = "STATUS_REDIS_TLS_KEY_FILE"
    static let serverNameVariable = "STATUS_REDIS_TLS_SERVER_NAME"
    static let skipsVerificationVariable = "STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY"

    /// The certificates of the authorities that are trusted, in PEM form; empty means the system's.
    public var caFile = ""
    /// The certificate that is presented to Redis, with its chain, in PEM form; empty means none.
    public var certificateFile = ""
    /// The private key of the certificate, in PEM form and without a pass phrase.
    public var keyFile = ""
    /// The name or address that the server's certificate must have; empty means the URL's host.
    public var serverName = ""
    /// Whether any certificate is taken for Redis's.
    public var skipsVerification = false

    /// Makes the settings of a daemon that nobody has configured.
    public init() {}
}

extension SettingsTable {
    /// The rows of TLS to Redis.
    static let redisTLS: [SettingRow] = [
        SettingRow(
            RedisTLSSettings.caVariable, \.redisTLS.caFile, .path,
            "certificates in PEM form of the authorities that may sign Redis's certificate;"
                + " none means the system's", refusal: .fatal),
        SettingRow(
            RedisTLSSettings.certificateVariable, \.redisTLS.certificateFile, .path,
            "certificate in PEM form, with its chain, that is presented to Redis", refusal: .fatal),
        SettingRow(
            RedisTLSSettings.keyVariable, \.redisTLS.keyFile, .path,
            "private key of that certificate in PEM form, without a pass phrase", refusal: .fatal),
        SettingRow(
            RedisTLSSettings.serverNameVariable, \.redisTLS.serverName, .hostName,
            "name or address that Redis's certificate must have; none means the URL's host",
            refusal: .fatal),
        SettingRow(
            RedisTLSSettings.skipsVerificationVariable, \.redisTLS.skipsVerification, .boolean,
            "take any certificate for Redis's, which protects from nobody who is in between",
            refusal: .fatal),
    ]
}

extension SettingValue<String> {
    /// The path of a file.
    static let path = SettingValue(
        placeholder: "path",
        parse: { (text) throws(InvalidValue) in
            guard !text.utf8.contains(0) else { throw InvalidValue("is not a path") }
            return text
        },
        print: { $0 })

    /// A host name or an address without brackets.
    static let hostName = SettingValue(
        placeholder: "name",
        parse: { (text) throws(InvalidValue) in
            let isName =
                text.utf8.count <= 253 && text.utf8.allSatisfy { $0 > 0x20 && $0 != 0x7F }
            guard isName else { throw InvalidValue("is not a host name") }
            return text
        },
        print: { $0 })
}
