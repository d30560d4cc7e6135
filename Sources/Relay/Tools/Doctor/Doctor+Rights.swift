import RESP

// What the ACL user may do: tried, since the rights to ask for rights are rare.
extension Doctor {
    /// The command that gives the daemon's user what it needs.
    var grant: String {
        let needed =
            isCluster
            ? "+ssubscribe +sunsubscribe +subscribe +ping +hello +role +client +cluster|slots"
                + " +cluster|info"
            : "+subscribe +unsubscribe +ping +hello +client +select"
        let canary = settings.canaryInterval > .zero ? " +\(publish.lowercased())" : ""
        return "ACL SETUSER … '&*' \(needed)\(canary)"
    }

    private var isCluster: Bool { settings.redis.isCluster }
    private var subscribe: String { isCluster ? "SSUBSCRIBE" : "SUBSCRIBE" }
    private var publish: String { isCluster ? "SPUBLISH" : "PUBLISH" }

    /// A connection to where the doctor's channel is.
    func connect() throws(LinkFailure) -> RedisConnection {
        try RedisConnection(
            settings, patience: Self.patience, channel: Array(channel.utf8))
    }

    mutating func examineRights(_ redis: RedisConnection) throws(LinkFailure) {
        let user = try redis.command(["ACL", "WHOAMI"])
        let name = user.isError ? settings.redis.username ?? "default" : user.string ?? "default"
        let (refused, hasOwnChannel) = try trySubscription()
        if let refused {
            note("rights", .fail, "user \(name): \(refused)", grant)
            return
        }
        let details = try redis.command(["ACL", "GETUSER", name])
        guard !details.isError, let channels = Self.channels(of: details) else {
            note(
                "rights", .unknown,
                "user \(name) may \(subscribe)\(hasOwnChannel ? "" : ", not to \(channel)");"
                    + " which channels is not to be asked",
                "pages of channels that it may not read are closed with 1011: \(grant)")
            return
        }
        if channels.split(separator: " ").contains("*") {
            note("rights", .ok, "user \(name) may \(subscribe) to every channel")
        } else {
            note(
                "rights", .warn, "user \(name) may \(subscribe) to \(channels) alone",
                "pages of other channels are closed with 1011: \(grant)")
        }
    }

    /// Subscribes and unsubscribes on a connection of its own; what was refused, if anything.
    ///
    /// A user who may not have the doctor's channel may have those of the pages.
    private func trySubscription() throws(LinkFailure) -> (
        refused: String?, hasOwnChannel: Bool
    ) {
        let redis = try connect()
        let named = try redis.command(["CLIENT", "SETNAME", "status2-doctor"])
        if named.isError { return (named.string, true) }
        let subscribed = try redis.command([subscribe, channel])
        let hasOwnChannel = !Self.refusesChannel(subscribed)
        if subscribed.isError, hasOwnChannel { return (subscribed.string, true) }
        // A daemon without this right cannot ask a quiet link whether it lives.
        let pong = try redis.command(["PING", "x"])
        if pong.isError, pong.errorCode == "NOPERM" { return (pong.string, hasOwnChannel) }
        // A link that is a page's own ends with the page, and its subscription with it.
        guard isCluster || settings.redisSubscriptions == .shared else {
            return (nil, hasOwnChannel)
        }
        let reply = try redis.command([isCluster ? "SUNSUBSCRIBE" : "UNSUBSCRIBE", channel])
        return (reply.isError ? reply.string : nil, hasOwnChannel)
    }

    /// Whether the command is allowed, and the channel is not.
    private static func refusesChannel(_ reply: RESPValue) -> Bool {
        let text = reply.string ?? ""
        return reply.errorCode == "NOPERM" && text.contains("channel") && !text.contains("command")
    }

    /// The patterns of channels in the answer to `ACL GETUSER`, `*` for all; nil where it has none.
    static func channels(of details: RESPValue) -> String? {
        let words = Array(details.children)
        for index in words.indices.dropLast() where words[index].string == "channels" {
            let value = words[index + 1]
            // Redis 6.2 has a list of patterns, 7 a text such as `&run:* &job:*`.
            let patterns =
                value.string.map { $0.split(separator: " ").map(String.init) }
                ?? value.children.compactMap(\.string)
            let plain = patterns.map { $0.hasPrefix("&") ? String($0.dropFirst()) : $0 }
            return plain.isEmpty ? "no channel" : plain.joined(separator: " ")
        }
        return nil
    }

    /// Sends a message through Redis and waits for it.
    mutating func examineDelivery(_ redis: RedisConnection) throws(LinkFailure) {
        let subscriber = try connect()
        let acknowledged = try subscriber.command([subscribe, channel])
        if Self.refusesChannel(acknowledged), settings.canaryInterval > .zero {
            note(
                "delivery", .fail,
                "this user may not have \(CanaryFlight.channelPrefix)*: the canary hears nothing, which"
                    + " takes the daemon out of service",
                "ACL SETUSER … '&\(CanaryFlight.channelPrefix)*'")
        } else if Self.refusesChannel(acknowledged) {
            note(
                "delivery", .unknown, "this user may not have \(channel)",
                "publish to one of its channels and watch: status2 watch")
        }
        if acknowledged.isError { return }
        let begun = BootClock.now()
        let published = try redis.command([publish, channel, "status2 doctor"])
        if published.isError, settings.canaryInterval > .zero {
            note(
                "delivery", .fail, "this user may not \(publish), as the canary does", grant)
            return
        }
        if published.isError {
            note(
                "delivery", .unknown, "this user may not \(publish), nor need the daemon's",
                "publish with another and watch: status2 watch")
            return
        }
        do throws(LinkFailure) {
            _ = try subscriber.next()
            let span = BootClock.now() - begun
            note("delivery", .ok, "a message came through Redis in \(span.milliseconds) ms")
        } catch {
            let reason =
                error == .dialTimeout
                ? "nothing within \(GoDuration.print(Self.patience))" : "\(error)"
            note(
                "delivery", .fail, "a message that Redis took did not come: \(reason)",
                "is a proxy between that does not know Pub/Sub, or publishers' Redis another one?")
        }
    }
}
