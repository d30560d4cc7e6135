/// The options of a Redis URL: what stands behind its question mark, in the words of other clients.
///
/// What means something here is taken, and each of the others is remarked upon by its name: the URL
/// of a service that is replaced may have any of them.
struct RedisURLQuery: Equatable {
    /// The options that are about TLS; what is nil is not said.
    struct TLSOptions: Equatable {
        var caFile: String?
        var certificateFile: String?
        var keyFile: String?
        var skipsVerification: Bool?
    }

    /// The database, where one is named; it wins over that of the path, as it does elsewhere.
    private(set) var database: Int?
    private(set) var tls = TLSOptions()
    /// Whether the connection is to be TLS, where an option says so.
    private(set) var usesTLS: Bool?
    /// What is not taken, in clauses that follow the name of what gave the URL.
    private(set) var remarks: [String] = []

    /// Reads `name=value` pairs with `&` between them.
    init(_ text: Substring) throws(InvalidValue) {
        guard !text.utf8.contains(UInt8(ascii: "@")) else {
            throw InvalidValue(
                "has an @ behind a question mark \(RedisURL.hint)")
        }
        for pair in text.split(separator: "&") {
            // What has no value is none of these, and may be anything, a secret too.
            guard let (name, value) = pair.splitOnce("=") else {
                remarks.append("has an option without a value, which has no effect")
                continue
            }
            guard let value = PercentEncoding.decode(value) else {
                throw InvalidValue("has an option that is not percent-encoded UTF-8")
            }
            try take(name.lowercased(), value)
        }
    }

    private mutating func take(_ name: String, _ value: String) throws(InvalidValue) {
        switch name {
        case "db", "database":
            database = value.isEmpty ? nil : try RedisURL.parseDatabase(value)
        case "skip_verify":
            tls.skipsVerification = try SettingValue<Bool>.boolean.parse(value, optionNamed: name)
        case "ssl_cert_reqs": try takeRequirement(value)
        case "ssl_ca_certs", "ssl_ca_file": tls.caFile = value
        case "ssl_certfile": tls.certificateFile = value
        case "ssl_keyfile": tls.keyFile = value
        case "tls", "ssl":
            usesTLS = try SettingValue<Bool>.boolean.parse(value, optionNamed: name)
        case "user", "username", "password", "pass":
            // To run as another user, or with none, is not what was meant.
            throw InvalidValue(
                "has an option \(name): it belongs before the host, as user:password@")
        case "protocol":
            // RESP3 is what is asked for first.
            if value != "3" {
                remarks.append("has the option protocol: it is agreed on with Redis")
            }
        default: remark(name)
        }
    }

    /// Python's three words, with and without the prefix that its `ssl` module gives them.
    private mutating func takeRequirement(_ value: String) throws(InvalidValue) {
        let word = value.lowercased()
        switch word.hasPrefix("cert_") ? String(word.dropFirst("cert_".count)) : word {
        case "none": tls.skipsVerification = true
        case "required": tls.skipsVerification = false
        case "optional":
            // A server always sends its certificate.
            tls.skipsVerification = false
        default:
            throw InvalidValue("has an option ssl_cert_reqs that is not none, optional or required")
        }
    }

    private mutating func remark(_ name: String) {
        if let setting = Self.settings[name] {
            remarks.append("has the option \(name), which has no effect: \(setting) stands for it")
        } else if Self.withoutMeaning.contains(name) {
            remarks.append("has the option \(name), which means nothing here")
        } else {
            let isName = name.utf8.count <= 40 && name.utf8.allSatisfy(HostAndPort.isNameByte)
            remarks.append(
                isName && !name.isEmpty
                    ? "has the unknown option \(name), which has no effect"
                    : "has an unknown option, which has no effect")
        }
    }

    /// Options for which there is a setting.
    private static let settings = [
        "dial_timeout": "STATUS_REDIS_REQUEST_TIMEOUT",
        "read_timeout": "STATUS_REDIS_REQUEST_TIMEOUT",
        "write_timeout": "STATUS_REDIS_REQUEST_TIMEOUT",
        "timeout": "STATUS_REDIS_REQUEST_TIMEOUT",
        "socket_timeout": "STATUS_REDIS_REQUEST_TIMEOUT",
        "socket_connect_timeout": "STATUS_REDIS_REQUEST_TIMEOUT",
        "max_retries": "STATUS_REDIS_MAX_RETRIES",
        "min_retry_backoff": "STATUS_REDIS_RETRY_BASE",
        "max_retry_backoff": "STATUS_REDIS_RETRY_MAX",
        "max_concurrent_dials": "STATUS_REDIS_DIAL_CONCURRENCY",
        "health_check_interval": "STATUS_REDIS_PING_INTERVAL",
    ]

    /// Options of go-redis (`ParseURL`), redis-py (`from_url`) and Lettuce that say how a pool, a
    /// request or a name is, none of which there is here.
    private static let withoutMeaning: Set<String> = [
        "client_name", "clientname", "libraryname", "libraryversion", "lib_name", "lib_version",
        "pool_fifo", "pool_size", "pool_timeout", "min_idle_conns", "max_idle_conns",
        "max_active_conns", "conn_max_idle_time", "conn_max_lifetime", "conn_max_lifetime_jitter",
        "idle_timeout", "idle_check_frequency", "max_conn_age", "dialer_retries",
        "dialer_retry_timeout", "read_only", "route_by_latency", "route_randomly", "max_redirects",
        "addr", "max_connections", "socket_keepalive", "socket_read_size", "retry_on_timeout",
        "decode_responses", "encoding", "encoding_errors", "ssl_check_hostname", "ssl_min_version",
        "verifypeer",
    ]
}

extension SettingValue {
    /// Reads the value of an option of a URL.
    fileprivate func parse(_ text: String, optionNamed name: String) throws(InvalidValue) -> Value {
        do throws(InvalidValue) {
            return try parse(text)
        } catch {
            throw InvalidValue("has an option \(name) that \(error.reason)")
        }
    }
}
