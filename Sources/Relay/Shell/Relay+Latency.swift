// How long things took, for the histograms. The loop's time is used, so that standstills are left
// out: they are counted by themselves.
extension Relay where S: ~Copyable {
    /// Counts the messages that left in the turn that read them.
    ///
    /// The clock is read once for all of them. The span begins when the kernel told of the turn's
    /// first bytes and ends behind its last write, so that no message took longer than is counted.
    mutating func noteDeliveries() {
        metrics.delivery.add(loop.sys.now() - loop.boot, count: deliveredInTurn)
        deliveredInTurn = 0
    }

    /// Counts messages that had to wait for room in their socket; the oldest has waited since
    /// `oldest`, and the others count as old as it.
    mutating func noteLate(_ count: UInt64, since oldest: Instant) {
        guard count > 0 else { return }
        let present = loop.now + (loop.sys.now() - loop.boot)
        metrics.delivery.add(present - oldest, count: count)
    }

    /// Redis has answered the last command of a link.
    mutating func noteAnswer(of id: SlotID) {
        links[id].confirmedAt = links[id].askedAt
        let roundTrip = loop.boot - links[id].askedAt
        links[id].roundTrip = roundTrip
        metrics.redisRoundTrip.add(roundTrip)
    }
}
