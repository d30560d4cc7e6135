// The metrics of several event loops as those of the process.
extension Metrics {
    /// Adds what another loop has counted. Where the process stood still each of its loops has
    /// counted it, so that of standstills the highest number stands.
    mutating func add(_ other: Metrics) {
        connectionsActive += other.connectionsActive
        messagesForwarded += other.messagesForwarded
        ledger.add(other.ledger)
        ledgerImbalances += other.ledgerImbalances
        delivery.add(other.delivery)
        heartbeatRoundTrip.add(other.heartbeatRoundTrip)
        redisRoundTrip.add(other.redisRoundTrip)
        loopLag.add(other.loopLag)
        replacements += other.replacements
        gapNotices += other.gapNotices
        outageNotices += other.outageNotices
        redisSuspicions += other.redisSuspicions
        clusterTopologies += other.clusterTopologies
        clusterRedirections += other.clusterRedirections
        clusterMoves += other.clusterMoves
        resumesComplete += other.resumesComplete
        resumesFailed += other.resumesFailed
        messagesReplayed += other.messagesReplayed
        standstills = max(standstills, other.standstills)
        loopStalls += other.loopStalls
        redisReconnects += other.redisReconnects
        redisReconnectsByCause.merge(other.redisReconnectsByCause, uniquingKeysWith: +)
        redisLinkFailures.merge(other.redisLinkFailures, uniquingKeysWith: +)
        redisRemarks.merge(other.redisRemarks, uniquingKeysWith: +)
        redisTimeouts += other.redisTimeouts
        tlsHandshakesFull += other.tlsHandshakesFull
        tlsHandshakesResumed += other.tlsHandshakesResumed
        redisOutage = redisOutage + other.redisOutage
        writeErrors += other.writeErrors
        clientMessagesMalformed += other.clientMessagesMalformed
        slowClients += other.slowClients
        connectionsEnded.merge(other.connectionsEnded, uniquingKeysWith: +)
        refusals.merge(other.refusals, uniquingKeysWith: +)
        acceptFailures += other.acceptFailures
        acceptPauses += other.acceptPauses
    }
}

extension MetricsReading {
    /// Adds what another loop has looked at; what is the process's own stays.
    mutating func add(_ other: MetricsReading) {
        queuedMessages += other.queuedMessages
        queuedBytes += other.queuedBytes
        bufferedBytes += other.bufferedBytes
        armedTimers += other.armedTimers
        stoodStill = max(stoodStill, other.stoodStill)
        liveLinks += other.liveLinks
        liveSubscriptions += other.liveSubscriptions
        pendingSubscriptions += other.pendingSubscriptions
        resumeBytes += other.resumeBytes
        resumeKept += other.resumeKept
        pendingLinks += other.pendingLinks
        ongoingOutage = ongoingOutage + other.ongoingOutage
    }
}

extension Ledger {
    /// Adds the messages of other browsers.
    mutating func add(_ other: Ledger) {
        received += other.received
        delivered += other.delivered
        for reason in DropReason.allCases { dropped[reason] += other.dropped[reason] }
    }
}
