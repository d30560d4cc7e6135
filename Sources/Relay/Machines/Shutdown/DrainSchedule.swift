/// When each client is sent away at a shutdown, so that not all of them leave, nor come back, at
/// once.
///
/// The window is cut into as many equal pieces as there are clients. Each client, in an order of
/// chance, leaves at an instant of chance within a piece of its own; and it is told to come back
/// after a wait of chance, no longer than the window.
struct DrainSchedule {
    /// One client's turn.
    struct Departure: Equatable {
        let instant: Instant
        let client: SlotID
        /// How long the client is to wait before it connects again.
        let retry: Nanoseconds
    }

    /// In their order; a place in the list costs no copy of it when the next one is taken.
    private var departures: [Departure] = []
    private var position = 0

    /// Deals the window that begins `now` out to the clients.
    init(clients: [SlotID], window: Nanoseconds, seed: UInt64, now: Instant) {
        var generator = SplitMix64(seed: seed)
        let piece = Double(window.count) / Double(max(1, clients.count))
        for (index, client) in clients.shuffled(using: &generator).enumerated() {
            let wait = piece * (Double(index) + Double.random(in: 0..<1, using: &generator))
            let retry = Double.random(in: 0...1, using: &generator) * Double(window.count)
            departures.append(
                Departure(
                    instant: now + min(window, Nanoseconds(Int64(clamping: wait))), client: client,
                    retry: min(window, Nanoseconds(Int64(clamping: retry)))))
        }
    }

    /// Takes the next departure that is due.
    mutating func next(now: Instant) -> Departure? {
        guard position < departures.count, departures[position].instant <= now else { return nil }
        defer { position += 1 }
        return departures[position]
    }

    /// When the next departure is due; nil when all have gone.
    var nextDeadline: Instant? {
        position < departures.count ? departures[position].instant : nil
    }
}

extension Int64 {
    /// The whole number towards zero from a number that is not negative; the greatest one at most.
    fileprivate init(clamping value: Double) {
        self = value < Double(Int64.max) ? Int64(value) : .max
    }
}
