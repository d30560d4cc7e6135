/// A row of a debug page.
protocol DebugRow: Equatable, Sendable {
    /// Where it stands among the rows of all loops.
    var place: DebugCursor { get }
    /// Appends the row's members to an object.
    func append(to json: inout JSONText)
}

/// A browser's connection.
struct ConnectionRow: DebugRow {
    let place: DebugCursor
    var channel: ChannelName?
    var state = ""
    /// Where it comes from, and the proxy that said so.
    var address = ""
    var proxy: String?
    var age = Nanoseconds.zero
    var link: UInt64?
    var linkState: String?
    var ledger = Ledger()
    var queuedMessages = 0
    var queuedBytes = 0
    var largestQueue = 0
    /// How long the oldest byte has waited.
    var oldest: Nanoseconds?
    var heartbeatRoundTrip: Nanoseconds?
    var redisRoundTrip: Nanoseconds?
    /// How it resumes; nil for a page that cannot.
    var resume: ConnectionResume?

    func append(to json: inout JSONText) {
        json.member("id", place.description)
        json.member("run", channel?.runID)
        json.member("channel", channel?.channel)
        json.member("state", state)
        json.member("address", address)
        json.member("via", proxy)
        json.member("age_ms", age.milliseconds)
        json.member("link", link)
        json.member("link_state", linkState)
        json.members(of: ledger)
        json.member("queued_messages", queuedMessages)
        json.member("queued_bytes", queuedBytes)
        json.member("largest_queue_bytes", largestQueue)
        json.member("oldest_queued_ms", oldest?.milliseconds)
        json.member("heartbeat_rtt_ms", milliseconds: heartbeatRoundTrip)
        json.member("redis_rtt_ms", milliseconds: redisRoundTrip)
        json.member("resumes", resume != nil)
        json.member("resumed", resume?.outcome?.rawValue)
        json.member("stream", resume?.stream?.description)
        json.member("position", resume?.position)
        json.member("held_messages", resume?.messages)
        json.member("held_bytes", resume?.bytes)
    }
}

/// A WebSocket that has ended.
struct ClosedRow: DebugRow {
    let place: DebugCursor
    let channel: ChannelName
    /// The end, in nanoseconds since the Unix epoch.
    var closedAt: Int64 = 0
    var address = ""
    var proxy: String?
    var age = Nanoseconds.zero
    var link: UInt64?
    var reason = ""
    /// The code with which the client closed or was told of its error.
    var code: UInt16?
    /// What exactly was wrong; the daemon's own words.
    var error: String?
    var ledger = Ledger()
    var unsent = 0
    var largestQueue = 0
    var heartbeatRoundTrip: Nanoseconds?

    func append(to json: inout JSONText) {
        json.member("id", place.description)
        json.member("closed", Timestamp(nanosecondsSinceEpoch: closedAt).description)
        json.member("run", channel.runID)
        json.member("channel", channel.channel)
        json.member("reason", reason)
        json.member("code", code)
        json.member("error", error)
        json.member("address", address)
        json.member("via", proxy)
        json.member("duration_ms", age.milliseconds)
        json.member("link", link)
        json.members(of: ledger)
        json.member("unsent", unsent)
        json.member("largest_queue_bytes", largestQueue)
        json.member("heartbeat_rtt_ms", milliseconds: heartbeatRoundTrip)
    }
}

/// A link to Redis.
struct LinkRow: DebugRow {
    /// Channels that are named of one link, at most.
    static let channelLimit = 20

    let place: DebugCursor
    var number: UInt64 = 0
    var isProbe = false
    /// The first of its channels.
    var channels: [String] = []
    var channelCount = 0
    /// The browsers that it serves.
    var receivers = 0
    var state = ""
    var server: String?
    var isTLS = false
    var dials = 0
    var failedAttempts = 0
    /// The cause of its last failure; empty before the first.
    var lastCause = ""
    /// How long nothing has come from Redis.
    var quiet: Nanoseconds?
    /// Whether an answer is waited for.
    var isAsking = false
    var roundTrip: Nanoseconds?
    /// How long its receivers may have missed messages.
    var outage: Nanoseconds?
    /// Bytes of a value that is not whole, and of commands that are not sent.
    var unparsedBytes = 0
    var queuedBytes = 0

    func append(to json: inout JSONText) {
        json.member("id", place.description)
        json.member("link", number)
        json.member("loop", place.loop)
        json.member("purpose", isProbe ? "probe" : "subscription")
        json.key("channels")
        json.open("[")
        for channel in channels.prefix(Self.channelLimit) {
            json.separate()
            json.string(channel)
        }
        json.close("]")
        json.member("channel_count", channelCount)
        json.member("receivers", receivers)
        json.member("state", state)
        json.member("server", server)
        json.member("tls", isTLS)
        json.member("dials", dials)
        json.member("failed_attempts", failedAttempts)
        json.member("last_cause", lastCause.isEmpty ? nil : lastCause)
        json.member("quiet_ms", quiet?.milliseconds)
        json.member("asking", isAsking)
        json.member("redis_rtt_ms", milliseconds: roundTrip)
        json.member("outage_ms", outage?.milliseconds)
        json.member("unparsed_bytes", unparsedBytes)
        json.member("queued_bytes", queuedBytes)
    }
}

