/// The WebSockets of one event loop that have ended last.
///
/// Its memory is bounded: ``capacity`` rows, each with a channel's name of at most
/// ``ChannelName/maximumLength`` bytes, two addresses and words of the daemon's own.
struct ClosedRing: Sendable {
    /// How many are kept.
    static let capacity = 1000

    private var rows: [ClosedRow] = []
    /// The place of the oldest, once the ring is full.
    private var oldest = 0
    /// How many have ended so far.
    private(set) var total: UInt64 = 0

    /// Keeps a row, in place of the oldest where there is no room.
    mutating func append(_ row: ClosedRow) {
        total += 1
        guard rows.count == Self.capacity else { return rows.append(row) }
        rows[oldest] = row
        oldest = (oldest + 1) % Self.capacity
    }

    /// What a query wants, the newest first; the cursor is the number of the last row that was
    /// answered.
    func rows(_ query: DebugQuery) -> DebugRows<ClosedRow> {
        var found = DebugRows<ClosedRow>()
        for offset in rows.indices.reversed() {
            let row = rows[(oldest + offset) % rows.count]
            guard row.isWanted(by: query) else { continue }
            found.matched += 1
            guard query.cursor.map({ row.place.number < $0.number }) ?? true,
                found.rows.count <= query.limit
            else { continue }
            found.rows.append(row)
        }
        return found
    }
}

extension ClosedRow {
    fileprivate func isWanted(by query: DebugQuery) -> Bool {
        query.run.matches(channel.runID.utf8) && query.channel.matches(channel.channel.utf8)
            && query.isAddress(address)
            && (query.reason.map { $0 == reason } ?? true)
            && (query.link.map { $0 == link } ?? true)
    }
}

extension DebugQuery {
    /// Whether an address is wanted: as it is written, or without its port.
    func isAddress(_ address: String) -> Bool {
        if self.address == .anything || self.address.matches(address.utf8) { return true }
        guard let host = HostAndPort(address), host.port != nil else { return false }
        return self.address.matches(host.host.utf8)
    }

    /// Whether a channel is wanted; what has none is not where one is asked for.
    func isChannel(_ name: ChannelName?) -> Bool {
        guard run != .anything || channel != .anything else { return true }
        guard let name else { return false }
        return run.matches(name.runID.utf8) && channel.matches(name.channel.utf8)
    }
}
