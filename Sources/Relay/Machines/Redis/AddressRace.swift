/// The race of connections to the addresses of one host: Happy Eyeballs (RFC 8305, section 5).
///
/// Pure: it says which address is begun when; whoever asks has the connections. An address that has
/// not connected in a quarter of a second goes on, and the next is begun beside it; one that fails
/// lets the next begin at once. The first to connect wins.
struct AddressRace {
    /// The time that an address has to itself (the Connection Attempt Delay of RFC 8305).
    static let attemptDelay = Nanoseconds.milliseconds(250)
    /// Most addresses of one host that are dialed in an attempt.
    static let addressLimit = 16

    /// The addresses that are not begun, the next one last.
    private var remaining: [SocketAddress]
    /// When the next address is to be begun if nothing is decided before.
    private(set) var nextBegin = Instant.never
    /// How many are begun and not decided.
    private var pending: UInt8 = 0

    /// Makes a race of nobody.
    init() {
        remaining = []
    }

    /// Makes a race between addresses, in the order in which they are to be begun.
    init(_ addresses: [SocketAddress]) {
        remaining = addresses.prefix(Self.addressLimit).reversed()
    }

    /// Whether nothing more can come of it.
    var isLost: Bool { pending == 0 && remaining.isEmpty }

    /// Takes the next address, whose connection is to be begun now; nil when all have been.
    mutating func begin(now: Instant) -> SocketAddress? {
        guard let address = remaining.popLast() else { return nil }
        pending += 1
        nextBegin = remaining.isEmpty ? .never : now + Self.attemptDelay
        return address
    }

    /// A connection that was begun has failed.
    mutating func oneFailed() {
        pending -= 1
    }

    /// Puts addresses into the order in which they are to be begun (RFC 8305, section 4).
    ///
    /// `addresses` come as the resolver prefers them (RFC 6724). `first` is begun first if it is
    /// among them and `last` last; in between the families take turns, so that a whole family that
    /// leads nowhere holds nothing up. An address that occurs twice is begun once.
    static func order(
        _ addresses: [SocketAddress], first: SocketAddress?, last: SocketAddress?
    ) -> [SocketAddress] {
        var found: [SocketAddress] = []
        for address in addresses where !found.contains(address) { found.append(address) }
        var ordered: [SocketAddress] = []
        if let first, let index = found.firstIndex(of: first) {
            ordered.append(found.remove(at: index))
        }
        var postponed: [SocketAddress] = []
        if let last, let index = found.firstIndex(of: last) {
            postponed.append(found.remove(at: index))
        }
        while !found.isEmpty {
            let other = found.firstIndex { $0.family != ordered.last?.family }
            ordered.append(found.remove(at: other ?? 0))
        }
        return ordered + postponed
    }
}
