import RESP

// What Redis says: that it answers, what it allows, what it is set to.
extension Doctor {
    /// The channel that a message is sent through: one of the canary's where there is a canary, since
    /// its user must have those.
    var channel: String {
        settings.canaryInterval > .zero ? CanaryFlight.channelPrefix + "doctor" : "status2:doctor"
    }
    /// Clocks may be so far apart before the times of gap notices mean something else to a page.
    private static let clockTolerance = Nanoseconds.seconds(2)
    /// The rest of a certificate's life below which it is warned of.
    private static let certificateReserve = Nanoseconds.seconds(14 * 86_400)

    mutating func examineRedis() {
        guard configuration.fatal == nil else {
            note("redis", .unknown, "not asked", "mend the configuration first")
            return
        }
        do throws(LinkFailure) {
            if case .cluster(let seeds) = settings.redis.address { try examineCluster(seeds) }
            let redis = try connect()
            try examineAnswers(redis)
            try examineLimits(redis)
            try examineClock(redis)
            try examineRights(redis)
            try examineDelivery(redis)
        } catch {
            note("redis", .fail, "\(settings.redis): \(error)", advice(for: error))
        }
    }

    // MARK: - Reachability

    private mutating func examineAnswers(_ redis: RedisConnection) throws(LinkFailure) {
        let begun = BootClock.now()
        let pong = try redis.command(["PING"])
        let span = BootClock.now() - begun
        if pong.isError { try refuse(pong, "PING") }
        // A cluster has one database, and its user need not have the command.
        if !settings.redis.isCluster {
            let selected = try redis.command(["SELECT", String(settings.redis.database)])
            if selected.isError { try refuse(selected, "SELECT") }
        }
        let version = try Self.information(redis, "server")["redis_version"]
        note(
            "redis", .ok,
            "\(settings.redis) answers in \(Self.milliseconds(span)) ms"
                + (version.map { ", version \($0)" } ?? ""))
        guard let lifetime = redis.certificateLifetime, let tls = redis.tlsVersion else { return }
        let days = lifetime.milliseconds / 86_400_000
        if settings.redisTLS.skipsVerification {
            note(
                "tls", .warn, "\(tls), and any certificate is taken",
                "unset STATUS_REDIS_TLS_INSECURE_SKIP_VERIFY; a private authority belongs into"
                    + " STATUS_REDIS_TLS_CA_FILE")
        } else if lifetime < Self.certificateReserve {
            note(
                "tls", .warn, "\(tls); a certificate of Redis's chain ends in \(days) days",
                "renew it: links that are made after its end fail")
        } else {
            note("tls", .ok, "\(tls); the certificates are valid for \(days) days")
        }
    }

    private func refuse(_ reply: RESPValue, _ command: String) throws(LinkFailure) {
        let failure = LinkFailure(reply: reply.string ?? "", to: command)
        // Whoever may not PING has been answered all the same.
        if command == "PING", !failure.isFatalAtStart || failure.cause == "no_permission" { return }
        throw failure
    }

    /// The members of a section of `INFO`; none where that is not allowed.
    private static func information(
        _ redis: RedisConnection, _ section: String
    ) throws(LinkFailure) -> [String: String] {
        let reply = try redis.command(["INFO", section])
        guard !reply.isError, let text = reply.string else { return [:] }
        var members: [String: String] = [:]
        for line in text.split(whereSeparator: \.isNewline) {
            if let (name, value) = line.splitOnce(":") { members[String(name)] = String(value) }
        }
        return members
    }

    /// A value of `CONFIG GET`; nil where that is not allowed, or the server has none.
    private static func parameter(
        _ redis: RedisConnection, _ name: String
    ) throws(LinkFailure) -> String? {
        let reply = try redis.command(["CONFIG", "GET", name])
        let parts = reply.isError ? [] : reply.children.compactMap(\.string)
        return parts.count >= 2 ? parts[1] : nil
    }

    // MARK: - Limits of Redis

    private mutating func examineLimits(_ redis: RedisConnection) throws(LinkFailure) {
        try examineClients(redis)
        if let limit = try Self.parameter(redis, "client-output-buffer-limit") {
            noteOutputBuffer(PubSubBufferLimit(limit))
        } else {
            note(
                "output buffer", .unknown, "CONFIG GET is not allowed",
                "client-output-buffer-limit pubsub should be at least 32mb 8mb 60")
        }
        switch try Self.parameter(redis, "timeout") {
        case "0": note("idle links", .ok, "Redis closes none (timeout 0)")
        case let seconds?:
            note(
                "idle links", .ok,
                "Redis closes what is idle for \(seconds) s; subscribers are exempt, and the daemon's"
                    + " own connection is made again")
        case nil:
            note(
                "idle links", .unknown, "CONFIG GET is not allowed",
                "a proxy before Redis must not close subscribers that are silent for"
                    + " \(GoDuration.print(settings.redisPingInterval))")
        }
    }