/// An event loop.
struct LoopRow: DebugRow {
    let place: DebugCursor
    /// Connections of any kind, and WebSockets among them.
    var connections = 0
    var webSockets = 0
    var links = 0
    var liveLinks = 0
    var timers = 0
    var bufferedBytes = 0
    var turns: UInt64 = 0
    var standstills: UInt64 = 0
    var stoodStill = Nanoseconds.zero
    var received: UInt64 = 0
    var delivered: UInt64 = 0
    var lag = Histogram()
    var delivery = Histogram()
    var closed: UInt64 = 0

    func append(to json: inout JSONText) {
        json.member("loop", place.loop)
        json.member("connections", connections)
        json.member("websockets", webSockets)
        json.member("links", links)
        json.member("live_links", liveLinks)
        json.member("turns", turns)
        json.member("timers", timers)
        json.member("buffered_bytes", bufferedBytes)
        json.member("received", received)
        json.member("delivered", delivered)
        json.member("closed", closed)
        json.member("standstills", standstills)
        json.member("stood_still_ms", stoodStill.milliseconds)
        json.member("lag_p99_below_s", lag.edge(atQuantile: 99))
        json.member("delivery_p99_below_s", delivery.edge(atQuantile: 99))
    }
}

/// The rows of one loop that a query wants, as that loop leaves them.
struct DebugRows<Row: DebugRow>: Equatable, Sendable {
    /// The rows behind the cursor, one more than the limit at most.
    var rows: [Row] = []
    /// How many there are in all, before and behind the cursor.
    var matched = 0

    /// Counts a row, and keeps it where it is behind the cursor and there is room.
    mutating func add(_ place: DebugCursor, _ query: DebugQuery, _ row: () -> Row) {
        matched += 1
        guard query.cursor.map({ place > $0 }) ?? true, rows.count <= query.limit else { return }
        rows.append(row())
    }

    /// Adds the rows of another loop.
    mutating func add(_ other: DebugRows) {
        rows += other.rows
        matched += other.matched
    }

    /// The answer: an object with the rows under `name`, cut to the limit, and where to go on.
    ///
    /// `missing` are the loops that have not answered.
    func json(
        _ name: String, _ query: DebugQuery, missing: [Int] = [],
        by order: (Row, Row) -> Bool = { $0.place < $1.place }
    ) -> [UInt8] {
        let sorted = rows.sorted(by: order)
        var json = JSONText()
        json.open("{")
        json.member("matched", matched)
        if sorted.count > query.limit {
            json.member("next", sorted[query.limit - 1].place.description)
        }
        if !missing.isEmpty {
            json.member("loops_missing", missing.map { String($0) }.joined(separator: ","))
        }
        json.key(name)
        json.open("[")
        for row in sorted.prefix(query.limit) {
            json.separate()
            json.raw("\n")
            json.open("{")
            row.append(to: &json)
            json.close("}")
        }
        json.close("]")
        json.close("}")
        json.raw("\n")
        return json.bytes
    }
}

extension JSONText {
    /// Appends a member whose value is a number.
    mutating func member(_ key: String, _ value: some BinaryInteger) {
        self.key(key)
        raw(String(value))
    }

    /// Appends a member whose value is a number, if there is one.
    mutating func member(_ key: String, _ value: (some BinaryInteger)?) {
        if let value { member(key, value) }
    }

    /// Appends a member whose value is a string, if there is one.
    mutating func member(_ key: String, _ value: String?) {
        if let value { member(key, value) }
    }

    /// Appends a member that is true or false.
    mutating func member(_ key: String, _ value: Bool) {
        self.key(key)
        raw(value ? "true" : "false")
    }

    /// Appends a span in milliseconds with three digits behind the point, if there is one.
    mutating func member(_ key: String, milliseconds span: Nanoseconds?) {
        guard let span else { return }
        let microseconds = max(0, span.count) / 1000
        let fraction = String(microseconds % 1000)
        self.key(key)
        raw(
            "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
        )
    }

    /// Appends what became of messages.
    mutating func members(of ledger: Ledger) {
        member("received", ledger.received)
        member("delivered", ledger.delivered)
        key("dropped")
        open("{")
        for reason in DropReason.allCases where ledger.dropped[reason] > 0 {
            member(reason.rawValue, ledger.dropped[reason])
        }
        close("}")
    }
}
