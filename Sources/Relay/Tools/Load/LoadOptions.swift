/// What a load is like, as the command line of `status2-load` says it.
public struct LoadOptions: Sendable {
    /// How pages and messages come.
    public enum Scenario: String, Sendable, CaseIterable {
        /// All pages come, then messages at an even rate.
        case steady
        /// Pages come over the whole time, and the rate grows with them.
        case ramp
        /// Each second's messages all at its start.
        case burst
        /// All pages at once, then messages at an even rate.
        case connectStorm = "connect-storm"
        /// One page in ten stops reading once it is live; the others are measured.
        case slowReaders = "slow-readers"
        /// Pages come back after their connections have ended; somebody else ends them.
        case reconnect
    }

    /// Most pages of a run: what 28 bits of a slot hold, by far.
    public static let socketRange = 0...1_000_000
    /// Messages a second, in all.
    public static let rateRange = 0.0...1_000_000.0
    /// Bytes of a payload; a shorter one than its own head is as long as that.
    public static let payloadRange = LoadPayload.longestHead...(16 << 20)
    /// One page in so many is a slow reader.
    static let slowReaderShare = 10

    /// Where the relay is, and what comes before a channel's name in its paths.
    public var target: LoadTarget
    /// Pages.
    public var sockets = 100
    /// Channels; the pages are dealt out to them in turn.
    public var channels = 100
    /// What a channel's name begins with; its number and `:status` follow.
    public var channelPrefix = "load-"
    /// Messages a second, over all channels in turn.
    public var rate = 100.0
    /// Bytes of a message.
    public var payloadBytes = 128
    /// How long is measured, once all pages are live.
    public var duration = Nanoseconds.seconds(10)
    /// Over how long the pages come.
    public var ramp = Nanoseconds.seconds(1)
    /// The Redis that messages are published to; nil where others publish.
    public var redis: RedisTarget?
    /// How pages and messages come.
    public var scenario = Scenario.steady
    /// When a page comes back after its connection has ended.
    public var returns = ReturnPolicy.none
    /// The relay's heartbeat cadence, `STATUS_PING_INTERVAL`.
    public var pingInterval = Nanoseconds.seconds(5)
    /// How long is waited for messages that are under way when the time is over.
    public var drain = Nanoseconds.seconds(5)
    /// What pages and the relay say to each other.
    public var dialect = LoadDialect.status
    /// What a page sends as soon as its WebSocket is open, in place of `init`: `{channel}` stands for its
    /// channel's name. The stream is live when the relay has answered.
    public var subscription: String?
    /// Whether the relay subscribes once to a channel, and not once for each page.
    public var hasOneSubscriber = false
    /// Deliveries that may be under way at once; nil for as many as it takes to keep the pace.
    public var window: UInt64?
    /// The `Origin` of the pages; nil for none, as of what is no browser.
    public var origin: String?
    /// Addresses of this machine that connections come from in turn; empty for what the system takes.
    public var sourceAddresses: [String] = []
    /// What must hold.
    public var thresholds = LoadThresholds()

    /// Makes the default load of a relay.
    public init(target: LoadTarget) {
        self.target = target
    }

    /// Reads a span in the notation of the daemon's settings, such as `150ms`; nil where it is none or
    /// negative.
    public static func span(_ text: String) -> Nanoseconds? {
        do throws(InvalidValue) {
            let span = try GoDuration.parse(text)
            return span < .zero ? nil : span
        } catch {
            return nil
        }
    }

    /// Reads a Redis URL that can be published to: TCP or a Unix socket, without TLS.
    ///
    /// - Returns: the server, or the clause that says what is wrong with the URL; never any part of it.
    public static func redis(_ text: String) -> (target: RedisTarget?, complaint: String?) {
        do throws(InvalidValue) {
            let target = try RedisURL.parse(text).target
            if target.usesTLS { return (nil, "asks for TLS, which this tool does not speak") }
            if case .sentinel = target.address {
                return (nil, "names Sentinels; give the master itself")
            }
            if case .cluster = target.address {
                return (nil, "names a cluster, where the load tool does not publish")
            }
            return (target, nil)
        } catch {
            return (nil, error.reason)
        }
    }

    /// The shape of the pace.
    var paceShape: LoadPace.Shape {
        switch scenario {
        case .ramp: .ramp
        case .burst: .burst
        case .steady, .connectStorm, .slowReaders, .reconnect: .steady
        }
    }

    /// Whether what was missed in an outage is held against the relay.
    var excusesOutages: Bool { scenario == .reconnect }

    /// Whether the page of this number stops reading.
    func isSlow(_ page: Int) -> Bool {
        scenario == .slowReaders && page % Self.slowReaderShare == Self.slowReaderShare - 1
    }

    /// The name of a channel.
    func channelName(_ index: Int) -> String { "\(channelPrefix)\(index):status" }
}

/// The address of a relay: `ws://host[:port][/prefix]`.
public struct LoadTarget: Equatable, Sendable {
    /// A name or an address without brackets.
    let host: String
    let port: UInt16
    /// What stands before `/<channel>`: empty, or from a slash to no slash.
    let prefix: String

    /// Reads a URL; nil where it is no `ws://` URL with a host.
    public init?(_ text: String) {
        guard let (scheme, rest) = text.splitOnce("://"), scheme.lowercased() == "ws" else {
            return nil
        }
        let end = rest.utf8.firstIndex(of: UInt8(ascii: "/")) ?? rest.endIndex
        guard let endpoint = HostAndPort(rest[..<end]), !endpoint.host.isEmpty,
            endpoint.port != 0, rest[end...].utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        host = endpoint.host
        port = endpoint.port ?? 80
        var path = rest[end...]
        while path.last == "/" { path.removeLast() }
        prefix = String(path)
    }

    /// The value of `Host`.
    var authority: String { "\(HostAndPort.bracketed(host)):\(port)" }
}