    private mutating func examineClients(_ redis: RedisConnection) throws(LinkFailure) {
        let present = try Self.information(redis, "clients")["connected_clients"].flatMap {
            Int($0)
        }
        guard let most = try Self.parameter(redis, "maxclients").flatMap({ Int($0) }) else {
            note(
                "maxclients", .unknown, "CONFIG GET is not allowed",
                "maxclients must have room for \(linkLimit + 1) links of this daemon")
            return
        }
        let others = max(0, (present ?? 1) - 1)
        let text =
            "maxclients \(most), \(others) connected; up to \(linkLimit + 1) links of this daemon"
        if most - others < linkLimit + 1 {
            note(
                "maxclients", .warn, text,
                "raise maxclients, lower STATUS_MAX_CONNECTIONS, or set"
                    + " STATUS_REDIS_SUBSCRIPTIONS=shared")
        } else {
            note("maxclients", .ok, text)
        }
    }

    private mutating func noteOutputBuffer(_ limit: PubSubBufferLimit?) {
        guard let limit else {
            note("output buffer", .unknown, "Redis names no limit for pubsub")
            return
        }
        let text = "client-output-buffer-limit pubsub \(limit)"
        if limit.hard == 0 {
            note(
                "output buffer", .warn, text,
                "without a limit a daemon that is stopped fills Redis's memory: 32mb 8mb 60")
        } else if limit.hard < 4 * settings.maxPayloadSize || limit.isTighterThanStandard {
            note(
                "output buffer", .warn, text,
                "Redis cuts links in a burst: CONFIG SET client-output-buffer-limit \"pubsub"
                    + " 33554432 8388608 60\" or more, at least four times STATUS_MAX_PAYLOAD_SIZE")
        } else {
            note("output buffer", .ok, text)
        }
    }

    // MARK: - Clock

    private mutating func examineClock(_ redis: RedisConnection) throws(LinkFailure) {
        let before = WallClock.unixTime()
        let reply = try redis.command(["TIME"])
        let after = WallClock.unixTime()
        let parts = reply.children.compactMap(\.string).compactMap { Int64($0) }
        guard !reply.isError, parts.count == 2 else {
            note("clock", .unknown, "TIME is not allowed", "compare the clocks of both machines")
            return
        }
        let ours = Nanoseconds(before / 2 + after / 2)
        let apart = .seconds(parts[0]) + Nanoseconds(1_000) * parts[1] - ours
        let size = max(apart, .zero - apart)
        let text = "\(Self.milliseconds(size)) ms apart from Redis's"
        if size > Self.clockTolerance {
            note("clock", .warn, text, "let both machines set their clocks by NTP")
        } else {
            note("clock", .ok, text)
        }
    }

    private static func milliseconds(_ span: Nanoseconds) -> String {
        let tenths = span.count / 100_000
        return "\(tenths / 10).\(tenths % 10)"
    }

    /// What to do about a failure to reach Redis.
    private func advice(for failure: LinkFailure) -> String {
        switch failure {
        case .refused: "is Redis up, and is this its address? (STATUS_REDIS_URL)"
        case .nameLookup: "does the name in STATUS_REDIS_URL stand in the DNS of this machine?"
        case .dialTimeout: "a firewall, or a server that hangs, is between here and an answer"
        case .wrongPassword: "mend the user or the password of STATUS_REDIS_URL, or their files"
        case .passwordMissing: "give STATUS_REDIS_PASSWORD_FILE or a URL with a password"
        case .noCluster: "write redis:// where Redis is no cluster, or mend the address"
        case .slotUnserved: "redis-cli --cluster check tells what the cluster lacks"
        case .badDatabase: "the number at the end of STATUS_REDIS_URL is over Redis's databases"
        case .certificate:
            "see STATUS_REDIS_TLS_CA_FILE, STATUS_REDIS_TLS_SERVER_NAME and Redis's certificate"
        case .noPermission: grant
        case .reset, .closedByRedis, .closedAtGreeting, .tls, .protocolError, .wrongServer(.tls):
            "redis:// and rediss:// are each for a port of its own"
        case .wrongServer: "is this Redis's port? (STATUS_REDIS_URL)"
        case .tooManyClients: "raise maxclients of Redis"
        case .protectedMode: "set a password or protected-mode no"
        default: "see docs/runbook.md at \(failure.cause)"
        }
    }
}

/// `client-output-buffer-limit pubsub`: what a subscriber may have waiting at Redis.
struct PubSubBufferLimit: Equatable, CustomStringConvertible {
    let hard: Int
    let soft: Int
    let seconds: Int

    /// Takes the part of `pubsub` out of the answer to `CONFIG GET`; nil where there is none.
    init?(_ text: String) {
        let words = text.split(separator: " ")
        guard let at = words.firstIndex(of: "pubsub"), at + 3 < words.count,
            let hard = Int(words[at + 1]), let soft = Int(words[at + 2]),
            let seconds = Int(words[at + 3])
        else { return nil }
        (self.hard, self.soft, self.seconds) = (hard, soft, seconds)
    }

    /// Whether Redis would cut a link that its own default lets be.
    var isTighterThanStandard: Bool {
        hard < 32 << 20 || soft > 0 && (soft < 8 << 20 || seconds < 60)
    }

    var description: String { "\(hard) \(soft) \(seconds)" }
}
